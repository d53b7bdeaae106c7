"""power-dev's own programs with stand-ins for the analyser and the time server, and the official checker on what they leave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from code.power import session, tools
from code.power.stand_in.bench import bench
from code.rules.rounds import round_named
from code.run import power_run
from code.submission.check import official, tree_checks
from code.submission.check.finding import errors
from code.submission.pack import truncation
from code.submission.stage import candidates, staging
from tests.unit.submission import made

pytestmark = [pytest.mark.full, pytest.mark.official, pytest.mark.timeout(600)]
V61 = round_named("v6.1")
SHORT = {"target_latency": 1, "min_duration": 600000, "max_duration": 5000, "min_query_count": 1024}


@pytest.fixture
def power_dev() -> Path:
    if not os.environ.get(tools.VARIABLE):
        pytest.skip(f"{tools.VARIABLE} names no checkout of mlcommons/power-dev")
    return tools.checkout()


def test_a_dry_run_passes_power_devs_check_and_is_not_staged(project: Path, power_dev: Path, tmp_path: Path) -> None:
    variables = {**os.environ, "BUILD_DIR": str(tmp_path / "build")}
    variables.pop("LOG_DIR", None)
    words = ["--benchmarks=bert", "--scenarios=singlestream", "--min_duration=4000", "--model_variant=tiny"]
    command = [sys.executable, "-m", "code.main", "--action=power_dry_run", *words]
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "build" / "logs").rglob("metadata.json")
    power = json.loads(path.read_text())["power"]
    assert power["compliance_passed"] and power["dry_run"] and 95 < power["watts"] < 105
    assert sorted(one.name for one in (path.parent / "ranging").iterdir()) == [
        "mlperf_log_detail.txt",
        "mlperf_log_summary.txt",
        "spl.txt",
    ]
    assert not list(path.parent.rglob("ptd_out.txt")) and not list(path.parents[1].glob(".*power*"))
    found, notes = candidates.from_logs(tmp_path / "build" / "logs")
    assert not found and any("power is made up" in note.what for note in notes)


def test_the_official_checker_counts_a_power_result(power_dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get("MLPERF_INFERENCE_DIR"):
        pytest.skip("MLPERF_INFERENCE_DIR names no checkout of mlcommons/inference")
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / f"{made.SYSTEM_ID}.json").write_text(json.dumps(made.description()))
    described = "code.submission.stage.system_file.description_path"
    monkeypatch.setattr(described, lambda name: tmp_path / "systems" / f"{name}.json")
    logs = tmp_path / "logs" / made.SYSTEM_ID / "bert-99"
    made.write_run(logs / "SingleStream.2", "SingleStream", "AccuracyOnly")
    result, ranging, out = logs / "SingleStream", tmp_path / "logs" / "ranging", Path(tempfile.mkdtemp(dir=tmp_path)) / "out"

    def run(phase: str) -> None:
        made.write_run(result if phase == "testing" else ranging, "SingleStream", "PerformanceOnly", conf=SHORT)

    with bench(power_dev, tmp_path / "bench") as meter:
        session.measure(power_dev, meter, tmp_path / "logs", out, run)
    found = tools.compliance(power_dev, out)
    assert found.passed, found.problems
    power_run.take(out, result)
    shutil.rmtree(ranging)
    chosen, notes = candidates.from_logs(tmp_path / "logs")
    staging.stage(chosen, notes, made.who(), tmp_path / "tree", infer=False)
    truncation.truncate(tmp_path / "tree")
    wrong = errors(tree_checks.preflight(tmp_path / "tree", V61))
    assert [one.what for one in wrong if one.check == "power"] == [
        "a stand-in for the analyser took the samples: `make power_dry_run` measures nothing"
    ]
    place, checker = official.checkout(V61.checkers)
    report = official.check(tmp_path / "tree", V61, "", tmp_path / "summary.csv", place, checker)
    assert report.passed, report.errors
    assert any("Power Results=1" in line for line in report.verdict), report.verdict
    assert any("looks OK" in line for line in report.verdict), report.verdict
