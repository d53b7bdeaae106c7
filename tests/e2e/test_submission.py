"""From runs to an encrypted tarball, by the command line, as `make` calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from code.common.errors import HarnessError
from code.machine.detect import detect
from code.systems.matching import match
from tests.e2e.in_process import called
from tests.unit.submission import made

WHO = ["--submitter=Example", "--division=open", "--category=edge", "--status=available", "--round=v6.1"]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder with the runs of one scenario on this machine."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    for name in ("LOG_DIR", "MLPERF_INFERENCE_DIR"):
        monkeypatch.delenv(name, raising=False)
    try:
        system_id = match(detect()).system_id
    except HarnessError as error:
        pytest.skip(f"this machine matches no known system: {error.what}")
    folder = tmp_path / "build"
    parent = folder / "logs" / "2026.01.01-00.00.00" / system_id / "bert-99"
    made.write_run(parent / "SingleStream", "SingleStream", "PerformanceOnly", system_id=system_id)
    made.write_run(parent / "SingleStream.2", "SingleStream", "AccuracyOnly", system_id=system_id)
    return folder


def harness(build: Path, action: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One action in this process, on a build folder of its own."""
    return called(f"--action={action}", *words, BUILD_DIR=str(build), **environment)


@pytest.fixture
def toml(tmp_path: Path) -> str:
    """A submission.toml that describes the whole system."""
    path = tmp_path / "submission.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in made.SYSTEM_FIELDS.items()]
    path.write_text("[system]\n" + "\n".join(lines) + "\n")
    return f"--submission_file={path}"


def test_the_whole_way(build: Path, toml: str, tmp_path: Path) -> None:
    done = harness(build, "list_results", "--json")
    assert done.returncode == 0, done.stderr
    assert {one["mode"]: one["verdict"] for one in json.loads(done.stdout)} == {
        "PerformanceOnly": "INVALID, open only",
        "AccuracyOnly": "PASSED",
    }
    done = harness(build, "stage_results", *WHO)
    assert done.returncode == 3 and "[system]" in done.stderr, "values that cannot be detected are requested"
    done = harness(build, "stage_results", toml, *WHO)
    assert done.returncode == 0, done.stderr
    assert "the SingleStream run is used for Offline" in done.stdout
    assert harness(build, "populate_readme").returncode == 0
    done = harness(build, "check_submission")
    assert done.returncode == 4 and "make truncate_results" in done.stderr
    assert harness(build, "pack_submission").returncode == 2, "a tree with errors is not packed"
    assert harness(build, "truncate_results").returncode == 0
    done = harness(build, "check_submission", MLPERF_INFERENCE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "only the preflight ran" in done.stderr
    done = harness(build, "pack_submission")
    assert done.returncode == 0 and (build / "summary.csv").is_file(), done.stderr
    if shutil.which("openssl"):
        (tmp_path / "secret").write_text("a passphrase\n")
        done = harness(build, "encrypt_submission", f"--passphrase_file={tmp_path / 'secret'}")
        assert done.returncode == 0 and "SHA-256" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("action", "words", "status", "says"),
    [
        ("stage_results", [], 3, "submitter, division, category, status must be given"),
        ("stage_results", [*WHO, "--round=v5.1"], 2, "given twice"),
        ("stage_results", [*WHO[:-1], "--round=v7.0"], 2, "round cannot be 'v7.0'"),
        ("stage_results", ["--division=opem"], 2, "the nearest is 'open'"),
        ("stage_results", [*WHO, "--log_dir=/nonexistent"], 3, "no runs in"),
        ("stage_results", [*WHO, "--from_tree=/nonexistent"], 3, "no results in"),
        ("truncate_results", [], 3, "no submission tree at"),
        ("check_submission", [], 3, "no results in"),
        ("pack_submission", [], 3, "no results in"),
        ("encrypt_submission", [], 3, "make pack_submission"),
        ("populate_readme", [], 3, "make stage_results"),
        ("compare", [], 2, "two results are needed"),
        ("compare", ["--a=x", "--b=y"], 2, "neither 'x' nor 'y'"),
        ("report", [], 3, "no complete run in"),
        ("run_audit_harness", ["--benchmarks=bert", "--scenarios=offline", "--audit_test=TEST9"], 2, "unknown audit test"),
        (
            "run_audit_harness",
            ["--benchmarks=bert", "--scenarios=offline"],
            3,
            "an audit needs a PerformanceOnly and AccuracyOnly",
        ),
    ],
)
def test_what_goes_wrong_is_said_in_clear_words(tmp_path: Path, action: str, words: list[str], status: int, says: str) -> None:
    build = tmp_path / "build"
    done = called(f"--action={action}", *words, BUILD_DIR=str(build), LOG_DIR=str(build / "logs"))
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_leftover_audit_config_stops_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "audit.config").write_text("*.*.mode = 2\n")
    words = ("--benchmarks=bert", "--scenarios=offline", f"--log_dir={tmp_path / 'logs'}")
    done = harness(tmp_path / "build", "run_harness", *words)
    assert done.returncode == 2 and "leftover" in done.stderr
