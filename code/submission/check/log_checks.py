"""Rules for a pair of LoadGen logs, in build/logs or in a staged tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import RunError, UsageError
from code.results import loadgen_log
from code.results.departures import departures
from code.results.loadgen_log import LoadGenLog
from code.results.verdict import judge
from code.rules.benchmarks import ResultFacts, result_named
from code.rules.metrics import TEN_MINUTES_MS
from code.rules.rounds import STRICT_DIVISIONS, Round, loadgen_scenario
from code.submission.check import accuracy_text, summary_log
from code.submission.check.finding import Finding
from code.submission.stage import layout

INFERABLE = {("SingleStream", "Offline"), ("SingleStream", "MultiStream"), ("MultiStream", "Offline")}
"""Measured scenario → the one it may be used for on an edge system."""


NETWORK_SUT = "Network SUT"
"""Part of the name of a system under test that is measured over a network (inference_rules.adoc, "Network division")."""


@dataclass(frozen=True)
class Claim:
    """What a pair of logs is submitted as.

    Args:
        benchmark: the name that the official checker knows it by.
        network: whether the system's description says that it was measured over a network.
    """

    benchmark: str
    scenario: str
    division: str
    category: str
    round: Round
    tiny: bool = False
    network: bool = False

    @property
    def closed(self) -> bool:
        """Whether the closed division's rules apply."""
        return self.division in STRICT_DIVISIONS

    @property
    def result(self) -> ResultFacts:
        """The facts of the result's benchmark; UsageError for an unknown one."""
        found = result_named(self.benchmark)
        if found is None:
            raise UsageError(f"unknown benchmark in result name {self.benchmark}", "", "leave it out with --benchmarks")
        return found

    def rerun(self, mode: str) -> str:
        """The command for such a run."""
        words = f"--benchmarks={self.result.name} --scenarios={self.scenario} --test_mode={mode} --round={self.round.name}"
        return f'make run RUN_ARGS="{words}"'


Check = Callable[[Path, LoadGenLog, Claim], Iterator[Finding]]


def read_log(folder: Path) -> LoadGenLog | Finding:
    """The detail log of a run, or a finding if it cannot be read."""
    try:
        return loadgen_log.read_detail(folder / "mlperf_log_detail.txt")
    except RunError as error:
        return Finding(folder / "mlperf_log_detail.txt", f"{error.what}: {error.why}", error.next_step, check="readable")


def missing_files(folder: Path, names: tuple[str, ...], claim: Claim, mode: str) -> Iterator[Finding]:
    """Required files that are absent or empty."""
    for name in names:
        path = folder / name
        if not path.is_file():
            yield Finding(path, "missing", claim.rerun(mode), check="files")
        elif path.stat().st_size == 0:
            yield Finding(path, "empty", claim.rerun(mode), check="files")


def performance(folder: Path, claim: Claim) -> Iterator[Finding]:
    """Findings on the folder of a performance run."""
    yield from missing_files(folder, layout.PERFORMANCE_FILES, claim, "PerformanceOnly")
    if (folder / loadgen_log.DETAIL_NAME).is_file():
        yield from _checked(folder, claim, (*RESULT_CHECKS, _result_seeds, *RUN_CHECKS))


def audit(folder: Path, claim: Claim, seeds: Mapping[str, int]) -> Iterator[Finding]:
    """Findings on the detail log of an audit run, to which the rules of a performance run apply but that it was audited.

    Args:
        seeds: LoadGen's seeds in this audit, by name.
    """
    yield from _checked(folder, claim, (_complete, lambda _folder, log, claim: _seeds(log, claim, seeds), *RUN_CHECKS))


def _checked(folder: Path, claim: Claim, checks: tuple[Check, ...]) -> Iterator[Finding]:
    """The findings of each check on a detail log. What keeps one from being made is a finding of its own."""
    log = read_log(folder)
    if isinstance(log, Finding):
        yield log
        return
    if "effective_scenario" not in log or "effective_test_mode" not in log:
        yield Finding(
            log.path, "the run ended before LoadGen logged its settings", claim.rerun("PerformanceOnly"), check="complete"
        )
        return
    absent = [key for key in SETTINGS if not _is_number(log.get(key))]
    for key in absent:
        what = f"no {key}" if key not in log else f"{key} is {log.get(key)!r}, not a number"
        yield Finding(log.path, f"{what}; the official checker needs it", claim.rerun("PerformanceOnly"), check="settings")
    for check in checks:
        if not NEEDS.get(check, frozenset()) & set(absent):
            yield from check(folder, log, claim)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _complete(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    if not log.complete:
        yield Finding(
            log.path, "the log is incomplete: the run was interrupted or failed", claim.rerun("PerformanceOnly"), check="complete"
        )
    if not log.has_performance:
        yield Finding(
            log.path, f"this is a run in {log.mode}, not a performance run", claim.rerun("PerformanceOnly"), check="mode"
        )


def _valid(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    """The closed division accepts only VALID runs, and the checkers before v6.0 do so in open, too."""
    for entry in log.errors if claim.closed else ():
        what = f"line {entry.row}: LoadGen logged an error: {entry.value}"
        yield Finding(log.path, what, claim.rerun("PerformanceOnly"), check="errors")
    if log.complete and not log.is_valid:
        strict = claim.closed or not claim.round.modern
        step = claim.rerun("PerformanceOnly") if strict else "state it wherever the result is shown"
        yield Finding(log.path, f"LoadGen reports the run as INVALID: {_reasons(log)}", step, error=strict, check="valid")


def _reasons(log: LoadGenLog) -> str:
    """Why a run is INVALID, as far as its log says."""
    try:
        return "; ".join(reason.what for reason in judge(log).reasons) or "no reason given"
    except RunError as error:
        return f"no reason can be given: {error.what}"


def _not_simulated(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    """The SUT name in LoadGen's log shows whether the engine is simulated."""
    if "simulated" in str(log.get("sut_name", "")).lower():
        yield Finding(log.path, "simulated engine: nothing was computed", claim.rerun("PerformanceOnly"), check="simulated")


def _not_audited(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    if log.audited:
        yield Finding(
            log.path,
            "LoadGen ran with an audit.config, so this is an audit run, not a result",
            claim.rerun("PerformanceOnly"),
            check="audited",
        )


def _network_sut(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    name = str(log.get("sut_name", ""))
    if claim.network and NETWORK_SUT not in name:
        what = f"the system is measured over a network, but the SUT is called {name!r}, without {NETWORK_SUT!r}"
        yield Finding(log.path, what, claim.rerun("PerformanceOnly"), check="network")


def _result_seeds(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    yield from _seeds(log, claim, claim.round.seeds)


def _seeds(log: LoadGenLog, claim: Claim, seeds: Mapping[str, int], own: bool = False) -> Iterator[Finding]:
    for name, wanted in seeds.items():
        found = log.get(f"effective_{name}")
        if found != wanted:
            what = f"{name} is {found}, {claim.round.name} requires {wanted}"
            yield Finding(log.path, what, claim.rerun(log.mode), check="seeds", own=own)


def _duration(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    asked = log.need("effective_min_duration_ms")
    if asked < TEN_MINUTES_MS:
        what = f"the minimum duration is {asked / 60_000:.3g} minutes; the checker requires {TEN_MINUTES_MS} ms or more in every division"
        yield Finding(
            log.path, what, claim.rerun("PerformanceOnly") + ", with min_duration at 600000 or left out", check="duration"
        )
    elif claim.closed and log.complete and log.get("result_min_duration_met") is False:
        yield Finding(log.path, "the run ended before its minimum duration", claim.rerun("PerformanceOnly"), check="duration")


def _sample_counts(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    found, wanted = log.need("effective_performance_sample_count"), claim.result.facts.samples
    if found < wanted:
        what = f"LoadGen drew from {found:,} samples; {claim.benchmark} has {wanted:,}"
        yield Finding(log.path, what, claim.rerun("PerformanceOnly"), check="samples")
    size = log.need("effective_samples_per_query")
    strict = claim.closed or not claim.round.modern
    if strict and log.scenario == "Offline" and size < wanted:
        division = "closed" if claim.round.modern else f"{claim.round.name} in every division"
        what = f"the Offline query has {size:,} samples; {division} requires {wanted:,} or more"
        yield Finding(log.path, what, claim.rerun("PerformanceOnly"), check="samples")


def _scenario(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    yield from _other_scenario(log, claim, "PerformanceOnly")


def _other_scenario(log: LoadGenLog, claim: Claim, mode: str, own: bool = False) -> Iterator[Finding]:
    """A run of a scenario that it is not submitted as, and may not be inferred for."""
    if log.scenario == loadgen_scenario(claim.scenario):
        return
    if (log.scenario, claim.scenario) not in INFERABLE:
        what = f"the run is {log.scenario}; it cannot be used for {claim.scenario}"
        yield Finding(log.path, what, claim.rerun(mode), check="scenario", own=own)
    elif "edge" not in claim.category:
        what = f"a {log.scenario} run can be used for {claim.scenario} only on edge systems; this one is {claim.category}"
        yield Finding(log.path, what, claim.rerun(mode), check="scenario", own=own)


def _latency(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    if log.scenario != "Offline" and log.complete and not log.get("early_stopping_met"):
        what = f"early stopping was not met: {str(log.get('early_stopping_result', '')).strip()}"
        yield Finding(log.path, what, claim.rerun("PerformanceOnly"), check="early_stopping")


def _rules(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    """Settings that are not the benchmark's own rule: refused in closed, named in open. Seeds and samples have checks of their own."""
    for one in departures(log, claim.benchmark, claim.round, claim.scenario):
        if one.field not in (*claim.round.seeds, "performance_sample_count_override"):
            step = f"leave {one.field} out, then {claim.rerun('PerformanceOnly')}"
            yield Finding(log.path, one.what, step, error=claim.closed, check="rules", own=True)


def _summary(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    path = folder / "mlperf_log_summary.txt"
    if not path.is_file():
        return
    for one in summary_log.disagreements(path, log):
        step = f"restore it, or {claim.rerun(log.mode)}"
        yield Finding(path, f"contradicts the detail log: {one}", step, check="summary", own=True)
    if log.has_performance and log.complete and not summary_log.has_result(path):
        yield Finding(path, "no result in it", claim.rerun(log.mode), check="summary", own=True)


RESULT_CHECKS: tuple[Check, ...] = (_complete, _valid, _not_audited, _not_simulated, _rules, _summary)
"""Checks of a result, besides RUN_CHECKS."""
RUN_CHECKS: tuple[Check, ...] = (_network_sut, _duration, _sample_counts, _scenario, _latency)
"""Checks of every performance run, an audit's included."""
SETTINGS = ("effective_min_duration_ms", "effective_performance_sample_count", "effective_samples_per_query")
"""Numbers that the log of every performance run has."""
NEEDS: Mapping[Check, frozenset[str]] = {_duration: frozenset(SETTINGS[:1]), _sample_counts: frozenset(SETTINGS[1:])}
"""Check → the settings without which it cannot be made."""


def accuracy(folder: Path, claim: Claim) -> Iterator[Finding]:
    """Findings on the folder of an accuracy run. The accuracy log may be truncated."""
    yield from missing_files(folder, layout.ACCURACY_FILES, claim, "AccuracyOnly")
    if (folder / "mlperf_log_detail.txt").is_file():
        log = read_log(folder)
        if isinstance(log, Finding):
            yield log
        else:
            yield from _accuracy_log(folder, log, claim)
    if (folder / "accuracy.txt").is_file():
        yield from _scores(folder / "accuracy.txt", claim)


def _accuracy_log(folder: Path, log: LoadGenLog, claim: Claim) -> Iterator[Finding]:
    if not log.complete:
        yield Finding(
            log.path, "the log is incomplete: the run was interrupted or failed", claim.rerun("AccuracyOnly"), check="complete"
        )
    if log.get("effective_test_mode") != "AccuracyOnly":
        what = f"this is a run in {log.get('effective_test_mode')}, not an accuracy run"
        yield Finding(log.path, what, claim.rerun("AccuracyOnly"), check="mode")
    for entry in log.errors:
        yield Finding(
            log.path, f"line {entry.row}: LoadGen logged an error: {entry.value}", claim.rerun("AccuracyOnly"), check="errors"
        )
    found, wanted = log.accuracy_sample_count, claim.result.facts.samples
    if found != wanted:
        what = (
            f"the accuracy run covers {found:,} samples; {claim.benchmark} has {wanted:,}"
            if found
            else "the log has no sample count"
        )
        yield Finding(log.path, what, claim.rerun("AccuracyOnly"), check="samples")
    yield from _not_audited(folder, log, claim)
    yield from _seeds(log, claim, claim.round.seeds, own=True)
    if "effective_scenario" in log:
        yield from _other_scenario(log, claim, "AccuracyOnly", own=True)


def _scores(path: Path, claim: Claim) -> Iterator[Finding]:
    found = accuracy_text.scores(path, tuple(claim.result.target.least))
    for name, value in found.items():
        if value is None:
            yield Finding(
                path, f"no {name} in the format that the official checker reads", claim.rerun("AccuracyOnly"), check="accuracy"
            )
    yield from against_targets(path, claim, found)


def against_targets(path: Path, claim: Claim, found: Mapping[str, float | None]) -> Iterator[Finding]:
    """Findings on scores outside the benchmark's bounds; the tiny model has its own.

    Args:
        path: the file that states them.
        found: metric → score; None for one that is absent.
    """
    for name, target in claim.result.target.least.items():
        value = found.get(name)
        if value is not None and value < target and not claim.tiny:
            step = "use a higher precision or recalibrate" if claim.closed else "allowed in open; the result shows the score"
            what = f"{name} is {value:.6g}; the target of {claim.benchmark} is {target:.6g}"
            yield Finding(path, what, step, error=claim.closed, check="accuracy")
    yield from _above_limits(path, claim, found)


def _above_limits(path: Path, claim: Claim, found: Mapping[str, float | None]) -> Iterator[Finding]:
    """Findings on scores that have an upper limit, such as the length of generated texts."""
    for name, most in claim.result.target.most.items():
        value = found.get(name)
        if value is not None and value > most and not claim.tiny:
            what = f"{name} is {value:.6g}; the most that {claim.benchmark} allows is {most:.6g}"
            step = "generate with the benchmark's own lengths" if claim.closed else "allowed in open; the result shows the score"
            yield Finding(path, what, step, error=claim.closed, check="accuracy")
