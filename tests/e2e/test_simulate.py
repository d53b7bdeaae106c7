"""`make simulate`: predictions on systems of every kind, of models of every source, and none of them can be staged."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.in_process import called

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(300)]
BRIEF = ("--min_duration=1000", "--min_query_count=20000")
"""For predictions that need not be of ten minutes: a Server search simulates dozens of tests."""


@pytest.fixture(scope="module", autouse=True)
def built(project: Path) -> None:
    if not (Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")


def simulate(*words: str) -> subprocess.CompletedProcess[str]:
    return called("--action=simulate", *words)


def as_json(*words: str) -> list[dict[str, Any]]:
    done = simulate(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_make_predicts_and_passes_errors_on(project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    words = "--benchmarks=bert --scenarios=offline --system=CPU_x86_64"
    for more, status in (("--json", 0), ("--service_model=none_such", 2)):
        command = ["make", "simulate", f"RUN_ARGS={words} {more}"]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == status and (f"Error {status}" in done.stderr) == bool(status), done.stderr
        assert status or json.loads(done.stdout)[0]["simulated"]


def test_an_eight_gpu_system_is_predicted_with_its_bounds() -> None:
    offline, server = as_json("--benchmarks=bert", "--scenarios=offline,server", "--system=ND_H100_v5", *BRIEF)
    assert offline["simulated"] and server["simulated"]
    assert 65_000 < offline["result"] < 78_000
    assert offline["low"]["result"] < offline["result"] < offline["high"]["result"]
    assert server["valid"] and server["high"]["percentile_ns"] < server["percentile_ns"] < server["low"]["percentile_ns"]
    assert "public results" in server["source"]


def test_a_rate_above_what_the_devices_complete_is_invalid() -> None:
    words = ("--benchmarks=bert", "--scenarios=server", "--system=A100_SXM4_40GBx8", "--server_target_qps=60000")
    (found,) = as_json(*words, *BRIEF)
    assert not found["valid"] and "target_latency" in found["reasons"]
    assert found["limited_by"].startswith("the devices")


def test_a_processor_is_simulated_at_its_configs_rate() -> None:
    (processor,) = as_json("--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64")
    assert processor["result"] > 0 and "expected rate" in processor["source"]


def test_a_sweep_shows_what_a_field_changes() -> None:
    words = ("--benchmarks=bert", "--scenarios=server", "--system=L4x1", "--service_model=config", "--sweep=server_target_qps")
    done = simulate(*BRIEF, *words)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("(* the config's)") :]
    assert " * " in table and "VALID" in table and "INVALID" in table
    wrong = simulate(*words[:-1], "--sweep=server_target_qp")
    assert wrong.returncode == 2 and "server_target_qps" in wrong.stderr


def test_a_model_that_is_not_there_is_a_usage_error() -> None:
    done = simulate("--benchmarks=bert", "--scenarios=server", "--system=L4x1", "--service_model=none_such")
    assert done.returncode == 2 and "unknown service-time model" in done.stderr


def test_a_device_that_computes_two_batches_at_once_has_twice_the_rate(tmp_path: Path) -> None:
    rates = []
    for at_once in (1, 2):
        file = tmp_path / f"{at_once}.json"
        times = {"batches": [1, 64], "lengths": [1, 384], "microseconds": [[1000, 2000], [10_000, 40_000]], "at_once": at_once}
        file.write_text(json.dumps(times))
        words = ("--benchmarks=bert", "--scenarios=offline", "--system=L4x1", f"--simulated_table={file}")
        (found,) = as_json(*words)
        rates.append(found["result"])
    assert rates[1] / rates[0] == pytest.approx(2, rel=0.01)


def test_a_simulation_leaves_nothing_but_its_record(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_DIR", str(tmp_path / "engines"))
    build_dir = Path(os.environ.get("BUILD_DIR", project / "build"))
    tables = set((build_dir / "graphs" / "simulated").glob("*"))
    as_json("--benchmarks=bert", "--scenarios=server", "--system=L4x1", *BRIEF)
    assert not (tmp_path / "engines").exists() or not list((tmp_path / "engines").rglob("*"))
    assert not list((build_dir / "simulations").glob("bert-99-Server-*"))
    assert set((build_dir / "graphs" / "simulated").glob("*")) == tables


def test_real_time_takes_the_service_times_that_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_DIR", str(tmp_path / "engines"))
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    words = ("--benchmarks=bert", "--scenarios=offline", "--system=L4x1")
    (public,) = as_json(*words)
    (config,) = as_json(*words, "--service_model=config")
    assert abs(public["result"] / config["result"] - 1) > 0.01, "the two models differ, or this test shows nothing"
    done = simulate(*words, "--real_time", "--fast", "--min_duration=6000")
    assert done.returncode == 0, done.stderr
    (metadata,) = (tmp_path / "logs").rglob("metadata.json")
    found = json.loads(metadata.read_text())
    assert found["simulated"] and found["result_samples_per_second"] == pytest.approx(public["result"], rel=0.01)
    assert not list((tmp_path / "engines").rglob("engine.json"))


@pytest.mark.parametrize("option", ["--json", "--sweep=gpu_batch_size"])
def test_what_only_virtual_time_has_is_refused_in_real_time(option: str) -> None:
    done = simulate("--benchmarks=bert", "--scenarios=offline", "--system=L4x1", "--real_time", option)
    assert done.returncode == 2 and "exclude each other" in done.stdout + done.stderr


@pytest.mark.parametrize(("field", "words"), [("server_target_qp", "did you mean"), ("precision", "nothing to vary")])
def test_a_field_that_cannot_be_varied_is_refused_before_anything_is_simulated(field: str, words: str) -> None:
    done = simulate("--benchmarks=bert", "--scenarios=server", "--system=L4x1", f"--sweep={field}")
    assert done.returncode == 2 and words in done.stderr
    assert "a prediction" not in done.stdout


def test_a_benchmark_of_few_samples_reaches_the_predicted_rate() -> None:
    (found,) = as_json("--benchmarks=3d-unet", "--scenarios=offline", "--system=ND_H100_v5")
    predicted = float(found["source"].split()[1])
    assert found["result"] == pytest.approx(predicted, rel=0.01)


def test_a_text_generators_server_rate_comes_with_a_warning() -> None:
    (found,) = as_json("--benchmarks=gptj", "--scenarios=server", "--system=L4x1", *BRIEF)
    assert "continuous batching" in found["warning"]
    (offline,) = as_json("--benchmarks=gptj", "--scenarios=offline", "--system=L4x1")
    assert "warning" not in offline
