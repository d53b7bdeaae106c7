"""`python -m tests.compat.sweep_public FOLDER…`: plan every config of Triton, HeteroMIG and MIG systems in public trees, as --dry_run does.

EXECUTES every config file below the folders, such as a checkout of mlcommons/inference_results_v4.1. Each tree is swept by a process of
its own, which prints a line for each kind of failure with an example. Exit status 1 where there is one.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from code.common.errors import HarnessError, RunError
from scripts.config_trees import Tree, find_trees

ROOT = Path(__file__).parents[2]
NUMBERS = re.compile(r"[\d.]+|'[^']*'|/\S+")
PLACEHOLDER = "is a placeholder that was not filled in"
Found = tuple[str, str, str, str]
"""System, benchmark, scenario, config version."""


def main(arguments: list[str]) -> int:
    """Sweep, print and return the exit status."""
    if arguments[:1] == ["--tree"]:
        print(json.dumps(sweep(Tree.from_json(json.loads(arguments[1])))))
        return 0
    total: Counter[str] = Counter()
    failures: dict[str, list[str]] = {}
    for tree in find_trees([Path(one) for one in arguments]).trees:
        command = [sys.executable, "-m", "tests.compat.sweep_public", "--tree", json.dumps(tree.as_json())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            failures.setdefault(done.stderr.strip().splitlines()[-1], []).append(str(tree.root))
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        total.update(found["counts"])
        print(f"{tree.root}: {found['counts']}", flush=True)
        for kind, examples in found["failures"].items():
            failures.setdefault(kind, []).extend(f"{tree.root}: {one}" for one in examples)
    for kind, examples in sorted(failures.items(), key=lambda item: -len(item[1])):
        print(f"FAILED {len(examples)} x {kind}\n    e.g. {examples[0]}")
    print(f"{dict(total)}, {sum(map(len, failures.values()))} failures of {len(failures)} kinds")
    return int(bool(failures))


def sweep(tree: Tree) -> dict[str, Any]:
    """Counts by outcome, and the failures by kind, of one tree."""
    counts: Counter[str] = Counter()
    failures: dict[str, list[str]] = {}
    for one in chosen(tree, counts):
        counts["planned"] += 1
        try:
            rehearse(one, tree.root)
        except HarnessError as error:
            if PLACEHOLDER in error.why:  # a submitter left 0 where it had no result: that is the right answer
                counts["placeholders refused"] += 1
                continue
            fail(failures, one, f"{error.what}; {error.why}")
        except Exception as error:  # what no user may see is a failure of its own kind
            fail(failures, one, f"TRACEBACK {type(error).__name__}: {error}")
    return {"counts": dict(counts), "failures": failures}


def fail(failures: dict[str, list[str]], one: Found, words: str) -> None:
    """Note a failure under its kind: its words without numbers, names and paths."""
    failures.setdefault(NUMBERS.sub("…", words), []).append(f"{' '.join(one)}: {words}")


def chosen(tree: Tree, counts: Counter[str]) -> Iterator[Found]:
    """The workloads of a tree whose harness type or system it is about; the others are counted."""
    import configs
    from code.common.constants import HarnessType
    from code.plan.request import sorted_out
    from code.systems.data.migs import MIGS
    from code.systems.folders import known_system
    from code.systems.system_list import KnownSystem
    from configs.inspection import system_of
    from scripts.config_load import _load

    configs.__path__.insert(0, str(tree.root))
    for path in tree.systems:
        KnownSystem.include(path)
    seen: set[Found] = set()
    for file in tree.files:
        if not file.layout:
            continue
        loaded, _ = _load(tree, file)
        for entry in loaded.entries:
            system = known_system(entry.folder or system_of(entry))
            if system is None:
                counts["of undefined systems"] += 1
                continue
            kind = entry.setting.harness_type
            is_chosen = (
                kind in (HarnessType.Triton, HarnessType.TritonUnified, HarnessType.HeteroMIG) or system.accelerator in MIGS
            )
            benchmark = str(getattr(entry.cls, "benchmark", ""))
            if not is_chosen:
                counts["of other harness types"] += 1
            elif not sorted_out([benchmark])[0]:
                counts["of other benchmarks"] += 1
            else:
                one = (system.name, benchmark, str(entry.cls.scenario), entry.setting.config_ver())
                if one not in seen:
                    seen.add(one)
                    yield one


def rehearse(one: Found, root: Path) -> None:
    """What `make run RUN_ARGS="… --dry_run"` does, without its output.

    Raises what it would report, and RunError where another config than one of the tree was planned.
    """
    from code.actions import Context, dry_run
    from code.common.notices import Notices
    from code.plan.request import parse
    from code.plan.workload import build
    from code.run.job import Job

    system, benchmark, scenario, version = one
    words = [f"--benchmarks={benchmark}", f"--scenarios={scenario}", f"--config_ver={version}", f"--system={system}", "--dry_run"]
    request = parse(["--action=run", *words], {})
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        workloads, failed = build(request)
        for missed in failed:
            raise missed.error
        for workload in workloads:
            if not workload.config.where.startswith(str(root)):
                raise RunError("another config was planned", workload.config.where, "")
            dry_run.run(Job(workload, Notices()), Context(request))
    if not workloads:
        raise RunError("nothing was planned", "", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
