"""add_system: register this machine, or a captured one, as a known system with starter configs and a description."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.constants import Benchmark, Scenario
from code.common.errors import UsageError, unknown
from code.machine.detect import DetectedSystem, detect
from code.plan.request import parse_benchmark
from code.systems.adding import Change, add, check_name, plan_addition, proposed_name
from code.systems.stubs import benchmarks as known_benchmarks

AUTO = "auto"
"""The name that asks for one made of the hardware's."""


def run(context: Context) -> int:
    """Add the system named by NAME, prompting on a terminal unless YES=1; list the fields still to be filled in."""
    request = context.request
    interactive = sys.stdin.isatty() and not request["yes"]
    detected = detect(request["capture"] or None)
    name = _name(request["name"], detected, interactive)
    benchmarks = wanted_benchmarks(request["benchmarks"] or [])
    scenarios = wanted_scenarios(request["scenarios"] or [])
    if interactive and not benchmarks:
        benchmarks = _asked_benchmarks()
    change = plan_addition(name, detected, benchmarks, scenarios)
    if not request["json"]:
        _show(name, detected, change)
    if not interactive and not request["yes"]:
        raise UsageError("nothing was written", "cannot prompt: not a terminal", "add YES=1 to write without asking")
    if interactive and _ask("Write these? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        console.say("nothing was written")
        return 0
    add(name, detected, change)
    _show_result(name, change, as_json=bool(request["json"]))
    return 0


def _name(given: str | None, detected: DetectedSystem, interactive: bool) -> str:
    """The name given, asked for, or made of the hardware's. UsageError for one that cannot be used."""
    name = given or (_ask("Name of this system, as configs write it (KnownSystem.<name>): ") if interactive else "")
    if name == AUTO:
        name = proposed_name(detected)
    check_name(name)
    return name


def _show_result(name: str, change: Change, as_json: bool) -> None:
    report = result(name, change)
    if as_json:
        console.emit(report)
        return
    if change.todo:
        rows = [tuple(line.split(": ", 1)) for line in change.todo]
        console.table(f"To fill in before a submission: {report['description']}", ("Field", "Value to enter"), rows)
    console.say(f'{name} is now a known system; try: make run RUN_ARGS="--benchmarks=bert --system={name} --dry_run"')
    console.say(f'what it would reach: make simulate RUN_ARGS="--benchmarks=bert --scenarios=offline,server --system={name}"')
    console.say(f"to undo: make remove_system NAME={name}")


def result(name: str, change: Change) -> dict[str, Any]:
    """The --json report: files written, fields left to fill in, remarks."""
    description = "" if change.description is None else str(change.description)
    return {
        "name": name,
        "written": [str(path) for path in change.texts],
        "description": description,
        "todo": change.todo,
        "remarks": change.remarks,
    }


def wanted_benchmarks(words: Sequence[str]) -> list[Benchmark]:
    """Parse benchmark names; "all" selects every benchmark. UsageError for an unknown name."""
    if "all" in [word.lower() for word in words]:
        return list(known_benchmarks())
    return [parse_benchmark(word) for word in words]


def wanted_scenarios(words: Sequence[str]) -> list[Scenario]:
    """Parse scenario names; [] for "all". UsageError for an unknown name."""
    found = []
    for word in words:
        if word.lower() == "all":
            return []
        scenario = Scenario.get_match(word)
        if scenario is None:
            raise unknown("scenario", word, Scenario.spellings(), "--scenarios")
        found.append(scenario)
    return found


def _asked_benchmarks() -> list[Benchmark]:
    names = ", ".join(benchmark.valstr for benchmark in known_benchmarks())
    return wanted_benchmarks(_ask(f"Benchmarks to make configs for [{names}]: ").replace(",", " ").split())


def _ask(question: str) -> str:
    try:
        return input(question)
    except EOFError as error:
        step = "add YES=1 to write without asking"
        raise UsageError("nothing was written", "standard input was closed before an answer", step) from error


def _show(name: str, detected: DetectedSystem, change: Change) -> None:
    layout = detected.config.accelerator_conf.layout
    accelerators = ", ".join(f"{count} x {kind.name}" for kind, count in layout.items()) or "none"
    processors = detected.processors
    console.table(
        f"{name}, from {detected.source}",
        ("What", "Detected"),
        [
            ("accelerators", accelerators),
            ("processors", f"{processors.sockets} x {processors.model}, {processors.cores_per_socket} cores each"),
            ("memory", f"{detected.memory_total_bytes / 2**30:.1f} GiB"),
        ],
    )
    for note in (*detected.notes, *change.remarks):
        console.warn(note)
    for line in change.lines():
        console.say(f"  {line}")


ACTION = OncePerRequest(run)
