"""`python -m tests.mutation [MODULE…]`: change modules, one small change at a time, and report which changes no test notices.

A module is named by a part of its path. Each change runs the tests that execute its line, of the test files that import the module
(through one other module where none does directly). A change of a line that no such test executes is not noticed, and costs nothing.
The exit status is 1 where a module is below its floor in pyproject.toml.

`--since=COMMIT` changes only lines that differ from a commit, of any module of the project, and judges them together: the exit status is 1
where tests notice less than half of ten changes or more, all of which were tried.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutation import choice
from tests.mutation.mutants import Mutant, mutants, sample
from tests.mutation.traced import ROOT, WHOLE_FILE, Baseline, Child, baseline, changed, copied, judged, preload, start

LONGEST_S = 40.0
"""Of the tests that one change runs, those that take so long together."""
FEW = 10
"""A sample of fewer changes says too little of a module to judge it by its floor."""
SINCE_FLOOR = 50
"""Share of the changes of new lines that tests must notice, in percent: some change nothing that anybody could notice."""


@dataclass
class Tally:
    """What became of a module's changes."""

    killed: int = 0
    survived: list[Mutant] = field(default_factory=list)
    untried: int = 0

    @property
    def tried(self) -> int:
        return self.killed + len(self.survived)


def main() -> int:
    arguments = _arguments()
    only = choice.changed_lines(arguments.since) if arguments.since else None
    patterns = choice.floors() if only is None else {"code/*": 0}
    chosen = choice.modules(patterns, arguments.modules)
    if only is not None:
        chosen = [path for path in chosen if path in only]
    work = {path: found for path in chosen if (found := _sampled(path, arguments, only))}
    if arguments.most:
        work = fewer(work, arguments.most, arguments.seed)
    chosen = list(work)
    if not chosen:
        print("no module to change" + (f": no line of the code differs from {arguments.since}" if only is not None else ""))
        return 0 if only is not None else 2
    began, limit_s = time.monotonic(), arguments.minutes * 60 or float("inf")
    preload()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copies = [copied(Path(folder) / f"copy{number}" / "project") for number in range(arguments.jobs)]
        tests = choice.importers()
        files = choice.in_order({file for path in chosen for file in tests.get(path, {})})
        print(f"{sum(map(len, work.values()))} changes of {len(work)} modules, {len(files)} test files", flush=True)
        known = _baselines(copies, files, chosen, began + limit_s / 2)
        for file, one in known.items():
            for name in one.failed:
                print(f"note: {name} fails without any change and is left out ({file})")
        found = _judge(copies, work, known, tests, began + limit_s)
    status = _report(found, patterns, Path(arguments.out))
    return status if only is None else _judge_together(found, arguments.since)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutation", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("modules", nargs="*", help="parts of paths; all modules with a floor where none is given")
    parser.add_argument("--sample", type=int, default=20, help="changes of each module at most (0: all)")
    parser.add_argument("--seed", default="1", help="which changes are in the sample")
    parser.add_argument("--since", default="", help="only lines that differ from this commit")
    parser.add_argument("--most", type=int, default=0, help="changes altogether at most (0: no limit)")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long; what was not tried is counted")
    parser.add_argument("--jobs", type=int, default=max(1, len(os.sched_getaffinity(0)) // 2))
    parser.add_argument("--out", default=str(ROOT / "build" / "mutation"), help="folder of survivors.txt")
    return parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("TEST_ARGS", "")))


def _sampled(path: str, arguments: argparse.Namespace, only: dict[str, set[int]] | None) -> list[Mutant]:
    source = (ROOT / path).read_bytes()
    found = [one for one in mutants(source) if _compiles(one.applied(source))]
    if only is not None:
        found = [one for one in found if only[path] & set(range(one.line, one.last_line + 1))]
    return sample(found, arguments.sample or len(found), f"{arguments.seed} {path}")


def fewer(work: dict[str, list[Mutant]], most: int, seed: str) -> dict[str, list[Mutant]]:
    """At most so many changes of all modules together, the same ones for the same seed."""
    every = [(path, one) for path, found in work.items() for one in found]
    places = sorted(random.Random(seed).sample(range(len(every)), min(most, len(every))))
    kept: dict[str, list[Mutant]] = {}
    for path, one in (every[place] for place in places):
        kept.setdefault(path, []).append(one)
    return kept


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "changed", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _baselines(copies: list[Path], files: list[str], scope: list[str], end: float) -> dict[str, Baseline]:
    """What each test file does in the unchanged project."""
    found: dict[str, Baseline] = {}
    late: list[str] = []

    def done(file: str, answer: dict[str, Any]) -> None:
        if answer["status"] == 0:
            found[file] = Baseline(answer["seconds"], answer["lines"], answer["failed"])
        elif time.monotonic() > end:
            late.append(file)
        else:
            print(f"note: {file} is left out: {answer['status']}", flush=True)

    def task(copy: Path, file: str) -> dict[str, Any]:
        return {"status": "the time is up"} if time.monotonic() > end else baseline(copy, file, scope)

    longest_s = min(600.0, max(1.0, end - time.monotonic()))
    waiting = [(file, longest_s, lambda copy, file=file: task(copy, file)) for file in files]
    _pool(copies, waiting, done)
    if late:
        print(f"note: {len(late)} of {len(files)} test files are left out: the time is up", flush=True)
    return found


def _pool(copies: list[Path], waiting: list[Any], done: Any) -> None:
    """Run tasks, one in each copy at a time. A task is (name, seconds at most, function of the copy)."""
    running: dict[Path, tuple[Any, Child]] = {}
    waiting = waiting[::-1]
    while waiting or running:
        for copy in copies:
            if copy not in running and waiting:
                name, limit_s, task = waiting.pop()
                answer = copy.parent / "answer.json"
                running[copy] = (name, start(copy, answer, limit_s, lambda task=task, copy=copy: task(copy)))
        for copy, (name, child) in list(running.items()):
            answer = child.ended()
            if answer is not None:
                del running[copy]
                done(name, answer)
        time.sleep(0.02)


def _judge(
    copies: list[Path],
    work: dict[str, list[Mutant]],
    known: dict[str, Baseline],
    tests: dict[str, dict[str, int]],
    end: float,
) -> dict[str, Tally]:
    found = {path: Tally() for path in work}
    waiting: list[Any] = []
    # One change of each module in turn, so that a run that is stopped has seen them all.
    listed = [(turn, path, one) for path, found_ in work.items() for turn, one in enumerate(_spread(found_))]
    turns = sorted(listed, key=lambda each: each[:2])
    left_out = {path for path in work if tests.get(path) and not set(tests[path]) & set(known)}
    for _, path, one in turns:
        if path in left_out:
            found[path].untried += 1
            continue
        files, names, seconds = _covering(path, one, known, tests.get(path, {}))
        if not names and set(tests.get(path, {})) - set(known):
            found[path].untried += 1  # a test file that was left out might execute it
        elif not names:
            found[path].survived.append(one)
            print(f"not executed: {path}:{one.line}: {one.what}", flush=True)
        else:
            waiting.append(((path, one), 20 + 5 * seconds, _task(path, one, files, names, end)))
    partly = {path for path in work if set(tests.get(path, {})) - set(known)}

    def done(name: tuple[str, Mutant], answer: dict[str, Any]) -> None:
        path, one = name
        if answer["status"] == "untried" or (answer["status"] == 0 and path in partly):
            found[path].untried += 1  # of one that nothing noticed, too: a test file that was left out might
        elif answer["status"] == 0:
            found[path].survived.append(one)
            print(f"not noticed: {path}:{one.line}: {one.what}", flush=True)
        else:
            found[path].killed += 1

    _pool(copies, waiting, done)
    return found


def _spread(listed: list[Mutant]) -> list[Mutant]:
    return sorted(listed, key=lambda one: (one.start * 2654435761) % 1009)


def _task(path: str, one: Mutant, files: list[str], names: list[str], end: float) -> Any:
    def task(copy: Path) -> dict[str, Any]:
        if time.monotonic() > end:
            return {"status": "untried"}
        with changed(copy, path, one.applied):
            return judged(copy, files, names)

    return task


def _covering(path: str, one: Mutant, known: dict[str, Baseline], distance: dict[str, int]) -> tuple[list[str], list[str], float]:
    """(files, tests, their seconds) that execute a line of a change: of near files first, then short ones."""
    lines = {*range(one.line, one.last_line + 1), *range(one.statement[0], one.statement[1] + 1)}
    found: list[tuple[int, float, str, str]] = []
    for file, far in distance.items():
        if file not in known:
            continue
        executed = known[file].lines.get(path, {})
        whole = bool(lines & set(executed.get(WHOLE_FILE, ())))
        for name, seconds in known[file].seconds.items():
            inside = bool(lines & set(executed.get(name, ())))
            if whole or inside:
                found.append((far + (not inside), seconds, name, file))
    chosen, spent = [], 0.0
    for row in sorted(found):
        if spent + row[1] > LONGEST_S and chosen:
            continue
        chosen.append(row)
        spent += row[1]
    return list(dict.fromkeys(row[3] for row in chosen)), [row[2] for row in chosen], spent


def _report(found: dict[str, Tally], patterns: dict[str, int], out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    below = []
    print(f"\n{'module':58} {'tried':>6} {'killed':>7} {'survived':>9} {'share':>6} {'floor':>6}")
    for path, tally in sorted(found.items()):
        if not tally.tried:
            continue
        share, floor = 100 * tally.killed / tally.tried, choice.floor_of(path, patterns) or 0
        low = share < floor and tally.tried >= FEW
        print(f"{path:58} {tally.tried:6} {tally.killed:7} {len(tally.survived):9} {share:5.0f}% {floor:5}%{' <' if low else ''}")
        below += [path] if low else []
    killed, tried = sum(one.killed for one in found.values()), sum(one.tried for one in found.values())
    print(f"{'all':58} {tried:6} {killed:7} {tried - killed:9} {100 * killed / max(1, tried):5.0f}%")
    untried = sum(one.untried for one in found.values())
    if untried:
        print(f"{untried} changes are not judged: the time was up, or test files were left out")
    lines = [
        f"{path}:{one.line}: {one.what}\n"
        for path, tally in sorted(found.items())
        for one in sorted(tally.survived, key=lambda one: one.start)
    ]
    beside = out / "survivors.txt.new"
    beside.write_text("".join(lines), encoding="utf-8")
    shutil.move(beside, out / "survivors.txt")
    print(f"changes that no test noticed: {out / 'survivors.txt'}")
    if below:
        print(
            f"error: {len(below)} modules are below their floor\n  why:  {', '.join(below)}\n"
            "  next: write tests that fail for the changes in survivors.txt",
            file=sys.stderr,
        )
    return 1 if below else 0


def _judge_together(found: dict[str, Tally], since: str) -> int:
    """The exit status for changes of new lines."""
    killed, tried = sum(one.killed for one in found.values()), sum(one.tried for one in found.values())
    if tried < FEW or any(one.untried for one in found.values()) or 100 * killed >= SINCE_FLOOR * tried:
        return 0
    print(
        f"error: of {tried} changes to lines that differ from {since}, tests noticed {killed}\n"
        f"  why:  at least {SINCE_FLOOR} % must be noticed\n"
        "  next: write tests that fail for the changes listed above",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
