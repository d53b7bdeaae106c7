"""The engine over Triton's C API: what every engine of the C++ harness has to pass, with a real server in its process.

Needs `make build` and `make triton`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.base import backend
from code.backends.triton import package, repository
from code.backends.triton.config import Instances, Settings
from code.common.errors import MissingError, RunError
from code.harness.schema.options import TritonInProcessOptions
from code.harness.schema.run_spec import RunSpec
from code.run import launch, triton_server, triton_time
from code.run.places import THIS_MACHINE, Surrounded
from tests.e2e.test_cpp_harness import (  # fixtures among them
    SAMPLES,
    SCENARIOS,
    answers,
    build,  # noqa: F401
    engine,  # noqa: F401
    segmenter,  # noqa: F401
    sequences,  # noqa: F401
    spec,
    volumes,  # noqa: F401
)

try:
    INSTALLED = bool(package.library(package.installation(None)))
except MissingError:
    INSTALLED = False
ABSENT = "Triton is not installed; `make triton` installs it"
pytestmark = [
    *(pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(1800)),
    *([] if INSTALLED else [pytest.mark.absent(ABSENT)]),
]
TINY = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
MODELS = ("model_0", "model_1")


def place() -> Surrounded:
    """Where a harness process finds what Triton's Python backend needs."""
    return Surrounded(THIS_MACHINE, {**package.server_environment(package.installation(None)), "PYTHONPATH": ""})


def options(folder: Path, graph: Path, built: Path, models: tuple[str, ...], runtime: str, batch: int) -> TritonInProcessOptions:
    """A repository in `folder` that serves an engine under some names, and how it is asked."""
    listed = [repository.Served(name, built, "fp32", Instances(2), 1) for name in models]
    repository.write(folder / "models", runtime, graph, batch, listed, Settings())
    server = package.installation(None)
    return TritonInProcessOptions(
        library=str(package.library(server)),
        backends=str(package.backends_for(server)),
        repository=str(folder / "models"),
        models=models,
        region_prefix=f"{triton_server.REGIONS}{os.getpid()}-test-",
        log=str(folder / triton_server.LOG),
        statistics=str(folder / triton_time.STATISTICS_FILE),
    )


def served(run: RunSpec, folder: Path, graph: Path, runtime: str = "openvino") -> RunSpec:
    """The run with its engines in a server."""
    built = Path(run.engines[0].folder)
    if runtime != "openvino":
        built = folder / "engine"
        built.mkdir()
        backend(runtime).build(graph, {"precision": "fp32"}, built)
    way = options(folder, graph, built, MODELS, runtime, run.batch.max_samples)
    return dataclasses.replace(run, engines=(dataclasses.replace(run.engines[0], backend="triton_in_process", options=way),))


def regions() -> list[Path]:
    """What the Python backends of this process's servers left."""
    return list(triton_server.SHM.glob(f"{triton_server.REGIONS}{os.getpid()}-test-*"))


@pytest.fixture(autouse=True)
def clean() -> Any:
    """A server that ended as it should leaves no shared memory."""
    yield
    left = regions()
    triton_server.remove_regions(f"{triton_server.REGIONS}{os.getpid()}-test-")
    assert not left


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_answers_are_those_of_the_engine_itself(
    scenario: str,
    runtime: str,
    build: Path,  # noqa: F811
    engine: Path,  # noqa: F811
    sequences: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    direct = spec(tmp_path / "direct", engine, sequences, scenario)
    launch.run(direct, scenario, "python")
    asked = served(spec(tmp_path / "served", engine, sequences, scenario), tmp_path / "served", engine / "model.onnx", runtime)
    launch.run(asked, scenario, "cpp", place())
    expected, found = answers(tmp_path / "direct"), answers(tmp_path / "served")
    assert expected.keys() == found.keys() == set(range(SAMPLES))
    for index, wanted in expected.items():
        np.testing.assert_allclose(found[index], wanted, rtol=1e-5, atol=1e-6)
    triton_time.record_in_process(tmp_path / "served", "library")
    spent = triton_time.recorded(tmp_path / "served")["triton_time"]
    assert spent["requests"] > 0 and spent["total_s"] >= spent["compute_s"] > 0


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_volumes_are_segmented_as_by_the_engine_itself(
    scenario: str,
    build: Path,  # noqa: F811
    segmenter: Path,  # noqa: F811
    volumes: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    found = {}
    for way in ("direct", "served"):
        run = spec(tmp_path / way, segmenter, volumes, scenario, benchmark="3d-unet")
        conf = (tmp_path / way / "user.conf").read_text().replace("bert.", "3d-unet.").replace(str(SAMPLES), "6")
        (tmp_path / way / "user.conf").write_text(conf)
        if way == "served":
            run = served(run, tmp_path / way, segmenter / "model.onnx")
        launch.run(run, scenario, "cpp", place())
        log = json.loads((tmp_path / way / "mlperf_log_accuracy.json").read_text())
        found[way] = {entry["qsl_idx"]: np.frombuffer(bytes.fromhex(entry["data"]), np.uint8) for entry in log}
    assert found["direct"].keys() == found["served"].keys() == set(range(6))
    for index, wanted in found["direct"].items():
        assert np.mean(found["served"][index] != wanted) < 1e-4


def test_devices_share_one_server(
    build: Path,  # noqa: F811
    engine: Path,  # noqa: F811
    sequences: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    run = spec(tmp_path / "run", engine, sequences, "Offline", devices=2)
    launch.run(served(run, tmp_path / "run", engine / "model.onnx"), "Offline", "cpp", place())
    assert answers(tmp_path / "run").keys() == set(range(SAMPLES))
    usage = json.loads((tmp_path / "run" / "devices.json").read_text())
    assert sum(row["samples"] for row in usage) == SAMPLES and len(usage) == 2
    after = json.loads((tmp_path / "run" / triton_time.STATISTICS_FILE).read_text())["after"]["model_stats"]
    assert {one["name"] for one in after} == set(MODELS)
    assert all(one["inference_stats"]["success"]["count"] > 0 for one in after)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_performance_runs_end_valid(
    scenario: str,
    build: Path,  # noqa: F811
    engine: Path,  # noqa: F811
    sequences: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    run = spec(tmp_path / "run", engine, sequences, scenario, test_mode="PerformanceOnly")
    launch.run(served(run, tmp_path / "run", engine / "model.onnx"), scenario, "cpp", place())
    assert "Result is :" in (tmp_path / "run" / "mlperf_log_summary.txt").read_text()


def test_an_engine_that_cannot_be_loaded_ends_the_run_with_its_words(
    build: Path,  # noqa: F811
    engine: Path,  # noqa: F811
    sequences: dict[str, Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "engine.blob").write_bytes(b"nothing")
    run = spec(tmp_path / "run", tmp_path / "broken", sequences, "Offline")
    with pytest.raises(RunError, match="the Triton server did not start") as failed:
        launch.run(served(run, tmp_path / "run", engine / "model.onnx"), "Offline", "cpp", place())
    assert "model_0: " in failed.value.why and "OpenVINO cannot load the engine" in failed.value.why


def test_the_engines_own_tests_pass_with_a_server(build: Path, tmp_path: Path) -> None:  # noqa: F811
    """code/harness/cpp/tests/triton_test.cc."""
    program = build / "bin" / "harness_tests"
    if not program.is_file():
        pytest.skip("GoogleTest was not found at build time (Debian: libgtest-dev)")
    built = tmp_path / "engine"
    built.mkdir()
    backend("openvino").build(TINY, {"precision": "fp32"}, built)
    way = dataclasses.asdict(options(tmp_path, TINY, built, ("bert_0",), "openvino", 4))
    broken = tmp_path / "broken"
    (broken / "engine").mkdir(parents=True)
    (broken / "engine" / "engine.blob").write_bytes(b"nothing")
    way["broken"] = options(broken, TINY, broken / "engine", ("bert_0",), "openvino", 4).repository
    variables = {**os.environ, **package.server_environment(package.installation(None)), "TRITON_OPTIONS": json.dumps(way)}
    variables.pop("PYTHONPATH", None)
    done = subprocess.run([str(program), "--gtest_filter=Triton*"], env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout and "[  PASSED  ] 10 tests" in done.stdout, done.stdout


@pytest.mark.full
def test_the_accuracy_log_is_that_of_the_direct_run(build: Path, project: Path, tmp_path: Path) -> None:  # noqa: F811
    """Tiny BERT by `make`'s own command line: LoadGen's log of all answers is byte for byte the same."""
    import sys

    logs = {}
    for way in ("default", "triton_unified"):
        folder = tmp_path / way
        words = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--test_mode=AccuracyOnly", f"--config_ver={way}"]
        words += ["--harness_lang=cpp", "--offline_expected_qps=100", "--share_devices", f"--log_dir={folder}"]
        done = subprocess.run([sys.executable, "-m", "code.main", *words], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (log,) = folder.rglob("mlperf_log_accuracy.json")
        logs[way] = sorted(line.strip(" ,\n") for line in log.read_text().splitlines())
    assert logs["default"] == logs["triton_unified"] and len(logs["default"]) > 100
    (record,) = (tmp_path / "triton_unified").rglob("metadata.json")
    assert json.loads(record.read_text())["triton_protocol"] == "in_process"
