"""Candidates for submission: for each workload a performance run and its accuracy run.

They come from the harness's logs, or from a submission tree of any round, whose files are copied unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, UsageError
from code.results import seal
from code.rules.benchmarks import short_name
from code.rules.rounds import Round
from code.submission.check.finding import Finding, errors
from code.submission.stage import endpoint, layout, runs
from code.submission.stage.layout import LAYOUTS, Place
from code.submission.stage.runs import ACCURACY, PERFORMANCE, Run


@dataclass(frozen=True)
class Candidate:
    """A result that could be submitted.

    Args:
        system: its name in results.
        benchmark: 'bert-99'.
        scenario: the scenario it is submitted for.
        performance, accuracy: the folders of the logs.
        performance_run, accuracy_run: the runs in those folders; None for a submission tree.
        measured: the scenario that was run, if it is submitted for another one; '' otherwise.
        stands_for: the benchmark that was run, if it is submitted for one with a lower accuracy target; '' otherwise.
        tree_files: for a submission tree: kind ('measurements', 'system', 'compliance') → path.
        endpoint: the folder of a result of MLCommons endpoints' client; None for LoadGen's logs.
        measured_fields: the fields of its measurements JSON, where that is not taken over from a tree.
        older: earlier pairs of runs of the same workload, newest first, for when this one cannot be staged.
    """

    system: str
    benchmark: str
    scenario: str
    performance: Path
    accuracy: Path
    performance_run: Run | None = None
    accuracy_run: Run | None = None
    measured: str = ""
    stands_for: str = ""
    tree_files: dict[str, Path] = field(default_factory=dict)
    older: tuple[Candidate, ...] = ()
    endpoint: Path | None = None
    measured_fields: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The prefix of messages about it: 'bert-99 Offline on DGX'."""
        return f"{self.benchmark} {self.scenario} on {self.system}"

    @property
    def key(self) -> tuple[str, str, str]:
        """(system, benchmark, scenario)."""
        return self.system, self.benchmark, self.scenario

    @property
    def tiny(self) -> bool:
        """Whether the model is the project's tiny one."""
        return bool(self.performance_run and self.performance_run.tiny) or self.measured_fields.get("model_variant") == "tiny"

    @property
    def open_only(self) -> str:
        """Why it is restricted to the open division; '' if it is not."""
        noted = [run.open_only for run in (self.performance_run, self.accuracy_run) if run is not None]
        return next((note for note in noted if note), "the model is the tiny one" if self.tiny and self.endpoint else "")


def from_logs(root: Path, named: Iterable[str] = (), round_: Round | None = None) -> tuple[list[Candidate], list[Finding]]:
    """The candidates among the harness's runs below `root`, and findings on workloads that are not one.

    Args:
        named: run folders that take precedence over newer runs of the same workload and mode.
        round_: the round whose seeds are preferred, so that other rounds' runs do not hide its own; None for each benchmark's newest.

    Raises MissingError if there are no runs, UsageError for a named folder without a run.
    """
    chosen = [_named_run(Path(name).absolute()) for name in named]
    found = runs.find_runs(root)
    if not found and not chosen:
        raise MissingError(
            f"no runs in {root}", "", 'make one with `make run RUN_ARGS="--benchmarks=bert --test_mode=SubmissionRun"`'
        )
    candidates: list[Candidate] = []
    findings = [
        Finding(run.folder, f"left out: {run.unreal} cannot be staged", error=False, check="simulated")
        for run in found
        if run.unreal
    ]
    ordered = [*chosen, *runs.for_round([run for run in found if not run.unreal], round_)]
    for key in dict.fromkeys(run.key for run in ordered):
        pairs = list(_pairs(ordered, key, chosen))
        if pairs:
            candidates.append(replace(pairs[0], older=tuple(pairs[1:])))
        else:
            findings.extend(_unpaired(ordered, key))
    if round_ is not None:
        candidates, left_out = _of_the_round(candidates, chosen, round_)
        findings += left_out
    return sorted(candidates, key=lambda one: one.key), findings


def _pairs(ordered: list[Run], key: tuple[str, str, str], chosen: list[Run]) -> Iterator[Candidate]:
    """The pairs of complete runs of a workload, newest first: each performance run with the accuracy runs of its engine and settings, or
    with the newest at all if it has none. A mode with a named run has only that one."""
    accuracies = _complete(ordered, key, ACCURACY, chosen)
    for performance in _complete(ordered, key, PERFORMANCE, chosen):
        fits = [run for run in accuracies if (run.engine, run.config) == (performance.engine, performance.config)]
        for accuracy in fits or accuracies[:1]:
            yield Candidate(*key, performance.folder, accuracy.folder, performance, accuracy)


def _complete(ordered: list[Run], key: tuple[str, str, str], mode: str, chosen: list[Run]) -> list[Run]:
    """The complete runs of a workload in a mode, newest first; only the first of `chosen` if it has one."""
    named = [run for run in chosen if run.key == key and run.mode == mode]
    return named[:1] or [run for run in ordered if run.key == key and run.mode == mode and run.complete]


def newest_eligible(
    found: Iterable[Candidate], check: Callable[[Candidate], list[Finding]]
) -> tuple[list[Candidate], list[Finding]]:
    """Each candidate, or the newest of its older pairs that passes `check` where it does not pass itself; and notes on those passed over.

    A candidate none of whose pairs passes stays as it is, for its findings to be reported.
    """
    out, notes = [], []
    for one in found:
        passed_over: list[Finding] = []
        for pair in (one, *one.older):
            met = errors(check(pair))
            if not met:
                out.append(pair)
                notes += passed_over
                break
            what = f"passed over for an older run of {pair.label}: {met[0].what}"
            step = f"to stage it all the same: --runs={pair.performance},{pair.accuracy}"
            passed_over.append(Finding(met[0].path, what, step, error=False, check="older"))
        else:
            out.append(one)
    return out, notes


def _of_the_round(found: list[Candidate], chosen: list[Run], round_: Round) -> tuple[list[Candidate], list[Finding]]:
    """The candidates without those of other rounds, and a note on each that is dropped. If none would remain, all are kept and the
    staging checks report what is wrong with them. Named runs are always kept."""
    others: dict[tuple[str, str, str], str] = {}
    for one in found:
        pair = [run for run in (one.performance_run, one.accuracy_run) if run is not None]
        names = {runs.other_round(run, round_) for run in pair if run not in chosen}
        if len(names) == 1 and (name := names.pop()):
            others[one.key] = name
    if len(others) == len(found):
        return found, []
    left_out = [
        Finding(one.performance, f"left out: it was run for {others[one.key]}, not for {round_.name}", error=False, check="round")
        for one in found
        if one.key in others
    ]
    return [one for one in found if one.key not in others], left_out


def _named_run(folder: Path) -> Run:
    run = runs.read_run(folder)
    if run is None:
        raise UsageError(
            f"{folder} is not a run folder", f"it has no {runs.METADATA} of a run", "name the folder of a run's logs"
        )
    if run.unreal:
        raise UsageError(f"the run in {folder} is not a result", f"{run.unreal} cannot be staged", "name another run")
    if not run.complete:
        raise UsageError(f"the run in {folder} is not complete", "; ".join(run.missing()), "give another, or run it again")
    return run


def _unpaired(ordered: list[Run], key: tuple[str, str, str]) -> Iterable[Finding]:
    """One finding for each mode without a complete run."""
    system, benchmark, scenario = key
    for mode in (PERFORMANCE, ACCURACY):
        same = [run for run in ordered if run.key == key and run.mode == mode]
        if any(run.complete for run in same):
            continue
        where = same[0].folder if same else next(run.folder for run in ordered if run.key == key)
        why = "; ".join(same[0].missing()) if same else f"no {mode} run of {benchmark} {scenario} on {system}"
        short = short_name(benchmark)
        step = f'make run RUN_ARGS="--benchmarks={short} --scenarios={scenario} --test_mode={mode}"'
        yield Finding(where, why, step, check="pair")


def from_tree(root: Path) -> tuple[list[Candidate], list[Finding]]:
    """The candidates in a submission tree of any layout: every result with both logs.

    Raises MissingError if it holds no result.
    """
    candidates: list[Candidate] = []
    findings: list[Finding] = []
    for place in LAYOUTS["beside"].places(root):
        results = LAYOUTS["beside"].results_dir(root, place)
        if endpoint.is_endpoint(results):
            candidates.append(of_endpoint(results, place.system, place.benchmark, place.scenario, _tree_files(root, place)))
            continue
        performance, accuracy = results / "performance" / "run_1", results / "accuracy"
        absent = [folder for folder in (performance, accuracy) if not (folder / "mlperf_log_detail.txt").is_file()]
        if absent:
            findings.append(Finding(absent[0] / "mlperf_log_detail.txt", "missing", "copy it from the run's logs", check="pair"))
            continue
        files = _tree_files(root, place)
        candidates.append(Candidate(place.system, place.benchmark, place.scenario, performance, accuracy, tree_files=files))
    if not candidates and not findings:
        raise MissingError(
            f"no results in {root}",
            "a submission tree has <division>/<submitter>/results/<system>/<benchmark>/<scenario>",
            "name the folder that holds closed/ or open/",
        )
    return candidates, findings


def of_endpoint(folder: Path, system: str, benchmark: str, scenario: str, tree_files: dict[str, Path]) -> Candidate:
    """The candidate of a result of MLCommons endpoints' client; its fields of the measurements JSON are those of a tree, if any."""
    fields = jsonfile.object_or_empty(tree_files["measurements"]) if "measurements" in tree_files else {}
    parts = (folder / "performance", folder / "accuracy")
    return Candidate(system, benchmark, scenario, *parts, tree_files=tree_files, endpoint=folder, measured_fields=fields)


def _tree_files(root: Path, place: Place) -> dict[str, Path]:
    files = {}
    for one in LAYOUTS.values():
        measured = one.find_measurements_json(root, place)
        if measured is not None:
            files["measurements"] = measured
        folder = one.compliance_dir(root, place)
        if folder.is_dir() and any(folder.glob("TEST*")):
            files["compliance"] = folder
    system = LAYOUTS["beside"].system_json(root, place)
    if system.is_file():
        files["system"] = system
    return files


def pair_findings(one: Candidate) -> Iterable[Finding]:
    """Findings on a candidate's pair of runs, which must share engine and settings and meet the accuracy target."""
    performance, accuracy = one.performance_run, one.accuracy_run
    if performance is None or accuracy is None:
        return
    rerun = f'make run RUN_ARGS="--benchmarks={short_name(one.benchmark)} --scenarios={one.scenario} --test_mode=SubmissionRun"'
    spec = accuracy.folder / runs.RUN_FILE
    if performance.engine != accuracy.engine:
        what = f"the accuracy run's engine is {accuracy.engine or 'not recorded'}, the performance run's is {performance.engine}"
        yield Finding(spec, what, rerun, check="engine")
    elif performance.config != accuracy.config:
        differing = ", ".join(_differences(performance.config, accuracy.config))
        yield Finding(spec, f"its settings differ from the performance run's: {differing}", rerun, check="config")
    if not accuracy.metadata.get("accuracy_pass"):
        what = str(accuracy.metadata.get("summary_string", "no score"))
        step = "use a higher precision or recalibrate, then run both modes again"
        yield Finding(accuracy.folder / runs.METADATA, f"the accuracy run did not pass: {what}", step, check="accuracy")


def sealed_findings(one: Candidate) -> Iterable[Finding]:
    """Findings on files of a candidate's runs that changed after the run."""
    for run in (one.performance_run, one.accuracy_run):
        if run is None:
            continue
        step = f'make run RUN_ARGS="--benchmarks={short_name(one.benchmark)} --scenarios={one.scenario} --test_mode={run.mode}"'
        for what in seal.broken(run.folder):
            yield Finding(run.folder / runs.METADATA, what, f"restore the file, or {step}", check="sealed")


def _differences(ours: dict[str, object], theirs: dict[str, object], prefix: str = "") -> Iterable[str]:
    for name in sorted(set(ours) | set(theirs)):
        a, b = ours.get(name), theirs.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            yield f"{prefix}{name} is {b!r}, not {a!r}"


def power_findings(one: Candidate) -> Iterable[Finding]:
    """Findings on missing power files, if the run claims power."""
    run = one.performance_run
    claimed = run is not None and "MaxQ" in str(run.metadata.get("config_name", ""))
    folder = one.performance / "power" if run is not None else one.performance.parent / "power"
    if not claimed and not folder.is_dir():
        return
    step = "run again with the power tools (https://github.com/mlcommons/power-dev), or submit without power"
    for name in layout.POWER_FILES:
        if not (folder / name).is_file():
            yield Finding(folder / name, "the result claims power, but this file is missing", step, check="power")
    if not (one.performance / layout.POWER_LOG).is_file():
        what = "the result claims power, but this file is missing"
        yield Finding(one.performance / layout.POWER_LOG, what, step, check="power")
    measured = dict(run.metadata.get("power") or {}) if run is not None else {}
    for problem in measured.get("compliance_problems", []):
        what = f"power-dev's check refused the measurement: {problem}"
        yield Finding(one.performance / "power", what, "measure it again, or submit without power", check="power")
