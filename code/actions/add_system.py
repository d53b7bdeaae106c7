"""add_system: register this machine, or a captured one, as a known system with starter configs and a description."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError, Interrupted, UsageError, unknown
from code.machine.detect import DetectedSystem, detect
from code.plan.request import parse_benchmark
from code.run.rehearsal import Rehearsed, rehearse
from code.systems.adding import Change, add, check_name, list_path, plan_addition, proposed_name
from code.systems.stubs import benchmarks as known_benchmarks

SERVER = [one.valstr for one in Scenario if one.loadgen == Scenario.Server.valstr]
KEPT = (
    "the rate stays though a simulation calls it INVALID: a public result of just this system is higher, or it is of a text generator, "
    "whose continuous batching is not simulated"
)
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
    change, simulated = _simulated_plan(name, detected, benchmarks, scenarios)
    if not request["json"]:
        _show(name, detected, change, simulated)
    if not interactive and not request["yes"]:
        raise UsageError("nothing was written", "cannot prompt: not a terminal", "add YES=1 to write without asking")
    if interactive and _ask("Write these? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        console.say("nothing was written")
        return 0
    add(name, detected, change)
    _show_result(name, change, simulated, as_json=bool(request["json"]))
    return 0


def _simulated_plan(
    name: str, detected: DetectedSystem, benchmarks: Sequence[Benchmark], scenarios: Sequence[Scenario]
) -> tuple[Change, list[Rehearsed]]:
    """The change, in which no Server rate is above what a simulation finds VALID, and the simulations of its rates.

    A public result of just this system stays, whatever a simulation says of it, and so does the rate of a text generator, whose
    continuous batching is not simulated. Where a simulation is impossible, a remark says why.
    """
    change = plan_addition(name, detected, benchmarks, scenarios)
    try:
        found = _rehearsed(name, change)
        highest = {(one.benchmark, one.scenario): one.highest for one in found if one.refused}
        lowered = plan_addition(name, detected, benchmarks, scenarios, highest) if highest else change
        if lowered.texts != change.texts:
            change, found = lowered, _rehearsed(name, lowered)
    except HarnessError as error:
        if isinstance(error, Interrupted):
            raise
        change.remarks.append(f"{error.what}: {error.why}; {error.next_step}")
        return change, []
    for one in found:
        if one.refused:
            change.remarks.append(f"{one.benchmark} {one.scenario}: {KEPT}")
    return change, found


def _rehearsed(name: str, change: Change) -> list[Rehearsed]:
    configs = {
        (path.parent.parent.name, path.parent.name): text
        for path, text in change.texts.items()
        if text is not None and path.parent.name in SERVER
    }
    folders = {folder for folder, _ in configs}
    wanted = [str(one.valstr) for one in known_benchmarks() if one.folder in folders]
    if not wanted:
        return []
    listing = list_path()
    entry = change.texts.get(listing) or (listing.read_text(encoding="utf-8-sig") if listing.is_file() else None)
    return rehearse(name, entry, configs, wanted)


def _name(given: str | None, detected: DetectedSystem, interactive: bool) -> str:
    """The name given, asked for, or made of the hardware's. UsageError for one that cannot be used."""
    name = given or (_ask("Name of this system, as configs write it (KnownSystem.<name>): ") if interactive else "")
    if name == AUTO:
        name = proposed_name(detected)
    check_name(name)
    return name


def _show_result(name: str, change: Change, simulated: Sequence[Rehearsed], as_json: bool) -> None:
    report = result(name, change, simulated)
    if as_json:
        console.emit(report)
        return
    if change.todo:
        rows = [tuple(line.split(": ", 1)) for line in change.todo]
        console.table(f"To fill in before a submission: {report['description']}", ("Field", "Value to enter"), rows)
    console.say(f'{name} is now a known system; try: make run RUN_ARGS="--benchmarks=bert --system={name} --dry_run"')
    console.say(f'what it would reach: make simulate RUN_ARGS="--benchmarks=bert --scenarios=offline,server --system={name}"')
    console.say(f"to undo: make remove_system NAME={name}")


def result(name: str, change: Change, simulated: Sequence[Rehearsed] = ()) -> dict[str, Any]:
    """The --json report: files written, fields left to fill in, remarks, what the Server rates reach in simulations."""
    description = "" if change.description is None else str(change.description)
    return {
        "name": name,
        "written": [str(path) for path in change.texts],
        "description": description,
        "todo": change.todo,
        "remarks": change.remarks,
        "simulated": [vars(one) for one in simulated],
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


def _show(name: str, detected: DetectedSystem, change: Change, simulated: Sequence[Rehearsed]) -> None:
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
    for one in simulated:
        console.say(f"  simulated: {one.words()}")


ACTION = OncePerRequest(run)
