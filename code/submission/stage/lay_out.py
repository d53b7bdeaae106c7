"""Write one result's files, and those that a submitter provides once, into a tree."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from code.common.files import write_json
from code.common.paths import project_root
from code.rules.benchmarks import required_audits
from code.rules.rounds import Round
from code.submission.audit.compliance import stored_tests
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.stage import endpoint, endpoint_pages, layout, measurements, system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.layout import LAYOUTS, Layout, Place

SOURCE_FOLDERS = ("code", "configs", "docker", "scripts", "systems", "requirements")
SOURCE_FILES = ("Makefile", "Makefile.const", "Makefile.docker", "pyproject.toml", "README.md", "LICENSE")
NOT_SOURCE = ("__pycache__", "*.pyc", ".*", "node_modules")
MEASUREMENT_FILES = ("user.conf", "README.md", "mlperf.conf", "calibration_process.adoc")


def result(root: Path, place: Place, one: Candidate, claim: Claim, identity: Identity) -> list[Finding]:
    """Write one result's files; returns findings about them."""
    shape = LAYOUTS[claim.round.layout]
    if one.endpoint is not None:
        _lay_out_endpoint(root, shape, place, one, claim, identity)
        return []
    _copy(one.performance, shape.performance_dir(root, place), (*layout.PERFORMANCE_FILES, layout.POWER_LOG))
    _copy(one.accuracy, shape.accuracy_dir(root, place), layout.ACCURACY_FILES)
    for name in layout.POWER_FOLDERS:
        for folder in (one.performance / name, one.performance.parent / name):
            if folder.is_dir():
                shutil.copytree(folder, shape.results_dir(root, place) / "performance" / name, dirs_exist_ok=True)
    system_file.write(shape.system_json(root, place), one, identity)
    _measurements(root, shape, place, one, claim, identity)
    return _tests(root, shape, place, one, claim)


def _lay_out_endpoint(root: Path, shape: Layout, place: Place, one: Candidate, claim: Claim, identity: Identity) -> None:
    """Write the files of a result of MLCommons endpoints' client, in the form that the official checker reads."""
    assert one.endpoint is not None
    target = shape.results_dir(root, place)
    audits = sorted(path.relative_to(one.endpoint).as_posix() for path in one.endpoint.glob(f"{endpoint.AUDITS}/audit_*.json"))
    for name in (*endpoint.CONFIGS, endpoint.SUMMARY, endpoint.ACCURACY, *audits):
        if (one.endpoint / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(one.endpoint / name, target / name)
    system_file.write(shape.system_json(root, place), one, identity)
    if "measurements" in one.tree_files:
        _measurements(root, shape, place, one, claim, identity)
        return
    read, _ = endpoint.read(one.endpoint)
    write_json(shape.measurements_json(root, place, "endpoint"), endpoint_pages.content(one, read, claim.round))
    (shape.measurements_dir(root, place) / "README.md").write_text(
        endpoint_pages.readme(one, read, claim.round), encoding="utf-8"
    )


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


def common(root: Path, results: list[tuple[Place, Round, Candidate]], identity: Identity) -> None:
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
