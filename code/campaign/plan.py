"""campaign.toml: what to run, on which systems or nodes, how often.

name = "overnight"                # default: the file's name
args = "--fast"                   # RUN_ARGS of every run
repeats = 3                       # of every run; default 1
attempts = 2                      # of a run that fails; default 2
systems = ["ND_H100_v5"]          # --system of every run; default: the machine's own
nodes = ["n01", "n02"]            # every node makes all runs by itself; or a number of nodes, whatever their names

[[workload]]
benchmarks = ["bert"]
scenarios = ["Offline", "Server"]
args = "--gpu_batch_size=64"      # beside those of the file
repeats, systems                  # in place of those of the file
config_ver, test_mode             # lists; each is a run of its own
target = "run"                    # or run_audit_harness
minutes = 11                      # a run takes; used until there is a run to learn from

[accept]                          # documentation/campaigns.md, "Acceptance"
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from code.campaign.acceptance import Acceptance
from code.common import tomlfile
from code.common.errors import HarnessError, UsageError
from code.common.tomlfile import Table
from code.plan.request import Request, parse
from code.rules.benchmarks import BENCHMARKS

RUN = "run"
TARGETS = (RUN, "run_audit_harness")
KEYS = ("name", "args", "repeats", "attempts", "systems", "nodes", "workload", "accept")
WORKLOAD_KEYS = ("benchmarks", "scenarios", "args", "repeats", "systems", "config_ver", "test_mode", "target", "minutes")
TAKEN = {
    "log_dir": "each run of a campaign has a log folder of its own",
    "repeat": "write repeats = N in the file",
    "dry_run": "it is for the whole campaign: make campaign RUN_ARGS=--dry_run",
    "strict": "it is for the whole campaign: make campaign RUN_ARGS=--strict",
    "json": "output goes to a file of each run",
    "action": "write target = in the file",
    "benchmarks": "write benchmarks = in the file",
    "scenarios": "write scenarios = in the file",
    "system": "write systems = in the file",
}
"""Options that a campaign sets itself."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_RUNS = 100_000
MODES = {"SubmissionRun": ("PerformanceOnly", "AccuracyOnly")}


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan: one workload, once.

    Args:
        name: its folder's; the same as long as the file asks for the same run.
        label: 'bert Offline ND_H100_v5 (2)'.
        target: of make.
        words: RUN_ARGS.
        system: of --system; '' for the machine's own.
        repeat: from 1.
        minutes: it takes by the file; 0 where the file does not say.
    """

    name: str
    label: str
    target: str
    words: tuple[str, ...]
    system: str
    repeat: int
    minutes: float

    @property
    def request(self) -> Request:
        """Its parsed command line."""
        return parse([f"--action={self.target}", *self.words], {})

    @property
    def results(self) -> int:
        """How many results a `run` makes."""
        return len(MODES.get(str(self.request["test_mode"]), ("one",)))


@dataclass(frozen=True)
class Plan:
    """A campaign as its file has it.

    Args:
        nodes: names of its nodes; () where a run is made once, or any node may take part.
        node_count: of nodes; 0 where a run is made once.
    """

    name: str
    file: Path
    runs: tuple[PlannedRun, ...]
    attempts: int
    nodes: tuple[str, ...]
    node_count: int
    acceptance: Acceptance

    def of(self, systems: tuple[str, ...]) -> Plan:
        """The part for some systems; UsageError for one that the file does not have."""
        known = {run.system.lower(): run.system for run in self.runs}
        for word in systems:
            if word.lower() not in known:
                has = ", ".join(sorted(filter(None, known.values()))) or "no systems"
                raise UsageError(
                    f"the campaign {self.name} has no system {word!r}", f"it has {has}", "name one of these: SYSTEMS=…"
                )
        wanted = {word.lower() for word in systems}
        kept = tuple(run for run in self.runs if not wanted or run.system.lower() in wanted)
        return Plan(self.name, self.file, kept, self.attempts, self.nodes, self.node_count, self.acceptance)


def read(path: Path) -> Plan:
    """The plan of a file. Errors name its line."""
    top = tomlfile.read(path)
    top.only(KEYS)
    name = top.text("name") or path.stem
    if not NAME.fullmatch(name):
        raise top.wrong("name", "letters, digits, '.', '_' and '-': it names a folder")
    tables = top.tables("workload")
    if not tables:
        raise UsageError(
            "no workload",
            "a campaign has one or more tables [[workload]]",
            "add one with benchmarks = and scenarios =",
            str(path),
        )
    nodes, count = _nodes(top)
    by_table = [list(_of_workload(top, table)) for table in tables]
    runs = [run for repeat in range(1, 1001) for table in by_table for run in table if run.repeat == repeat]
    if len(runs) > MOST_RUNS:
        raise UsageError(f"{path} asks for {len(runs):,} runs", f"at most {MOST_RUNS:,} are planned", "make several campaigns")
    _require_different(by_table, tables)
    acceptance = Acceptance.read(top.table("accept"))
    return Plan(name, path, tuple(runs), top.whole("attempts", 2, 1, 100), nodes, count, acceptance)


def _nodes(top: Table) -> tuple[tuple[str, ...], int]:
    if isinstance(top.content.get("nodes", []), int):
        return (), top.whole("nodes", 0, 1, 100_000)
    names = top.words("nodes")
    for name in names:
        if not NAME.fullmatch(name):
            raise top.wrong("nodes", "a number of nodes, or their names")
    if len(set(names)) != len(names):
        raise top.wrong("nodes", "a list in which each node stands once")
    return names, len(names)


def _of_workload(top: Table, table: Table) -> Iterator[PlannedRun]:
    """The runs of one table: of each benchmark, scenario, config version, test mode and system, each as often as is asked."""
    table.only(WORKLOAD_KEYS)
    for key in ("benchmarks", "scenarios"):
        if not table.words(key):
            raise UsageError(f"a workload without {key}", "there is no default", f'write {key} = ["…"]', table.where())
    target = table.choice("target", RUN, TARGETS)
    systems = table.words("systems") or top.words("systems") or ("",)
    repeats = table.whole("repeats", top.whole("repeats", 1, 1, 1000), 1, 1000)
    minutes = table.real("minutes", 0.0, 0.0, 1e5)
    extra = [*_words(top), *_words(table)]
    varied = [_each("config_ver", table.words("config_ver")), _each("test_mode", table.words("test_mode"))]
    benchmarks = sorted(BENCHMARKS) if table.words("benchmarks") == ("all",) else table.words("benchmarks")
    for chosen in product(benchmarks, table.words("scenarios"), systems, *varied):
        benchmark, scenario, system, *options = chosen
        words = [f"--benchmarks={benchmark}", f"--scenarios={scenario}", *(f"--system={system}" for _ in system[:1])]
        words += [*filter(None, options), *extra]
        _require_one(table, target, words)
        label = " ".join(filter(None, (benchmark, scenario, system, *(word.partition("=")[2] for word in options))))
        if target != RUN:
            label = " ".join([label, "audit", *(parse(words, {})["audit_test"] or ())])
        for repeat in range(1, repeats + 1):
            shown = f"{label} ({repeat})" if repeats > 1 else label
            yield PlannedRun(_name(label, target, words, repeat), shown, target, tuple(words), system, repeat, minutes)


def _words(table: Table) -> list[str]:
    """The words of `args`; UsageError for an option that a campaign sets itself."""
    try:
        words = shlex.split(table.text("args"))
    except ValueError as error:
        raise UsageError("args cannot be read", str(error), "close the quote", table.where("args")) from error
    try:
        given = parse(words, {}).given
    except HarnessError as error:
        raise _at(error, table.where("args")) from error
    for name in given:
        if name in TAKEN:
            raise UsageError(f"--{name} is not for args", TAKEN[name], "leave it out", table.where("args"))
    return words


def _each(option: str, words: tuple[str, ...]) -> list[str]:
    return [f"--{option}={word}" for word in words] or [""]


def _require_one(table: Table, target: str, words: list[str]) -> None:
    """UsageError, with the table's line, for what is not one workload."""
    try:
        request = parse([f"--action={target}", *words], {})
        (benchmark,) = request.benchmarks()
        request.undefined()
        (_scenario,) = request.scenarios(benchmark)
        request.settings()
    except HarnessError as error:
        key = next((key for key in WORKLOAD_KEYS if key in str(error) and key in table.content), "")
        raise _at(error, table.where(key or ("scenarios" if "scenario" in error.what else "benchmarks"))) from error
    except ValueError:
        raise UsageError(
            "a workload of several", f"{' '.join(words[:2])} names more than one", "list each", table.where()
        ) from None


def _at(error: HarnessError, where: str) -> UsageError:
    return UsageError(error.what, error.why, error.next_step, where)


def _name(label: str, target: str, words: list[str], repeat: int) -> str:
    """A folder's name that follows from what is run, so that a changed file keeps the runs it still has."""
    digest = hashlib.sha256(json.dumps([target, words, repeat]).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', label)[:60].strip('-')}-{repeat}-{digest}"


def _require_different(by_table: list[list[PlannedRun]], tables: list[Table]) -> None:
    seen: dict[str, Table] = {}
    for runs, table in zip(by_table, tables, strict=True):
        for run in runs:
            if run.name in seen:
                raise UsageError(
                    f"{run.label} is asked for twice",
                    f"{seen[run.name].where()} has it too",
                    "write repeats = N for more runs of one workload",
                    table.where(),
                )
            seen[run.name] = table
