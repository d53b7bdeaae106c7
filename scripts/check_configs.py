"""`python3 -m scripts.check_configs FOLDER…`: load config files written for this or another harness, and say what fails and where.

A folder may be a `configs/` tree, a tree that holds some (`closed/<submitter>/configs`), or a folder of definitions
(`custom_configs/<benchmark>/<scenario>/custom.py`); single files work too. Each tree is loaded by a process of its own, in front of
the project's configs and with the `custom_list.py` next to it, as if it had been copied over the project.

Exit status: 0 when every file loaded and every class is valid; 1 otherwise; 2 for a usage error; 3 when there is no config file to
check. An undefined system is a warning: `make add_system` adds it on that machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from code.common import console
from code.common.errors import HarnessError
from scripts.config_trees import Tree, find_trees

SECONDS = 300
"""Time limit for one tree, in seconds."""


def main(arguments: Sequence[str]) -> int:
    """Check, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m scripts.check_configs", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders or files to check")
    parser.add_argument("--json", action="store_true", help="print everything that was found as JSON")
    parser.add_argument("--strict", action="store_true", help="fail on undefined systems too")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="trees at a time")
    options = parser.parse_args(arguments)
    try:
        trees = find_trees(options.folders)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        reports = list(pool.map(check_tree, trees))
    content = summed(reports)
    if options.json:
        console.say(json.dumps(content, indent=4))
    else:
        show(content)
    total = content["summary"]
    return int(bool(total["failures"] or total["refused"] or (options.strict and total["undefined_systems"])))


def check_tree(tree: Tree) -> dict[str, Any]:
    """Load one tree in its own process; returns its report, or one that states why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        given = Path(folder) / "tree.json"
        given.write_text(json.dumps(tree.as_json()), encoding="utf-8")
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("MLPINF_CUSTOM_DEFINITION_PATH", None)
        command = [sys.executable, "-m", "scripts.config_trees", str(given), str(out)]
        root = Path(__file__).resolve().parents[1]
        why = ""
        try:
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
            )
            why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        except subprocess.TimeoutExpired:
            why = f"not done after {SECONDS} s"
        if out.is_file():
            report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
            return report
    files = [
        {"file": str(path), "classes": 0, "failures": [{"line": 0, "reason": f"the tree could not be loaded: {why}", "hint": ""}]}
        for path in tree.files
    ]
    return {"tree": str(tree.root), "files": files, "refused": [], "undefined": {}, "systems_list": []}


def summed(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """All trees with the totals."""
    files = [file for report in reports for file in report["files"]]
    undefined: Counter[str] = Counter()
    for report in reports:
        undefined.update({name: len(uses["classes"]) for name, uses in report["undefined"].items()})
    return {
        "trees": reports,
        "summary": {
            "trees": len(reports),
            "files": len(files),
            "classes": sum(file["classes"] for file in files),
            "failed_files": sum(bool(file["failures"]) for file in files),
            "failures": sum(len(file["failures"]) for file in files) + sum(len(report["systems_list"]) for report in reports),
            "refused": sum(len(report["refused"]) for report in reports),
            "undefined_systems": len(undefined),
            "classes_of_undefined_systems": sum(undefined.values()),
        },
    }


def show(content: dict[str, Any]) -> None:
    """Print the tables."""
    for report in content["trees"]:
        rows = [
            (_inside(file["file"], report["tree"]), str(file["classes"]), "failed" if file["failures"] else "loaded")
            for file in report["files"]
        ]
        console.table(report["tree"], ("File", "Classes", ""), rows)
        for file in report["files"]:
            for failure in file["failures"]:
                hint = f" ({failure['hint']})" if failure["hint"] else ""
                console.say(f"  failed   {file['file']}:{failure['line']}: {failure['reason']}{hint}")
        for line in report["systems_list"]:
            console.say(f"  failed   {line}")
        for fault in report["refused"]:
            console.say(f"  refused  {fault['where']}: {fault['what']}; {fault['why']} ({fault['classes']} classes)")
        for uses in report["undefined"].values():
            console.say(f"  warning  {uses['where']}: {uses['why']} ({len(uses['classes'])} classes)")
    total = content["summary"]
    console.say(
        f"{total['files']} files in {total['trees']} trees: {total['classes']} classes loaded; {total['failed_files']} files failed "
        f"in whole or part, in {total['failures']} places; {total['refused']} kinds of fault in classes that loaded; "
        f"{total['undefined_systems']} undefined systems, used by {total['classes_of_undefined_systems']} classes"
    )


def _inside(path: str, root: str) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
