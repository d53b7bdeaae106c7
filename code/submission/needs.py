"""What a round asks of systems, what of it exists already, and how long the rest takes.

A test's duration follows from LoadGen's rules and from rates that public results predict; building engines and downloads are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from code.rules.benchmark_facts import BenchmarkFacts
from code.rules.benchmarks import every_facts, required_audits, required_scenarios
from code.rules.metrics import OFFLINE_SAMPLES_CAP, SAMPLES_PER_QUERY, TEN_MINUTES_MS, queries_for_estimate
from code.rules.rounds import Round
from code.submission.audit import compliance
from code.submission.stage import runs
from code.submission.stage.runs import ACCURACY, PERFORMANCE, Run
from code.systems import prediction
from code.systems.estimate import estimate, known_name
from code.systems.system_list import System

LEAST_S = TEN_MINUTES_MS / 1000
SLACK = 1.1
"""LoadGen's factor on the samples of an Offline query."""
SETUP_S = 60.0
"""Assumed for loading an engine, warming up and writing logs, each test."""


@dataclass(frozen=True)
class Need:
    """One test that a submission has.

    Args:
        system: the system's name in configs.
        benchmark: 'bert-99'.
        scenario: of LoadGen's.
        test: 'PerformanceOnly', 'AccuracyOnly' or an audit test.
        seconds: how long it takes: expected, and the bounds that hold 90 %; None where nothing tells.
        have: the folder of the newest good run of it; None for none.
        command: what makes it.
    """

    system: str
    benchmark: str
    scenario: str
    test: str
    seconds: tuple[float, float, float] | None
    have: Path | None
    command: str


@dataclass(frozen=True)
class Rates:
    """Samples/s of a system: expected, and the bounds that hold 90 %; and the rate that a config would expect."""

    expected: float
    low: float
    high: float
    configured: float


@dataclass(frozen=True)
class Logs:
    """The runs and the passed audits below a log folder.

    Args:
        runs: newest first.
        audits: (test, folder of the performance run it repeated) → its folder.
    """

    runs: Sequence[Run]
    audits: Mapping[tuple[str, Path], Path]

    @classmethod
    def read(cls, root: Path) -> Logs:
        """What is below `root`."""
        audits: dict[tuple[str, Path], Path] = {}
        for record in sorted(root.rglob(runs.AUDIT_FILE)):
            content = compliance.read_record(record.parent)
            if content.get("passed") is True:
                audits[str(content.get("test")), Path(str(content.get("performance_run")))] = record.parent
        return cls(runs.newest_first(runs.find_runs(root)), audits)


def needs(round_: Round, category: str, system: System, accuracy: str, logs: Logs, names: Sequence[str]) -> list[Need]:
    """Every test of a closed submission for one system, in the order to make them in.

    Args:
        category: 'datacenter', 'edge' or both with a comma.
        accuracy: which accuracy target of each benchmark: 'k_99' or 'k_99_9'.
        logs: what there is.
        names: short names of the benchmarks; () for all that the round has.
    """
    out: list[Need] = []
    for facts in every_facts():
        if accuracy not in facts.targets or (names and facts.name not in names):
            continue
        full = facts.targets[accuracy].full_name
        for scenario in required_scenarios(round_, full, category):
            out.extend(_of_workload(round_, facts, full, scenario, system, logs))
    return out


def _of_workload(round_: Round, facts: BenchmarkFacts, full: str, scenario: str, system: System, logs: Logs) -> Iterator[Need]:
    high = facts.targets.get("k_99_9")
    target = " --config_ver=high_accuracy" if high is not None and full == high.full_name else ""
    words = f'RUN_ARGS="--benchmarks={facts.name} --scenarios={scenario} --system={system.name} --round={round_.name}{target}'
    rates = rates_of(facts, full, scenario, system)
    there: dict[str, Path | None] = {}
    for test in (PERFORMANCE, ACCURACY):
        there[test] = next((r.folder for r in logs.runs if _is(r, system, full, scenario, test) and good(r, round_)), None)
        yield Need(
            *(system.name, full, scenario, test),
            duration(facts, scenario, test, rates),
            there[test],
            f'make run {words} --test_mode={test}"',
        )
    for test in required_audits(round_, facts.name):
        seconds = duration(facts, scenario, test, rates)
        performed = there[PERFORMANCE]
        have = logs.audits.get((test, performed)) if performed else None
        yield Need(system.name, full, scenario, test, seconds, have, f'make run_audit_harness {words} --audit_test={test}"')


def _is(run: Run, system: System, full: str, scenario: str, test: str) -> bool:
    return (run.system_id, run.benchmark, run.scenario, run.mode) == (system.system_id, full, scenario, test)


def good(run: Run, round_: Round) -> bool:
    """Whether a run can be submitted to a round: complete, real, of the reference model, with the round's seeds, VALID or accurate."""
    if not run.complete or run.unreal or run.open_only or runs.other_round(run, round_):
        return False
    return bool(run.metadata.get("accuracy_pass") if run.mode == ACCURACY else run.metadata.get("result_validity") == "VALID")


def rates_of(facts: BenchmarkFacts, full: str, scenario: str, system: System) -> Rates | None:
    """Rates of a system in a scenario (of streams: one sample or query after another); None for processors."""
    accelerator = system.accelerator or next(map(known_name, system.value.accelerator_conf.layout), "")
    if not accelerator:
        return None
    about = estimate(facts.name, full, scenario, accelerator, system.accelerators)
    if about is None:
        return None
    if scenario in ("SingleStream", "MultiStream"):
        per_query = SAMPLES_PER_QUERY if scenario == "MultiStream" else 1
        rate = per_query * 1e9 / about.value
        return Rates(rate, rate / 2, rate * 2, rate)
    found = prediction.predict(full, scenario, accelerator, system.accelerators)
    if found is None:
        return Rates(about.value, about.value / 2, about.value * 2, about.value)
    return Rates(found.rate, found.low, found.high, about.value)


def duration(facts: BenchmarkFacts, scenario: str, test: str, rates: Rates | None) -> tuple[float, float, float] | None:
    """How long a test takes in s: expected, at most and at least of 90 %; None without rates."""
    if rates is None:
        return None
    expected, slow, fast = (
        _seconds(facts, scenario, test, rate, rates.configured) for rate in (rates.expected, rates.low, rates.high)
    )
    return expected, fast, slow


def _seconds(facts: BenchmarkFacts, scenario: str, test: str, rate: float, configured: float) -> float:
    """How long a test takes at a rate in samples/s.

    Args:
        configured: the rate that LoadGen sizes an Offline query by.
    """
    if test == ACCURACY:
        return SETUP_S + facts.samples / rate
    if test == "TEST06":
        return SETUP_S + 100 / rate
    if scenario == "Offline":
        return SETUP_S + max(SLACK * LEAST_S * configured, min(facts.samples, OFFLINE_SAMPLES_CAP)) / rate
    if scenario == "Server":
        return SETUP_S + LEAST_S
    queries = queries_for_estimate(0.99 if scenario == "MultiStream" else 0.9)
    samples = queries * (SAMPLES_PER_QUERY if scenario == "MultiStream" else 1)
    return SETUP_S + max(LEAST_S, max(samples, facts.samples if facts.family == "volume" else 0) / rate)
