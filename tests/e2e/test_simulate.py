"""`make simulate`: predictions on systems of every kind, of models of every source, and none of them can be staged."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def built(project: Path) -> None:
    if not (Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")


def simulate(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    arguments = f"RUN_ARGS={' '.join(words)}"
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "simulate", arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=280)


def as_json(project: Path, *words: str) -> list[dict[str, Any]]:
    done = simulate(project, *words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_an_eight_gpu_system_is_predicted_with_its_bounds(project: Path) -> None:
    offline, server = as_json(project, "--benchmarks=bert", "--scenarios=offline,server", "--system=ND_H100_v5")
    assert offline["simulated"] and server["simulated"]
    assert 65_000 < offline["result"] < 78_000
    assert offline["low"]["result"] < offline["result"] < offline["high"]["result"]
    assert server["valid"] and server["high"]["percentile_ns"] < server["percentile_ns"] < server["low"]["percentile_ns"]
    assert "public results" in server["source"]


def test_a_rate_above_what_the_devices_complete_is_invalid(project: Path) -> None:
    words = ("--benchmarks=bert", "--scenarios=server", "--system=A100_SXM4_40GBx8", "--server_target_qps=60000")
    (found,) = as_json(project, *words)
    assert not found["valid"] and "target_latency" in found["reasons"]
    assert found["limited_by"].startswith("the devices")


def test_a_processor_is_simulated_at_its_configs_rate(project: Path) -> None:
    (processor,) = as_json(project, "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64")
    assert processor["result"] > 0 and "expected rate" in processor["source"]


def test_a_sweep_shows_what_a_field_changes(project: Path) -> None:
    words = ("--benchmarks=bert", "--scenarios=server", "--system=L4x1", "--service_model=config", "--sweep=server_target_qps")
    done = simulate(project, *words)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("(* the config's)") :]
    assert " * " in table and "VALID" in table and "INVALID" in table
    wrong = simulate(project, *words[:-1], "--sweep=server_target_qp")
    assert "Error 2" in wrong.stderr and "server_target_qps" in wrong.stderr


def test_a_model_that_is_not_there_is_a_usage_error(project: Path) -> None:
    done = simulate(project, "--benchmarks=bert", "--scenarios=server", "--system=L4x1", "--service_model=none_such")
    assert "Error 2" in done.stderr and "unknown service-time model" in done.stderr


def test_a_device_that_computes_two_batches_at_once_has_twice_the_rate(project: Path, tmp_path: Path) -> None:
    rates = []
    for at_once in (1, 2):
        file = tmp_path / f"{at_once}.json"
        times = {"batches": [1, 64], "lengths": [1, 384], "microseconds": [[1000, 2000], [10_000, 40_000]], "at_once": at_once}
        file.write_text(json.dumps(times))
        words = ("--benchmarks=bert", "--scenarios=offline", "--system=L4x1", f"--simulated_table={file}")
        (found,) = as_json(project, *words)
        rates.append(found["result"])
    assert rates[1] / rates[0] == pytest.approx(2, rel=0.01)


def test_a_simulation_leaves_nothing_but_its_record(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_DIR", str(tmp_path / "engines"))
    build_dir = Path(os.environ.get("BUILD_DIR", project / "build"))
    tables = set((build_dir / "graphs" / "simulated").glob("*"))
    as_json(project, "--benchmarks=bert", "--scenarios=server", "--system=L4x1")
    assert not (tmp_path / "engines").exists() or not list((tmp_path / "engines").rglob("*"))
    assert not list((build_dir / "simulations").glob("bert-99-Server-*"))
    assert set((build_dir / "graphs" / "simulated").glob("*")) == tables


def test_real_time_takes_the_service_times_that_were_asked_for(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_DIR", str(tmp_path / "engines"))
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    words = ("--benchmarks=bert", "--scenarios=offline", "--system=L4x1")
    (public,) = as_json(project, *words)
    (config,) = as_json(project, *words, "--service_model=config")
    assert abs(public["result"] / config["result"] - 1) > 0.01, "the two models differ, or this test shows nothing"
    done = simulate(project, *words, "--real_time", "--fast")
    assert done.returncode == 0, done.stderr
    (metadata,) = (tmp_path / "logs").rglob("metadata.json")
    found = json.loads(metadata.read_text())
    assert found["simulated"] and found["result_samples_per_second"] == pytest.approx(public["result"], rel=0.01)
    assert not list((tmp_path / "engines").rglob("engine.json"))


@pytest.mark.parametrize("option", ["--json", "--sweep=gpu_batch_size"])
def test_what_only_virtual_time_has_is_refused_in_real_time(option: str, project: Path) -> None:
    done = simulate(project, "--benchmarks=bert", "--scenarios=offline", "--system=L4x1", "--real_time", option)
    assert "Error 2" in done.stderr and "exclude each other" in done.stdout + done.stderr


@pytest.mark.parametrize(("field", "words"), [("server_target_qp", "did you mean"), ("precision", "nothing to vary")])
def test_a_field_that_cannot_be_varied_is_refused_before_anything_is_simulated(field: str, words: str, project: Path) -> None:
    done = simulate(project, "--benchmarks=bert", "--scenarios=server", "--system=L4x1", f"--sweep={field}")
    assert "Error 2" in done.stderr and words in done.stderr
    assert "a prediction" not in done.stdout


def test_a_benchmark_of_few_samples_reaches_the_predicted_rate(project: Path) -> None:
    (found,) = as_json(project, "--benchmarks=3d-unet", "--scenarios=offline", "--system=ND_H100_v5")
    predicted = float(found["source"].split()[1])
    assert found["result"] == pytest.approx(predicted, rel=0.01)


def test_a_text_generators_server_rate_comes_with_a_warning(project: Path) -> None:
    (found,) = as_json(project, "--benchmarks=gptj", "--scenarios=server", "--system=L4x1")
    assert "continuous batching" in found["warning"]
    (offline,) = as_json(project, "--benchmarks=gptj", "--scenarios=offline", "--system=L4x1")
    assert "warning" not in offline
