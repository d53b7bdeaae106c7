"""How long the runs of a campaign take: by runs that were made, by the file, by predicted rates, or by LoadGen's least duration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from statistics import median

from code.benchmarks.benchmark import definition_of
from code.campaign.plan import RUN, Plan, PlannedRun
from code.campaign.state import Share
from code.rules.benchmarks import facts_of
from code.rules.metrics import TEN_MINUTES_MS
from code.submission import needs
from code.submission.stage import runs
from code.submission.stage.runs import Run
from code.systems.system_list import KnownSystem

LONGEST_S = 7 * 86_400.0
SHORT_SETUP_S = 10.0
"""Before and after a test that was shortened, which has an engine by then and, as a rule, a small model."""
Kind = tuple[str, str, str, float]


@dataclass(frozen=True)
class Estimate:
    """How long a run takes, in s, and what says so."""

    seconds: float
    source: str


@dataclass(frozen=True)
class History:
    """The runs that were made here.

    Args:
        root: the folder of logs.
        shares: of the campaign.
    """

    root: Path
    shares: Sequence[Share]

    def estimates(self, plan: Plan) -> dict[str, Estimate]:
        """Of each run of a plan, by name."""
        own: dict[tuple[str, ...], list[float]] = {}
        for one in plan.runs:
            results = (share.run(one.name).result for share in self.shares)
            own.setdefault(_work(one), []).extend(result["seconds"] for result in results if result is not None)
        known: dict[tuple[str, ...], Estimate] = {}
        for one in plan.runs:
            work = _work(one)
            if work not in known:
                known[work] = Estimate(median(own[work]), "this campaign") if own[work] else self._of(one)
        return {one.name: known[_work(one)] for one in plan.runs}

    def _of(self, one: PlannedRun) -> Estimate:
        request = one.request
        (benchmark,) = request.benchmarks()
        (scenario,) = request.scenarios(benchmark)
        least_ms = float(request["min_duration"] or TEN_MINUTES_MS)
        modes = [str(request["test_mode"])] if one.results == 1 else [runs.PERFORMANCE, runs.ACCURACY]
        name = definition_of(benchmark).name
        made = [self._kinds.get((name, str(scenario), mode, least_ms), []) for mode in modes]
        if one.target == RUN and all(made):
            return Estimate(sum(median(seconds) for seconds in made), "earlier runs")
        if one.minutes:
            return Estimate(60 * one.minutes, "the file")
        predicted = _predicted(one, name, str(scenario), modes) if least_ms == TEN_MINUTES_MS else None
        setup_s = SHORT_SETUP_S if least_ms < TEN_MINUTES_MS else needs.SETUP_S
        return predicted or Estimate(len(modes) * (setup_s + least_ms / 1000), "LoadGen's least duration")

    @cached_property
    def _kinds(self) -> Mapping[Kind, list[float]]:
        found: dict[Kind, list[float]] = {}
        for run in runs.find_runs(self.root):
            seconds = _took(run)
            if seconds is not None and run.complete:
                name = str(run.metadata.get("benchmark_short") or "")
                least = float(run.metadata.get("effective_min_duration_ms") or 0.0)
                found.setdefault((name, run.scenario, run.mode, least), []).append(seconds)
        return found


def total_s(estimates: Iterable[Estimate]) -> float:
    """The sum, in s."""
    return sum(one.seconds for one in estimates)


def _work(one: PlannedRun) -> tuple[str, ...]:
    return (one.target, *one.words)


def _took(run: Run) -> float | None:
    """From LoadGen's start to the metadata, and the time before it that is usual; None where that cannot be."""
    try:
        begun = datetime.strptime(run.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
        seconds = (run.folder / runs.METADATA).stat().st_mtime - begun
    except (OSError, ValueError):
        return None
    return seconds if 0 <= seconds <= LONGEST_S else None


def _predicted(one: PlannedRun, name: str, scenario: str, modes: Sequence[str]) -> Estimate | None:
    """By the rates that public results predict for a known system; None where nothing is predicted."""
    system, facts = KnownSystem.get(one.system) if one.system else None, facts_of(name)
    if system is None:
        return None
    targets = facts.targets.get("k_99") or next(iter(facts.targets.values()))
    found = [needs.duration(facts, scenario, mode, needs.rates_of(facts, targets.full_name, scenario, system)) for mode in modes]
    known = [seconds[0] for seconds in found if seconds is not None]
    return Estimate(sum(known), "predicted rates") if len(known) == len(modes) else None
