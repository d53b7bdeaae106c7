"""Staging: lay the selected results out as a round requires.

The tree is rebuilt from scratch each time and replaces the previous one atomically.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.errors import HarnessError, UsageError
from code.common.files import atomic_directory, write_json
from code.common.paths import build_dir, project_root
from code.rules.benchmarks import newest_with, required_audits, required_scenarios, result_named, rules_in, short_name
from code.rules.rounds import Round
from code.submission.audit.compliance import stored_tests
from code.submission.check import log_checks
from code.submission.check.finding import Finding, errors
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates as sources
from code.submission.stage import inference, layout, measurements, record, system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.layout import LAYOUTS, Layout, Place
from code.submission.stage.record import read_record, record_path

SOURCE_FOLDERS = ("code", "configs", "docker", "scripts", "systems", "requirements")
SOURCE_FILES = ("Makefile", "Makefile.const", "Makefile.docker", "pyproject.toml", "README.md", "LICENSE")
NOT_SOURCE = ("__pycache__", "*.pyc", ".*", "node_modules")
MEASUREMENT_FILES = ("user.conf", "README.md", "mlperf.conf", "calibration_process.adoc")


@dataclass(frozen=True)
class Staged:
    """Result of staging.

    Args:
        root: the tree.
        results: each staged result with its place in the tree and its round.
        findings: problems found; each error names a result that was left out.
    """

    root: Path
    results: tuple[tuple[Place, Round, Candidate], ...]
    findings: tuple[Finding, ...]


def submission_dir() -> Path:
    """The default folder of the staged tree."""
    return build_dir() / "submission"


def rounds_for(found: Iterable[Candidate], identity: Identity) -> dict[str, Round]:
    """Benchmark → the round it is staged for: the requested one, else the newest with that benchmark."""
    out = {}
    for one in found:
        out[one.benchmark] = identity.round or newest_with(short_name(one.benchmark))
        result = result_named(one.benchmark)
        if result is not None and result.below:
            out.setdefault(result.below, out[one.benchmark])
    return out


def check(one: Candidate, claim: Claim) -> list[Finding]:
    """Every reason not to stage a candidate."""
    found: list[Finding] = []
    if rules_in(claim.round, one.benchmark) is None:
        step = f"choose a round that has it with ROUND=…, or leave {one.benchmark} out with --benchmarks"
        found.append(Finding(one.performance, f"{claim.round.name} has no {one.benchmark}", step, check="round"))
    if claim.closed and one.open_only:
        found.append(
            Finding(
                one.performance,
                f"not allowed in closed: {one.open_only}",
                "stage it with DIVISION=open",
                check="open_only",
            )
        )
    if claim.closed and not required_scenarios(claim.round, one.benchmark, claim.category):
        what = f"{claim.round.name} has no {one.benchmark} in closed {claim.category}"
        found.append(Finding(one.performance, what, "choose another CATEGORY, or DIVISION=open", check="category"))
    if any(finding.error for finding in found):
        return found
    found += sources.sealed_findings(one)
    found += log_checks.performance(one.performance, claim)
    found += log_checks.accuracy(one.accuracy, claim)
    found += sources.pair_findings(one)
    found += sources.power_findings(one)
    return found


def stage(found: list[Candidate], findings: list[Finding], identity: Identity, root: Path, infer: bool = True) -> Staged:
    """Check the candidates and stage those that pass.

    Raises:
        UsageError: no candidate passed; the first finding is given as the reason.
        MissingError: a system description is incomplete.
    """
    round_of = rounds_for(found, identity)

    def claim_of(one: Candidate) -> Claim:
        category = system_file.category_of(one, identity)
        return Claim(one.benchmark, one.scenario, identity.division, category, round_of[one.benchmark], one.tiny)

    found, passed_over = sources.newest_eligible(found, lambda one: check(one, claim_of(one)))
    findings = [*findings, *passed_over]
    chosen = inference.inferred(found, round_of, lambda one: system_file.category_of(one, identity)) if infer else found
    findings = [*findings, *(_given_way(one, round_of[one.benchmark]) for one in found if one not in chosen)]
    good: list[tuple[Candidate, Claim]] = []
    for one in chosen:
        claim = claim_of(one)
        met = check(one, claim)
        findings = [*findings, *(f for f in met if f not in findings)]
        if not errors(met):
            good.append((one, claim))
    _require_one_layout(good)
    if not good:
        raise _nothing_staged(findings)
    results = []
    with atomic_directory(root) as fresh:
        for one, claim in good:
            place = Place(identity.division, identity.submitter, one.system, one.benchmark, one.scenario)
            findings = [*findings, *_lay_out(fresh, place, one, claim, identity)]
            results.append((place, claim.round, one))
        _common(fresh, results, identity)
    write_json(record_path(root), _record(root, results, identity))
    return Staged(root, tuple(results), tuple(findings))


def _require_one_layout(good: Iterable[tuple[Candidate, Claim]]) -> None:
    """UsageError where results need trees of different layouts."""
    rounds = [(one.benchmark, claim.round) for one, claim in good]
    if len({round_.layout for _, round_ in rounds}) > 1:
        names = ", ".join(sorted({f"{benchmark} for {round_.name}" for benchmark, round_ in rounds}))
        raise UsageError("these results need trees with different layouts", names, "stage them one round at a time with ROUND=…")


def _nothing_staged(findings: list[Finding]) -> UsageError:
    reasons = errors(findings) or findings
    first = next(iter(reasons), None)
    more = f" (and {len(reasons) - 1} more: {'; '.join(one.what for one in reasons[1:4])})" if len(reasons) > 1 else ""
    return UsageError(
        "nothing could be staged",
        f"{first.path}: {first.what}{more}" if first else "no pair of complete runs",
        (first.next_step if first else "") or 'make both with `make run RUN_ARGS="… --test_mode=SubmissionRun"`',
    )


def _given_way(one: Candidate, round_: Round) -> Finding:
    what = f"left out: a bug in the official checker at {round_.checkers[0].commit[:12]} makes it fail on {one.label}"
    return Finding(one.performance, what, "to stage it anyway: --infer=false", error=False, check="checker")


def _lay_out(root: Path, place: Place, one: Candidate, claim: Claim, identity: Identity) -> list[Finding]:
    """Write one result's files; returns findings about them."""
    shape = LAYOUTS[claim.round.layout]
    _copy(one.performance, shape.performance_dir(root, place), (*layout.PERFORMANCE_FILES, layout.POWER_LOG))
    _copy(one.accuracy, shape.accuracy_dir(root, place), layout.ACCURACY_FILES)
    for name in layout.POWER_FOLDERS:
        for folder in (one.performance / name, one.performance.parent / name):
            if folder.is_dir():
                shutil.copytree(folder, shape.results_dir(root, place) / "performance" / name, dirs_exist_ok=True)
    system_file.write(shape.system_json(root, place), one, identity)
    _measurements(root, shape, place, one, claim, identity)
    return _tests(root, shape, place, one, claim)


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _measurements(root: Path, shape: Layout, place: Place, one: Candidate, claim: Claim, identity: Identity) -> None:
    folder = shape.measurements_dir(root, place)
    folder.mkdir(parents=True, exist_ok=True)
    if one.performance_run is None:
        taken = one.tree_files.get("measurements")
        if taken is not None:
            content = measurements.read(taken)
            write_json(shape.measurements_json(root, place, _implementation_in(taken.name, place)), content)
            _copy(taken.parent, folder, MEASUREMENT_FILES)
        return
    run = one.performance_run
    write_json(shape.measurements_json(root, place, measurements.implementation(run)), measurements.content(one, claim.round))
    measurements.write_pages(folder, one, identity, claim.round)
    _copy(run.folder, folder, ("user.conf",))


def _implementation_in(name: str, place: Place) -> str:
    """The implementation in a measurements file's name; 'custom' if it names none."""
    middle = name.removeprefix(place.system).removesuffix(".json").removesuffix(place.scenario).strip("_")
    return middle or "custom"


def _tests(root: Path, shape: Layout, place: Place, one: Candidate, claim: Claim) -> list[Finding]:
    """Copy the folders of the audit tests that exist; returns a finding for missing ones."""
    target = shape.compliance_dir(root, place)
    found = stored_tests(one, claim.round)
    for name, folder in found.items():
        shutil.copytree(folder, target / name, ignore=shutil.ignore_patterns("audit.json"))
    absent = [name for name in required_audits(claim.round, claim.result.name) if name not in found]
    if not absent:
        return []
    words = f"--benchmarks={claim.result.name} --scenarios={one.measured or one.scenario}"
    step = f'make run_audit_harness RUN_ARGS="{words}" ROUND={claim.round.name}'
    what = f"{', '.join(absent)} missing" + ("" if claim.closed else " (not required in open)")
    return [Finding(one.performance, what, step, error=claim.closed, check="audit")]


def _common(root: Path, results: list[tuple[Place, Round, Candidate]], identity: Identity) -> None:
    """Write what a submitter provides once: source code and documentation."""
    place, round_, _ = results[0]
    shape = LAYOUTS[round_.layout]
    documentation = shape.documentation_dir(root, place)
    documentation.mkdir(parents=True, exist_ok=True)
    page = measurements.calibration_page([one for *_, one in results])
    (documentation / "calibration.md").write_text(page, encoding="utf-8")
    guide = project_root() / "documentation" / "submission_guide.md"
    if guide.is_file():
        shutil.copyfile(guide, documentation / "submission_guide.md")
    copy_source(shape.source_dir(root, place), sorted({place.benchmark for place, *_ in results}))


def copy_source(target: Path, benchmarks: Iterable[str]) -> None:
    """Copy the harness's source, and give each benchmark the folder that checkers look for, with a README that points to it."""
    target.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns(*NOT_SOURCE)
    for name in SOURCE_FOLDERS:
        if (project_root() / name).is_dir():
            shutil.copytree(project_root() / name, target / "harness" / name, ignore=ignore)
            _drop_empty(target / "harness" / name)
    for name in SOURCE_FILES:
        if (project_root() / name).is_file():
            (target / "harness").mkdir(exist_ok=True)
            shutil.copyfile(project_root() / name, target / "harness" / name)
    for benchmark in benchmarks:
        (target / benchmark).mkdir(exist_ok=True)
        text = f"# {benchmark}\n\nThe code is in ../harness; each result's README.md says how to run it.\n"
        (target / benchmark / "README.md").write_text(text, encoding="utf-8")


def _drop_empty(folder: Path) -> None:
    """Remove empty folders, which the official checker rejects."""
    for path in sorted((p for p in [folder, *folder.rglob("*")] if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _record(root: Path, results: list[tuple[Place, Round, Candidate]], identity: Identity) -> dict[str, Any]:
    """The record of staged results: their sources, and digests of the logs, which must not change after staging."""
    return {
        "submitter": identity.submitter,
        "division": identity.division,
        "category": identity.category,
        "results": [
            {
                **vars(place),
                "round": round_.name,
                "tiny": one.tiny,
                "performance_run": str(one.performance),
                "accuracy_run": str(one.accuracy),
                "inferred": inference.note(one),
            }
            for place, round_, one in results
        ],
        "files": record.digests(root),
    }


__all__ = ["HarnessError", "Staged", "check", "read_record", "record_path", "rounds_for", "stage", "submission_dir"]
