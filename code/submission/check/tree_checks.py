"""The preflight of a staged tree: the official checker's checks and further ones, each with cause and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError
from code.common.files import sha256
from code.rules.benchmarks import required_audits, required_scenarios, result_named, rules_in, short_name
from code.rules.rounds import Round
from code.submission.check import accuracy_text, log_checks, tree_structure
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.pack import truncation
from code.submission.stage import layout, measurements, record
from code.submission.stage.layout import LAYOUTS, Layout, Place
from code.submission.stage.run_types import MEASUREMENTS
from code.systems.data.description_fields import ALLOWED, MEANINGFUL, REQUIRED

STAGE = "make stage_results"


def preflight(root: Path, round_: Round, submitter: str = "") -> list[Finding]:
    """Every finding on a tree for a round. MissingError if there is no tree, or no result in it."""
    places = [place for place in LAYOUTS[round_.layout].places(root) if not submitter or place.submitter == submitter]
    if not places:
        raise MissingError(f"no results in {root}", f"submitter {submitter}" if submitter else "", f"run `{STAGE}`")
    found = list(tree_structure.check(root, LAYOUTS[round_.layout], submitter))
    found += _unchanged(root)
    for place in places:
        found += _result(root, LAYOUTS[round_.layout], round_, place)
    found += _required_scenarios(root, round_, places)
    return list(dict.fromkeys(found))


def _unchanged(root: Path) -> Iterator[Finding]:
    """Logs, settings and scores must be unchanged since staging."""
    for path, what in record.changed(root):
        yield Finding(path, what, STAGE, check="unchanged")


def _result(root: Path, shape: Layout, round_: Round, place: Place) -> Iterator[Finding]:
    if rules_in(round_, place.benchmark) is None:
        where = shape.results_dir(root, place).parent
        yield Finding(
            where, f"{round_.name} has no benchmark {place.benchmark}", "choose another ROUND, or remove it", check="round"
        )
        return
    system, problem = _json(shape.system_json(root, place), f"the description of {place.system}")
    measured_file = shape.find_measurements_json(root, place) or shape.measurements_json(root, place, "custom")
    measured, trouble = _json(measured_file, f"how {place.label} was made")
    yield from (one for one in (problem, trouble) if one)
    claim = Claim(
        place.benchmark,
        place.scenario,
        place.division,
        str(system.get("system_type", "")),
        round_,
        tiny=measured.get("model_variant") == "tiny",
    )
    if system:
        yield from _system(shape.system_json(root, place), system, place)
    yield from log_checks.performance(shape.performance_dir(root, place), claim)
    yield from log_checks.accuracy(shape.accuracy_dir(root, place), claim)
    yield from _truncated(shape.accuracy_dir(root, place))
    yield from _measurements(shape.measurements_dir(root, place), measured_file, measured, claim, shape.accuracy_dir(root, place))
    yield from _power(shape.results_dir(root, place))
    if claim.closed:
        yield from _audits(shape.compliance_dir(root, place), claim)


def _json(path: Path, what: str) -> tuple[dict[str, Any], Finding | None]:
    try:
        content = jsonfile.read(path)
    except FileNotFoundError:
        return {}, Finding(path, f"{what} is missing", STAGE, check="files")
    except (OSError, ValueError) as error:
        return {}, Finding(path, f"{what} cannot be read: {error}", STAGE, check="files")
    return (content, None) if isinstance(content, dict) else ({}, Finding(path, "not a JSON object", STAGE, check="files"))


def _system(path: Path, system: dict[str, Any], place: Place) -> Iterator[Finding]:
    step = f"add it to the [system] table of submission.toml, then run `{STAGE}`"
    for name in REQUIRED:
        value = system.get(name)
        if name not in system:
            yield Finding(path, f"the field {name} is missing", step, check="system")
        elif name in MEANINGFUL and not value:
            what = f"the field {name} is empty" + (' (write "0", as a string)' if value == 0 else "")
            yield Finding(path, what, step, check="system")
        elif name in ALLOWED and str(value).lower() not in ALLOWED[name]:
            yield Finding(path, f"{name} cannot be {value!r}; it must be one of {', '.join(ALLOWED[name])}", step, check="system")
    for name, folder in (("submitter", place.submitter), ("division", place.division)):
        if str(system.get(name, folder)).lower() != folder.lower():
            yield Finding(path, f"{name} is {system[name]!r}, but its folder is {folder!r}", STAGE, check="system")


def _truncated(folder: Path) -> Iterator[Finding]:
    log = folder / layout.ACCURACY_LOG
    if log.is_file() and not truncation.is_truncated(log):
        size = log.stat().st_size
        what = f"{size:,} bytes, the limit is {layout.ACCURACY_LOG_LIMIT:,}" if size >= layout.ACCURACY_LOG_LIMIT else "no hash"
        yield Finding(log, f"not truncated: {what}", "make truncate_results", check="truncated")
    kept = truncation.full_results_dir().joinpath(*log.parts[-8:]) if len(log.parts) >= 8 else log
    text = folder / "accuracy.txt"
    named = accuracy_text.hash_of(text) if kept.is_file() and text.is_file() else ""
    if named and named != sha256(kept) and not truncation.set_aside(kept, named).is_file():
        what = f"its hash differs from that of the full log {kept}"
        yield Finding(text, what, f"{STAGE}, then make truncate_results", check="hash")


def _measurements(folder: Path, path: Path, content: dict[str, Any], claim: Claim, accuracy_dir: Path) -> Iterator[Finding]:
    for name in ("user.conf", "README.md"):
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            yield Finding(folder / name, "missing or empty", f"make populate_readme or {STAGE}", check="files")
    if not content:
        return
    for name in measurements.REQUIRED:
        if not content.get(name):
            yield Finding(path, f"the field {name} is missing or empty", STAGE, check="measurements")
    engine, other = content.get("engine"), content.get("accuracy_run_engine")
    if engine and other and engine != other:
        what = f"the accuracy run's engine is {other}, the performance run's is {engine}"
        yield Finding(path, what, claim.rerun("SubmissionRun"), check="engine")
    if claim.closed and content.get("division_note"):
        yield Finding(
            path,
            f"not allowed in the closed division: {content['division_note']}",
            "stage it with DIVISION=open",
            check="open_only",
        )
    yield from _own_targets(path, content, accuracy_dir / "accuracy.txt", claim)


def _own_targets(path: Path, content: dict[str, Any], text: Path, claim: Claim) -> Iterator[Finding]:
    """The tiny model has its own accuracy targets; the score in accuracy.txt must meet them and equal the recorded one."""
    misfits: list[str] = []
    read = MEASUREMENTS.read(content, path.name, misfits) or {}
    for misfit in misfits:
        yield Finding(path, misfit, STAGE, check="measurements")
    recorded = {entry["name"]: entry for entry in read.get("accuracy", [])}
    if not recorded or not text.is_file():
        return
    found = accuracy_text.scores(text, tuple(name for name in recorded if name in accuracy_text.PATTERNS))
    for name, value in found.items():
        if value is None:
            continue
        target = recorded[name]["threshold"]
        if value < target:
            what = f"{name} is {value:.6g}; the target is {target:.6g}"
            yield Finding(text, what, claim.rerun("AccuracyOnly"), check="accuracy")
        allowed = max(1e-6 * max(1.0, abs(value)), 1.001 * accuracy_text.resolution(text, name))
        if abs(value - recorded[name]["value"]) > allowed:
            yield Finding(text, f"{name} is {value}, but {path.name} recorded {recorded[name]['value']}", STAGE, check="accuracy")


def _power(results: Path) -> Iterator[Finding]:
    folder = results / "performance" / "power"
    if not folder.is_dir():
        return
    step = "copy it from the power run, or submit without power"
    for name in layout.POWER_FILES:
        if not (folder / name).is_file():
            yield Finding(folder / name, "the result claims power, but this file is missing", step, check="power")
    spl = results / "performance" / "run_1" / layout.POWER_LOG
    if not spl.is_file():
        yield Finding(spl, "the result claims power, but this file is missing", step, check="power")


def _audits(folder: Path, claim: Claim) -> Iterator[Finding]:
    words = f"--benchmarks={claim.result.name} --scenarios={claim.scenario}"
    step = f'make run_audit_harness RUN_ARGS="{words}" ROUND={claim.round.name}, then {STAGE}'
    for test in required_audits(claim.round, claim.result.name):
        for name in AUDIT_FILES[test]:
            path = folder / test / name
            if not path.is_file():
                yield Finding(path, f"{test} is missing or incomplete", step, check="audit")
        for name, passed in AUDIT_VERDICTS[test].items():
            path = folder / test / name
            if path.is_file() and not all(line in path.read_text(encoding="utf-8").splitlines() for line in passed):
                if name == "verify_accuracy.txt" and test == "TEST01" and _baseline(folder / test / "accuracy"):
                    continue
                yield Finding(path, f"{test} did not pass", step, check="audit")


def _baseline(folder: Path) -> bool:
    """Whether the files of TEST01's fallback by score, for results that vary between runs, exist."""
    return all((folder / name).is_file() for name in ("baseline_accuracy.txt", "compliance_accuracy.txt"))


_LOGS = ("performance/run_1/mlperf_log_detail.txt", "performance/run_1/mlperf_log_summary.txt")
AUDIT_FILES: dict[str, tuple[str, ...]] = {
    "TEST01": ("verify_accuracy.txt", "verify_performance.txt", "accuracy/mlperf_log_accuracy.json", *_LOGS),
    "TEST04": ("verify_performance.txt", *_LOGS),
    "TEST05": ("verify_performance.txt", *_LOGS),
    "TEST06": ("verify_accuracy.txt", "accuracy/mlperf_log_accuracy.json"),
}
AUDIT_VERDICTS: dict[str, dict[str, tuple[str, ...]]] = {
    "TEST01": {"verify_accuracy.txt": ("TEST PASS",), "verify_performance.txt": ("TEST PASS",)},
    "TEST04": {"verify_performance.txt": ("TEST PASS",)},
    "TEST05": {"verify_performance.txt": ("TEST PASS",)},
    "TEST06": {"verify_accuracy.txt": ("EOS check pass: True", "Sample length check pass: True", "TEST06 verification complete")},
}


def _required_scenarios(root: Path, round_: Round, places: list[Place]) -> Iterator[Finding]:
    shape = LAYOUTS[round_.layout]
    for system, benchmark in dict.fromkeys((p.system, p.benchmark) for p in places if p.division == "closed"):
        same = [p for p in places if (p.system, p.benchmark, p.division) == (system, benchmark, "closed")]
        content, _ = _json(shape.system_json(root, same[0]), system)
        category = str(content.get("system_type", ""))
        wanted = required_scenarios(round_, benchmark, category)
        where = shape.results_dir(root, same[0]).parent
        if not wanted and result_named(benchmark) is not None:
            yield Finding(
                where, f"{round_.name} has no {benchmark} in closed {category}", "choose another CATEGORY", check="scenarios"
            )
        for scenario in wanted:
            if scenario not in {p.scenario for p in same}:
                step = (
                    f'make run RUN_ARGS="--benchmarks={short_name(benchmark)} --scenarios={scenario} --test_mode=SubmissionRun"'
                )
                yield Finding(where, f"closed {category} also requires {scenario}", f"{step}, then {STAGE}", check="scenarios")
        for place in same:
            if wanted and place.scenario not in wanted:
                what = f"{round_.name} has no {place.scenario} for it in closed {category}"
                yield Finding(shape.results_dir(root, place), what, "leave it out with --scenarios", check="scenarios")
