"""plan_submission: what a round needs for systems, what exists and is good, what is missing, and the hours it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.campaign import written
from code.common import console, paths
from code.common.errors import MissingError, UsageError, unknown
from code.plan.request import Request
from code.rules.rounds import ROUNDS, Round
from code.submission.needs import Logs, Need, needs
from code.submission.stage import identity, runs
from code.systems.system_list import KnownSystem, System

TARGETS = {"default": ("k_99",), "high_accuracy": ("k_99_9",), "all": ("k_99", "k_99_9")}
"""--config_ver → accuracy targets."""


def run(context: Context) -> int:
    """Print a table for each system, what is left with its commands in order, and the hours; JSON with --json.

    Raises:
        UsageError: no system, an unknown one, or a config version that is no accuracy target.
        MissingError: the round asks nothing of such systems.
    """
    request = context.request
    who = identity.read(request, needed=("category",))
    round_ = who.round or list(ROUNDS.values())[-1]
    wanted = _wanted(request, round_, who.category)
    price = float(request["price_per_hour"] or 0.0)
    missing = [one for one in wanted if one.have is None]
    name = f"{round_.name}-{who.category.replace(',', '-')}"
    file = written.write(missing, name, request["to"]) if missing else None
    if request["json"]:
        tests = [_json(one) for one in wanted]
        where = str(file) if file else None
        console.emit({"round": round_.name, "category": who.category, "tests": tests, "campaign": where, **_hours(wanted, price)})
        return 0
    _print(round_, who.category, wanted, price)
    if file is not None:
        console.say(f"All of it, resumed where it stops: make campaign FILE={paths.shown(file)} SYSTEMS=…")
    return 0


def _wanted(request: Request, round_: Round, category: str) -> list[Need]:
    names = [definition_of(b).name for b in request.benchmarks()] if request["benchmarks"] else []
    logs = Logs.read(runs.log_folder(request["log_dir"]))
    wanted = [
        need
        for system in _systems(request["systems"] or [])
        for accuracy in _targets(request["config_ver"])
        for need in needs(round_, category, system, accuracy, logs, names)
    ]
    if not wanted:
        raise MissingError(
            f"{round_.name} asks nothing of these benchmarks in {category}",
            "each round has its own benchmarks and scenarios for a category",
            "name another --round or --category, or leave --benchmarks out",
        )
    return wanted


def _systems(words: Sequence[str]) -> list[System]:
    if not words:
        raise UsageError(
            "no system was named", "a plan is made for named systems", "add --systems=ND_H100_v5,L4x1 (make list_systems)"
        )
    found = []
    for word in words:
        system = KnownSystem.get(word)
        if system is None:
            raise unknown("system", word, KnownSystem.names(), "--systems", listing=False)
        found.append(system)
    return found


def _targets(versions: Sequence[str]) -> tuple[str, ...]:
    chosen: list[str] = []
    for version in versions:
        if version not in TARGETS:
            raise unknown("accuracy target", version, TARGETS, "--config_ver")
        chosen += TARGETS[version]
    return tuple(dict.fromkeys(chosen))


def _hours(wanted: Sequence[Need], price: float) -> dict[str, Any]:
    """Hours that the missing tests take, by system one after another, and their price."""
    known = [one.seconds for one in wanted if one.have is None and one.seconds is not None]
    expected = sum(s[0] for s in known) / 3600
    # Tests of one system share its rate, so their deviations add up; those of different systems are independent.
    systems = dict.fromkeys(one.system for one in wanted)
    below, above = ([0.0] * len(systems) for _ in range(2))
    for number, system in enumerate(systems):
        for one in wanted:
            if one.system == system and one.have is None and one.seconds is not None:
                below[number] += (one.seconds[0] - one.seconds[1]) / 3600
                above[number] += (one.seconds[2] - one.seconds[0]) / 3600
    hours = {"hours": expected, "at_least": expected - math.hypot(*below), "at_most": expected + math.hypot(*above)}
    return {**hours, **({f"price_{name}": price * value for name, value in hours.items()} if price else {})}


def _print(round_: Round, category: str, wanted: Sequence[Need], price: float) -> None:
    for system in dict.fromkeys(one.system for one in wanted):
        console.table(
            f"{system} in {round_.name}, closed, {category}",
            ("Benchmark", "Scenario", "Test", "Takes", "State"),
            [(o.benchmark, o.scenario, o.test, _takes(o), _state(o)) for o in wanted if o.system == system],
        )
    missing = [one for one in wanted if one.have is None]
    console.say(
        f"{len(wanted) - len(missing)} of {len(wanted)} tests have a good run; power is measured in the performance runs."
    )
    if not missing:
        console.say("Next: make stage_results")
        return
    found = _hours(wanted, price)
    unknown_ = sum(one.seconds is None for one in missing)
    cost = f", {found['price_hours']:,.2f} ({found['price_at_least']:,.2f} to {found['price_at_most']:,.2f})" if price else ""
    also = f"; how long {unknown_} more take is not known" if unknown_ else ""
    if unknown_ == len(missing):
        console.say("The time for the missing tests cannot be estimated: there is no public result of such a system.")
    else:
        console.say(
            f"The missing tests take {found['hours']:.1f} h ({found['at_least']:.1f} to {found['at_most']:.1f}){cost}{also}, "
            "without building engines and downloads."
        )
    console.say("In this order:")
    for one in missing:
        console.say(f"  {one.command}")


def _takes(one: Need) -> str:
    if one.seconds is None:
        return "not known"
    expected, least, most = (console.duration(seconds) for seconds in one.seconds)
    return expected if least == most else f"{expected} ({least} to {most})"


def _state(one: Need) -> str:
    return f"good: {paths.shown(one.have)}" if one.have else "missing"


def _json(one: Need) -> dict[str, Any]:
    return {
        "system": one.system,
        "benchmark_full": one.benchmark,
        "scenario": one.scenario,
        "test": one.test,
        "seconds": list(one.seconds) if one.seconds else None,
        "have": str(one.have) if one.have else None,
        "command": one.command,
    }


ACTION = OncePerRequest(run)
