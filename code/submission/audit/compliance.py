"""build/compliance_logs: stored audit tests by system, benchmark, scenario and round."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from code.backends import store
from code.common import jsonfile
from code.common.errors import MissingError
from code.common.paths import build_dir
from code.rules.benchmarks import newest_with, result_named
from code.rules.rounds import Round
from code.submission.stage import runs
from code.submission.stage.candidates import Candidate
from code.submission.stage.runs import Run

RECORD = "audit.json"


def compliance_dir() -> Path:
    """The folder of verified audit tests."""
    return build_dir() / "compliance_logs"


def test_dir(run: Run, test: str) -> Path:
    """The folder of one test of a run's workload: TEST01, or TEST01.v5.0 if the run has the seeds of a round other than its
    benchmark's newest, so that the audits of different rounds do not replace each other."""
    result = result_named(run.benchmark)
    other = runs.other_round(run, newest_with(result.name)) if result else ""
    return compliance_dir().joinpath(*run.key, f"{test}.{other}" if other else test)


def read_record(folder: Path) -> dict[str, Any]:
    """The content of an audit's audit.json; {} if it is missing or invalid."""
    return jsonfile.object_or_empty(folder / RECORD)


def require_engines(folders: Iterable[Path]) -> None:
    """MissingError for an engine of the audited run that is gone or damaged."""
    for folder in folders:
        if reason := store.damage(folder):
            raise MissingError(
                f"engine {folder.name} no longer exists, or is damaged: {reason}",
                "an audit needs the engine of the performance run",
                "run `make generate_engines` with the same RUN_ARGS",
            )


def stored_tests(one: Candidate, round_: Round) -> dict[str, Path]:
    """Test → folder of every audit test that passed for a candidate, with the same engine and the round's seeds."""
    if "compliance" in one.tree_files:
        return {path.name: path for path in sorted(one.tree_files["compliance"].glob("TEST*")) if path.is_dir()}
    run = one.performance_run
    if run is None:
        return {}
    benchmark, scenario = one.stands_for or one.benchmark, one.measured or one.scenario
    root = compliance_dir() / one.system / benchmark / scenario
    found = {}
    for folder in sorted(root.glob("TEST*")):
        record = read_record(folder)
        if record.get("passed") and record.get("engine") == run.engine and record.get("seeds") == dict(round_.seeds):
            found[str(record["test"])] = folder
    return found
