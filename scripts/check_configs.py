"""`python3 -m scripts.check_configs FOLDER…`: load config files written for this or another harness, and say what fails and where.

This EXECUTES every config file below FOLDER as Python, with your account's rights, and the custom_list.py beside it. --static only parses.

A folder may be a `configs/` tree of either layout or of both, a tree that holds some (`closed/<submitter>/configs`), or a folder of
definitions (`custom_configs/<benchmark>/<scenario>/custom.py`); single files work too. Each tree is loaded by a process of its own, in
front of the project's configs and with the lists of systems next to it, as if it had been copied over the project. That process gets no
environment variables but PATH, language and time zone, and a limit of memory and of time for each file.

Exit status: 0 when every file loaded and every config is valid; 1 otherwise; 2 for a usage error; 3 when there is no config file to
check. An undefined system is a warning: `make add_system` adds it on that machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from code.common import console
from code.common.errors import HarnessError
from scripts.config_static import read_tree
from scripts.config_trees import Tree, find_trees

SECONDS = 20.0
"""How long one file may take."""
START = 60.0
"""Seconds that a process may take before it begins its first file: its imports are no file's."""
KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
"""Environment variables that config files may see; those that begin with LC_ are kept too."""
LINES = {"classes": "class files", "EXPORTS": "EXPORTS files", "endpoint": "endpoint files", "": "other files"}


def main(arguments: Sequence[str]) -> int:
    """Check, print, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.check_configs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders or files to check; what is in them is executed")
    parser.add_argument("--static", action="store_true", help="only parse: execute nothing, evaluate no values")
    parser.add_argument("--json", action="store_true", help="print everything that was found as JSON")
    parser.add_argument("--strict", action="store_true", help="fail on undefined systems too")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="trees at a time")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one file may take (default: %(default)g)")
    options = parser.parse_args(arguments)
    try:
        found = find_trees(options.folders)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        reports = list(
            pool.map(lambda tree: read_tree(tree) if options.static else check_tree(tree, options.seconds), found.trees)
        )
    content = summed(reports, found.outside)
    if options.json:
        console.say(json.dumps(content, indent=4))
    else:
        show(content)
    total = content["summary"]
    return int(bool(total["failures"] or total["refused"] or (options.strict and total["undefined_systems"])))


def check_tree(tree: Tree, seconds: float = SECONDS, values: bool = False) -> dict[str, Any]:
    """Load one tree in processes of their own; a file that does not end, or ends its process, fails itself and the rest goes on.

    Args:
        seconds: how long one file may take.
        values: whether the report has every config with its values, as 'configs'.
    """
    skipped: dict[str, str] = {}
    while True:
        lines, culprit, why = _load(tree, skipped, seconds, values)
        if culprit is None:
            break
        skipped[culprit] = why
    return _tree_report(tree, lines, why, values)


def _tree_report(tree: Tree, lines: list[dict[str, Any]], why: str, values: bool) -> dict[str, Any]:
    """The report of a tree from the lines of the process that read it, and why that ended."""
    reports = [line["file"] for line in lines if "file" in line]
    end = next((line["tree"] for line in lines if "tree" in line), None)
    seen = {report["file"] for report in reports}
    reports += [_failed(str(file.path), file.layout, f"not loaded: {why}") for file in tree.files if str(file.path) not in seen]
    lost = [] if end else [f"{tree.root}: the tree was not checked to its end: {why}"]
    found = {"configs": [line["config"] for line in lines if "config" in line]} if values else {}
    return {
        "tree": str(tree.root),
        "files": reports,
        "refused": [],
        "undefined": {},
        "systems_list": lost,
        **(end or {}),
        **found,
    }


def _failed(path: str, layout: str, why: str) -> dict[str, Any]:
    return {"file": path, "layout": layout, "classes": 0, "failures": [{"line": 0, "reason": why, "hint": ""}], "notes": []}


def _load(tree: Tree, skipped: dict[str, str], seconds: float, values: bool) -> tuple[list[dict[str, Any]], str | None, str]:
    """(the lines of the report, the file that the process did not survive or None, why it ended)."""
    with tempfile.TemporaryDirectory() as folder:
        given, out, errors = Path(folder) / "tree.json", Path(folder) / "report", Path(folder) / "stderr"
        given.write_text(json.dumps({**tree.as_json(), "skipped": skipped, "values": values}), encoding="utf-8")
        out.touch()
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.config_load", str(given), str(out)],
                cwd=Path(__file__).resolve().parents[1],
                env=clean_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                stuck = _watch(process, out, seconds)
            finally:
                _end(process)
        lines = _lines(out)
        words = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if lines and "tree" in lines[-1]:
        return lines, None, ""
    why = f"not loaded within {seconds:g} s" if stuck else (words or [f"its process ended with status {process.returncode}"])[-1]
    started = lines[-1].get("start") if lines else None
    return lines, started if started not in skipped else None, why


def clean_environment(home: str) -> dict[str, str]:
    """The environment that config files are executed in: no credentials, no settings, an empty home folder."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("LC_")}
    return {**kept, "HOME": home, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


def _watch(process: subprocess.Popen[bytes], out: Path, seconds: float) -> bool:
    """Wait for a process that writes a line before and after each file; whether it stayed too long in one."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.02)
        now = out.stat().st_size
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > (seconds if size else max(seconds, START)):
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def _lines(out: Path) -> list[dict[str, Any]]:
    """The complete lines of a report."""
    found = []
    for line in out.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def summed(reports: list[dict[str, Any]], outside: int = 0) -> dict[str, Any]:
    """All trees with the totals."""
    files = [file for report in reports for file in report["files"]]
    configs = [file for file in files if file["layout"]]
    undefined: Counter[str] = Counter()
    for report in reports:
        undefined.update({name: len(uses["classes"]) for name, uses in report["undefined"].items()})
    return {
        "trees": reports,
        "summary": {
            "trees": len(reports),
            "files_seen": len(files) + outside,
            "files": len(configs),
            "layouts": dict(Counter(file["layout"] for file in configs)),
            "not_configs": len(files) - len(configs),
            "outside_of_trees": outside,
            "classes": sum(file["classes"] for file in files),
            "failed_files": sum(bool(file["failures"]) for file in files),
            "failures": sum(len(file["failures"]) for file in files) + sum(len(report["systems_list"]) for report in reports),
            "refused": sum(len(report["refused"]) for report in reports),
            "undefined_systems": len(undefined),
            "classes_of_undefined_systems": sum(undefined.values()),
        },
    }


def show(content: dict[str, Any]) -> None:
    """The tables that people read: a row for each file."""
    for report in content["trees"]:
        rows = [
            (_inside(file["file"], report["tree"]), file["layout"] or "-", str(file["classes"]), _outcome(file))
            for file in report["files"]
        ]
        console.table(report["tree"], ("File", "Layout", "Configs", ""), rows)
        for file in report["files"]:
            for failure in file["failures"]:
                hint = f" ({failure['hint']})" if failure["hint"] else ""
                console.say(f"  failed   {file['file']}:{failure['line']}: {failure['reason']}{hint}")
            for note in file["notes"] if file["layout"] else ():
                console.say(f"  note     {file['file']}: {note}")
        for line in report["systems_list"]:
            console.say(f"  failed   {line}")
        for fault in report["refused"]:
            console.say(f"  refused  {fault['where']}: {fault['what']}; {fault['why']} ({fault['classes']} configs)")
        for uses in report["undefined"].values():
            console.say(f"  warning  {uses['where']}: {uses['why']} ({len(uses['classes'])} classes)")
    total = content["summary"]
    layouts = ", ".join(f"{count} {LINES[layout]}" for layout, count in sorted(total["layouts"].items()))
    console.say(
        f"{total['files']} config files in {total['trees']} trees ({layouts}): {total['classes']} configs loaded; "
        f"{total['failed_files']} files failed in whole or part, in {total['failures']} places; {total['refused']} kinds of fault in "
        f"configs that loaded; {total['undefined_systems']} undefined systems, used by {total['classes_of_undefined_systems']} classes"
    )
    console.say(
        f"{total['files_seen']} files seen: {total['files']} config files, {total['not_configs']} other files of the trees, "
        f"{total['outside_of_trees']} files outside of trees of configs, which were not read"
    )


def _outcome(file: dict[str, Any]) -> str:
    if file["failures"]:
        return "failed"
    return "loaded" if file["layout"] else f"not read: {file['notes'][0]}"


def _inside(path: str, root: str) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
