"""Run and verify one audit test of one workload.

An audit repeats a performance run: it reuses the run's run.json with another output folder and an audit.config, so that engine,
settings and seeds are the same. Verification compares it with that run and with the accuracy run, and stores what a submission
carries under build/compliance_logs.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.benchmark import BenchmarkDefinition
from code.common.errors import MissingError, RunError, UsageError, unknown
from code.common.files import atomic_directory, atomic_write, write_json
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import PromptData
from code.results import loadgen_log
from code.results.loadgen_log import LoadGenLog
from code.results.verdict import judge
from code.rules.benchmarks import every_facts, facts_of, required_audits
from code.rules.rounds import Round
from code.run import audit_config, launch
from code.submission.audit import audits, compliance
from code.submission.audit.audits import Verdict
from code.submission.stage import layout, runs
from code.submission.stage.runs import ACCURACY, AUDIT_FILE, INCOMPLETE, PERFORMANCE, Run

OFFERED = ("TEST01", "TEST04", "TEST06")
"""Tests that can be run; a benchmark's facts list those that apply to it. No round requires TEST04 of these benchmarks."""
NOT_OFFERED = {"TEST05": "it was required only up to v4.1"}
TOKENS = "use_token_latencies"
BASELINE, COMPLIANCE = "baseline_accuracy.txt", "compliance_accuracy.txt"


@dataclass(frozen=True)
class Audit:
    """An audit test of a workload, and the runs it is compared with."""

    test: str
    short: str
    performance: Run
    accuracy: Run


@dataclass(frozen=True)
class Outcome:
    """Result of an audit: its folder, whether it passed, and the lines that explain the verdict."""

    folder: Path
    passed: bool
    lines: tuple[str, ...]
    performance_failed: bool


def tests_for(short: str, asked: list[str], round_: Round) -> list[str]:
    """The tests to run: those requested, else those the round requires.

    Raises UsageError for an unknown test or one that does not apply to this benchmark.
    """
    if not asked:
        return [name for name in required_audits(round_, short) if name in OFFERED]
    for name in asked:
        if name in NOT_OFFERED:
            raise UsageError(f"{name} is not supported", NOT_OFFERED[name], f"choose from {', '.join(OFFERED)}")
        if name not in OFFERED:
            raise unknown("audit test", name, OFFERED, "--audit_test")
        if name not in facts_of(short).audits.tests:
            others = ", ".join(facts.name for facts in every_facts() if name in facts.audits.tests)
            raise UsageError(f"{name} does not apply to {short}", f"it applies to {others}", "leave it out")
    return asked


def find_pair(logs: Path, key: tuple[str, str, str], short: str, round_: Round | None = None) -> tuple[Run, Run]:
    """The newest complete performance and accuracy runs of a workload, preferring those with the round's seeds; MissingError
    with the command that makes them."""
    found = runs.for_round(runs.find_runs(logs), round_)
    pair = {mode: runs.newest(found, key, mode) for mode in (PERFORMANCE, ACCURACY)}
    performance, accuracy = pair[PERFORMANCE], pair[ACCURACY]
    if performance is None or accuracy is None:
        system, benchmark, scenario = key
        absent = " and ".join(mode for mode, run in pair.items() if run is None)
        raise MissingError(
            f"an audit needs a {absent} run of {benchmark} {scenario} on {system} to compare with",
            f"no complete one in {logs}",
            f'make run RUN_ARGS="--benchmarks={short} --scenarios={scenario} --test_mode=SubmissionRun"',
        )
    return performance, accuracy


def require_valid(audit: Audit) -> None:
    """UsageError if the performance run is INVALID and the test compares scores: it could not pass."""
    validity = audit.performance.metadata.get("result_validity")
    if audit.test in ("TEST01", "TEST04") and validity != "VALID":
        short, scenario = audit.short, audit.performance.scenario
        raise UsageError(
            f"the performance run in {audit.performance.folder} is {validity}",
            f"{audit.test} compares scores with it and fails unless it is VALID",
            f'make run RUN_ARGS="--benchmarks={short} --scenarios={scenario} --test_mode=PerformanceOnly", until it is VALID',
        )


def run(audit: Audit, folder: Path, label: str, sampling: int | None = None) -> LoadGenLog:
    """Run the audit into `folder`, which exists and holds an INCOMPLETE marker. The audit.config is removed before this returns.

    Raises:
        MissingError: the engine of the performance run no longer exists.
        RunError: LoadGen did not apply the audit.config, or the harness failed.
    """
    spec = contract.read(audit.performance.folder / runs.RUN_FILE)
    compliance.require_engines(Path(engine.folder) for engine in spec.engines)
    wanted = audit_config.settings(audit.test, audit.short, sampling)
    conf = Path(spec.user_conf).read_text(encoding="utf-8")
    dataset = spec.dataset
    if audit.test == "TEST06":
        # LoadGen logs first tokens and lengths only with token latencies, which mlperf.conf may leave off.
        conf += f"{spec.benchmark}.{spec.scenario}.{TOKENS} = 1\n"
        if isinstance(dataset, PromptData):
            dataset = dataclasses.replace(dataset, use_token_latencies=True)
    (folder / "user.conf").write_text(conf, encoding="utf-8")
    with audit_config.written(folder, audit.test, wanted) as path:
        changed = dataclasses.replace(
            spec,
            output_dir=str(folder),
            user_conf=str(folder / "user.conf"),
            audit_conf=str(path),
            test_mode=PERFORMANCE,
            dataset=dataset,
        )
        launch.run(changed, label, str(spec.record["harness_lang"]))
    log = loadgen_log.read_detail(folder)
    _require_taken(log, wanted)
    record = {"test": audit.test, "settings": wanted, "performance_run": str(audit.performance.folder)}
    write_json(folder / AUDIT_FILE, record)
    (folder / INCOMPLETE).unlink(missing_ok=True)
    return log


def _require_taken(log: LoadGenLog, wanted: Mapping[str, int]) -> None:
    """RunError unless the log shows every key of the audit.config."""
    for name, value in wanted.items():
        scenario, _, key = name.partition(".")
        if scenario not in ("*", log.scenario) or key == "mode":
            continue
        found = log.get(f"requested_{key}_ms" if key == "min_duration" else f"requested_{key}")
        if not log.audited or (found is not None and int(found) != value):
            raise RunError(
                "LoadGen did not apply the audit.config",
                f"{key} is {found} in {log.path}, not {value}",
                "run it again; if it fails the same way, check the LoadGen version with `make info`",
            )


def verify(audit: Audit, folder: Path, definition: BenchmarkDefinition, values: Mapping[str, Any]) -> Outcome:
    """Verify the audit run in `folder` and store it under build/compliance_logs, passed or not."""
    reference, audited = loadgen_log.read_detail(audit.performance.folder), loadgen_log.read_detail(folder)
    target = compliance.test_dir(audit.performance, audit.test)
    speed: Verdict | None = None
    answers: Verdict | None = None
    lines = []
    with atomic_directory(target) as fresh:
        if audit.test in ("TEST01", "TEST04"):
            speed = audits.performance(audit.test, reference, audited)
            _write(fresh / "verify_performance.txt", speed.text)
            lines.append(f"performance: {_verdict_line(speed)}")
            if not audited.is_valid:
                lines += [f"the audit run is INVALID: {reason.what}" for reason in judge(audited).reasons]
            _copy(folder, fresh / "performance" / "run_1", layout.PERFORMANCE_FILES)
        if audit.test == "TEST01":
            answers = _test01(audit, folder, fresh, definition, values, lines)
        elif audit.test == "TEST06":
            answers = audits.accuracy_test06(
                folder / layout.ACCURACY_LOG, audited.scenario, _end_token(audit), facts_of(audit.short).audits.element
            )
            _write(fresh / "verify_accuracy.txt", answers.text)
            _copy(folder, fresh / "accuracy", (layout.ACCURACY_LOG,))
            _copy(folder, fresh / "performance" / "run_1", layout.PERFORMANCE_FILES)
            lines += answers.text.strip().splitlines()
        passed = all(one.passed for one in (speed, answers) if one is not None)
        write_json(fresh / compliance.RECORD, _record(audit, audited, folder, passed))
    return Outcome(target, passed, tuple(lines), speed is not None and not speed.passed)


def _end_token(audit: Audit) -> int:
    """The end token of the model that ran: a tiny or custom model has its own tokenizer."""
    dataset = contract.read(audit.performance.folder / runs.RUN_FILE).dataset
    if isinstance(dataset, PromptData):
        return dataset.generation.eos
    text = facts_of(audit.short).text
    return text.end_token if text else -1


def _test01(
    audit: Audit, folder: Path, fresh: Path, definition: BenchmarkDefinition, values: Mapping[str, Any], lines: list[str]
) -> Verdict:
    """TEST01's accuracy part: response by response, with a fallback to the score on the same samples, as the rules allow."""
    reference, audited = audit.accuracy.folder / layout.ACCURACY_LOG, folder / layout.ACCURACY_LOG
    verdict = audits.accuracy_test01(reference, audited, facts_of(audit.short).audits.element)
    _write(fresh / "verify_accuracy.txt", verdict.text)
    _copy(folder, fresh / "accuracy", (layout.ACCURACY_LOG,))
    lines.append(f"accuracy, response by response: {_verdict_line(verdict)}")
    if verdict.passed:
        return verdict
    subset = folder / "baseline"
    with atomic_write(subset / layout.ACCURACY_LOG) as out:
        for number, entry in enumerate(audits.baseline(reference, audited)):
            out.write((",\n" if number else "[\n") + json.dumps(entry))
        out.write("\n]\n")
    base, base_text = definition.partial_scores(subset, values)
    other, other_text = definition.partial_scores(folder, values)
    _write(fresh / "accuracy" / BASELINE, base_text)
    _write(fresh / "accuracy" / COMPLIANCE, other_text)
    passed = audits.scores_agree(audit.performance.benchmark, base, other)
    for name in base:
        far = audits.delta_percent(base[name], other[name]) if other[name] else float("inf")
        allowed = audits.allowed_delta_percent(audit.performance.benchmark)
        lines.append(
            f"accuracy, by score on the same samples: {name} {base[name]:.6g} and {other[name]:.6g}, "
            f"{far:.3g} % apart, {allowed:g} % allowed"
        )
    return Verdict(passed, verdict.text)


def _verdict_line(verdict: Verdict) -> str:
    lines = verdict.text.strip().splitlines()
    figures = "; ".join(line for line in lines if "score =" in line or "_mismatch =" in line or "idx_match =" in line)
    return f"{lines[-1]}" + (f" ({figures})" if figures else "")


def _record(audit: Audit, audited: LoadGenLog, folder: Path, passed: bool) -> dict[str, Any]:
    return {
        "test": audit.test,
        "passed": passed,
        "engine": audit.performance.engine,
        "seeds": {
            name: audited.get(f"effective_{name}") for name in ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
        },
        "performance_run": str(audit.performance.folder),
        "accuracy_run": str(audit.accuracy.folder),
        "audit_run": str(folder),
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (source / name).is_file():
            raise RunError(f"{source} has no {name}", "the audit run did not write it", "run `make run_audit_harness` again")
        shutil.copyfile(source / name, target / name)


def newest_audit(logs: Path, audit: Audit) -> tuple[Path, Audit] | None:
    """The newest complete run of an audit below `logs` for the same workload and seeds, and the audit with the performance run
    it repeated, which need not be the newest; None if there is none."""
    found = []
    for record in logs.rglob(AUDIT_FILE):
        content = compliance.read_record(record.parent)
        reference = runs.read_run(Path(str(content.get("performance_run", ""))))
        if content.get("test") != audit.test or reference is None or reference.key != audit.performance.key:
            continue
        if reference.spec.get("seeds") == audit.performance.spec.get("seeds"):
            found.append((record.parent, dataclasses.replace(audit, performance=reference)))
    return max(found, key=lambda one: (runs.started(one[0]), str(one[0])), default=None)
