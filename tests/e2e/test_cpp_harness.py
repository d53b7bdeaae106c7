"""The C++ harness: it builds, its own tests pass, and it answers as the Python harness does."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from code.common.errors import MissingError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import DATASETS, of_benchmark
from code.harness.schema.options import OPTIONS, NoOptions
from code.harness.schema.run_spec import SCHEMA, BatchSettings, DeviceEntry, EngineEntry, LogSettings, RunSpec
from code.run import launch
from tests import run_documents as documents
from tests.e2e.sequences import random_sequences

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(1800)]
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
SAMPLES = 96


@pytest.fixture(scope="session")
def build(project: Path) -> Path:
    """The folder of the C++ build, made by the script that `make build` calls."""
    folder = Path(os.environ.get("BUILD_DIR", project / "build")).resolve()
    if not (folder / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")
    done = subprocess.run([str(project / "scripts" / "build_harness.sh"), sys.executable], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "cmake"


def test_a_second_build_does_nothing(project: Path, build: Path) -> None:
    binary = build.parent / "bin" / "harness"
    before = binary.stat().st_mtime_ns
    done = subprocess.run([str(project / "scripts" / "build_harness.sh"), sys.executable], capture_output=True, text=True)
    assert (done.returncode, done.stdout, binary.stat().st_mtime_ns) == (0, "", before)


def test_without_a_compiler_the_build_says_what_to_install(project: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CXX": "/nowhere/c++", "BUILD_DIR": str(tmp_path)}
    done = subprocess.run(
        [str(project / "scripts" / "build_harness.sh"), sys.executable], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 3
    assert "no C++ compiler" in done.stderr and "--harness_lang=python" in done.stderr


def test_a_tree_in_another_place_begins_anew(project: Path, build: Path, tmp_path: Path) -> None:
    """A container mounts the tree elsewhere, and CMake refuses a cache of another place. Configured for real, not compiled."""
    binaries, folder = tmp_path / "bin", tmp_path / "build"
    binaries.mkdir()
    shutil.copytree(build.parent / "loadgen", folder / "loadgen")
    (binaries / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (binaries / "cmake").write_text(
        f'#!/bin/sh\n[ "$1" = --build ] && mkdir -p "$2/bin" && exec touch "$2/bin/harness"\nexec "{cmake}" "$@"\n'
    )
    for name in ("python", "cmake"):
        (binaries / name).chmod(0o755)
    for name in ("outside", "inside", "inside"):
        tree = tmp_path / name
        for part in ("scripts", "code/harness/cpp", "requirements"):
            shutil.copytree(project / part, tree / part, dirs_exist_ok=True)
        done = subprocess.run(
            [str(tree / "scripts" / "build_harness.sh"), str(binaries / "python")],
            capture_output=True,
            text=True,
            env={**os.environ, "BUILD_DIR": str(folder)},
        )
        assert done.returncode == 0, done.stderr
        assert f"CMAKE_HOME_DIRECTORY:INTERNAL={tree}/code/harness/cpp" in (folder / "cmake" / "CMakeCache.txt").read_text()


@pytest.mark.alone
def test_unit_and_process_tests(build: Path) -> None:
    if not (build / "tests").is_dir() or "harness_tests" not in (build / "build.ninja").read_text():
        pytest.skip("GoogleTest was not found when the C++ harness was built (Debian: libgtest-dev)")
    ctest = Path(sys.executable).with_name("ctest")
    command = [str(ctest) if ctest.exists() else "ctest", "--test-dir", str(build), "--output-on-failure", "--parallel", "10"]
    done = subprocess.run(command, capture_output=True, text=True)  # they mostly wait
    assert done.returncode == 0, done.stdout[-8000:]
    assert "100% tests passed" in done.stdout and "No tests were found" not in done.stdout


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small OpenVINO engine with BERT's inputs and outputs: an embedding whose rows the mask picks, so that padding shows."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from code.backends.openvino import BACKEND

    names = ("input_ids", "input_mask", "segment_ids")
    table = np.random.default_rng(1).standard_normal((64, 2)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["input_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["segment_ids"], ["segment"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["kept", "segment"], ["weight"]),
        helper.make_node("Unsqueeze", ["weight", "last"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["scores"]),
        helper.make_node("Split", ["scores"], ["start", "end"], axis=2, num_outputs=2),
        helper.make_node("Squeeze", ["start", "last"], ["output_start_logits"]),
        helper.make_node("Squeeze", ["end", "last"], ["output_end_logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in names],
        [helper.make_tensor_value_info(f"output_{n}_logits", TensorProto.FLOAT, ["batch", "length"]) for n in ("start", "end")],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2], dtype=np.int64), "last")],
    )
    folder = tmp_path_factory.mktemp("engine")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    BACKEND.build(folder / "model.onnx", {"precision": "fp32"}, folder)
    return folder


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random token sequences in the layout of preprocessed BERT data."""
    return {**random_sequences(tmp_path_factory.mktemp("data"), SAMPLES, 64, seed=2), "usual_count": 10833}


def spec(folder: Path, engine: Path, dataset: dict[str, Any], scenario: str, devices: int = 1, **changed: Any) -> RunSpec:
    folder.mkdir(exist_ok=True)
    conf = {"performance_sample_count_override": SAMPLES, "target_qps": 2000, "min_duration": 300, "min_query_count": 100}
    (folder / "user.conf").write_text("".join(f"bert.{scenario}.{key} = {value}\n" for key, value in conf.items()))
    cores = sorted(os.sched_getaffinity(0))
    entry = EngineEntry("openvino", str(engine), "fp32", NoOptions())
    one = DeviceEntry(0, "node 0", 0, (), 2, 2)
    several = tuple(DeviceEntry(n, f"node {n}", 0, (cores[n % len(cores)],), 1, 1) for n in range(devices))
    content: dict[str, Any] = {
        "benchmark": "bert",
        "scenario": scenario,
        "test_mode": "AccuracyOnly",
        "output_dir": str(folder),
        "user_conf": str(folder / "user.conf"),
        "audit_conf": "",
        "engines": (entry,),
        "devices": several if devices > 1 else (one,),
        "batch": BatchSettings(8, 0.0, 0.0625),
        "dataset": of_benchmark(dataset),
        "log": LogSettings(copy_summary_to_stdout=False),
        "warmup_s": 0.1,
    }
    return RunSpec(**{**content, **changed})


def answers(folder: Path) -> dict[int, NDArray[np.float32]]:
    log = json.loads((folder / "mlperf_log_accuracy.json").read_text())
    return {entry["qsl_idx"]: np.frombuffer(bytes.fromhex(entry["data"]), np.float32) for entry in log}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_both_harnesses_answer_alike(scenario: str, build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    found = {}
    for language in ("python", "cpp"):
        launch.run(spec(tmp_path / language, engine, sequences, scenario), scenario, language)
        found[language] = answers(tmp_path / language)
    assert found["python"].keys() == found["cpp"].keys() == set(range(SAMPLES))
    lengths = np.load(Path(sequences["folder"]) / "lengths.npy")
    for index, wanted in found["python"].items():
        assert len(found["cpp"][index]) == 2 * lengths[index]
        np.testing.assert_allclose(found["cpp"][index], wanted, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small OpenVINO engine with 3D-UNet's input and output: one convolution to three classes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from code.backends.openvino import BACKEND

    weights = np.random.default_rng(3).standard_normal((3, 1, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "weights"], ["output"], pads=[1] * 6, kernel_shape=[3, 3, 3])],
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 16, 16, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3, 16, 16, 16])],
        [numpy_helper.from_array(weights, "weights")],
    )
    folder = tmp_path_factory.mktemp("segmenter")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx")
    BACKEND.build(folder / "model.onnx", {"precision": "fp32"}, folder)
    return folder


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random volumes of varied size that windows tile."""
    folder = tmp_path_factory.mktemp("volumes")
    random = np.random.default_rng(4)
    cases = [f"case_{i:05d}" for i in range(6)]
    for case in cases:
        extents = 16 + 8 * random.integers(0, 4, 3)
        np.save(folder / f"{case}.npy", random.standard_normal(extents).astype(np.float32))
    return {
        "kind": "volume",
        "folder": str(folder),
        "count": len(cases),
        "usual_count": 43,
        "cases": cases,
        "roi": [16, 16, 16],
        "overlap": 0.5,
        "sigma": 0.125,
        "windows_per_batch": 4,
        "input": "input",
        "output": "output",
    }


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_both_harnesses_segment_alike(
    scenario: str, build: Path, segmenter: Path, volumes: dict[str, Any], tmp_path: Path
) -> None:
    found = {}
    for language in ("python", "cpp"):
        run = spec(tmp_path / language, segmenter, volumes, scenario, benchmark="3d-unet")
        conf = (tmp_path / language / "user.conf").read_text().replace("bert.", "3d-unet.").replace(str(SAMPLES), "6")
        (tmp_path / language / "user.conf").write_text(conf)
        launch.run(run, scenario, language)
        log = json.loads((tmp_path / language / "mlperf_log_accuracy.json").read_text())
        found[language] = {entry["qsl_idx"]: np.frombuffer(bytes.fromhex(entry["data"]), np.uint8) for entry in log}
    assert found["python"].keys() == found["cpp"].keys() == set(range(6))
    for index, wanted in found["python"].items():
        size = np.load(Path(volumes["folder"]) / f"{volumes['cases'][index]}.npy").size
        assert len(found["cpp"][index]) == len(wanted) == size and set(np.unique(wanted)) == {0, 1, 2}
        # Sums of floats in another order may turn a voxel whose classes are as good as equal.
        assert np.mean(found["cpp"][index] != wanted) < 1e-4


@pytest.mark.full
def test_the_harness_is_used_where_it_is_built(build: Path, project: Path, tmp_path: Path) -> None:
    """The tiny BERT's whole accuracy run through make: the same F1 as its record, which the Python harness reaches."""
    command = ["make", "-C", str(project), "run", f"LOG_DIR={tmp_path}"]
    arguments = "RUN_ARGS=--benchmarks=bert --scenarios=offline --test_mode=AccuracyOnly"
    done = subprocess.run([*command, arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "harness: cpp" in done.stdout
    (result,) = [json.loads(path.read_text()) for path in tmp_path.rglob("metadata.json")]
    record = json.loads((project / "code/benchmarks/bert/tiny/model/record.json").read_text())
    assert abs(result["accuracy"][0]["value"] - record["F1"]) < 0.01
    (times,) = tmp_path.rglob("batches.npy")
    assert np.load(times)[:, 2].sum() == 10833


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_performance_runs_end_valid(scenario: str, build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    launch.run(spec(tmp_path / "run", engine, sequences, scenario, test_mode="PerformanceOnly"), scenario, "cpp")
    assert "Result is :" in (tmp_path / "run" / "mlperf_log_summary.txt").read_text()


@pytest.mark.parametrize("language", ["python", "cpp"])
def test_load_and_latencies_of_a_server_run_are_recorded_whole(
    language: str, build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path
) -> None:
    launch.run(spec(tmp_path / "run", engine, sequences, "Server", test_mode="PerformanceOnly"), "Server", language)
    batches, intervals, latencies = (np.load(tmp_path / "run" / f"{name}.npy") for name in ("batches", "intervals", "latencies"))
    samples = batches[:, 2].sum()
    assert samples > 0 and intervals[:, 2].sum() == intervals[:, 3].sum() == latencies[:, 1].sum() == samples
    assert (np.cumsum(intervals[:, 2]) >= np.cumsum(intervals[:, 3])).all() and (intervals[1:, 0] == intervals[:-1, 1]).all()
    assert latencies[:, 0].min() >= (batches[:, 1] - batches[:, 0]).min() * 1e9


def test_probe_has_the_keys_that_configs_use(build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    for language in ("python", "cpp"):
        measured = launch.probe(spec(tmp_path, engine, sequences, "Offline"), "probe", language, tmp_path)
        assert measured.keys() == {"samples_per_second", "latency_ns", "query_latency_ns", "singles_per_second"}
        assert all(value > 0 for value in measured.values())


def test_an_error_arrives_as_the_same_error(build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    for language in ("python", "cpp"):
        missing = {**sequences, "folder": "/nowhere"}
        with pytest.raises(MissingError) as caught:
            launch.run(spec(tmp_path / language, engine, missing, "Offline"), "Offline", language)
        assert "make preprocess_data" in caught.value.next_step
        with pytest.raises(UsageError, match="padding is 3"):
            batch = BatchSettings(8, 0.0, 3.0)
            launch.run(spec(tmp_path / language, engine, sequences, "Offline", batch=batch), "Offline", language)


def binary(build: Path) -> str:
    return str(build.parent / "bin" / "harness")


def test_capabilities_are_the_keys_of_the_schema(build: Path) -> None:
    printed = json.loads(subprocess.run([binary(build), "--capabilities"], capture_output=True, text=True, check=True).stdout)
    assert printed["schema"] == SCHEMA and {"null", "simulated"} <= set(printed["backends"])
    for part, known in (("backends", OPTIONS), ("datasets", DATASETS)):
        for name, keys in printed[part].items():
            assert set(keys) == {field.name for field in dataclasses.fields(known[name])}, name


def taken(content: Any) -> bool:
    """Whether the Python reader takes a document."""
    try:
        contract.parse(content, "run.json")
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("name", documents.BOTH)
def test_run_json_has_one_verdict_in_both_languages(name: str, build: Path, tmp_path: Path) -> None:
    """For a change at every place. The Python reader's verdict is the schema's (tests/unit/test_run_json.py), in a tenth of its time."""
    cases = [("as it is", documents.BOTH[name]), *documents.changed(documents.BOTH[name])]
    files = []
    for number, (_, content) in enumerate(cases):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(content))
    done = subprocess.run([binary(build), "--check", *map(str, files)], capture_output=True, text=True)
    verdicts = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert done.returncode == 2 and len(verdicts) == len(cases) > 300 and verdicts[0] is None
    for (label, content), error in zip(cases, verdicts, strict=True):
        # A backend without an entry in OPTIONS is one of the Python harness alone.
        fits = taken(content) and all(engine["backend"] in OPTIONS for engine in content["engines"])
        assert (error is None) == fits, f"{label}: the C++ harness says {error}"


def test_devices_are_driven_alike_and_answer_alike(build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    """Two devices of one core each, which share what Offline and Server ask."""
    for scenario in ("Offline", "Server"):
        found = {}
        for language in ("python", "cpp"):
            folder = tmp_path / f"{scenario}-{language}"
            launch.run(spec(folder, engine, sequences, scenario, devices=2), scenario, language)
            found[language] = answers(folder)
            usage = json.loads((folder / "devices.json").read_text())
            assert [(row["index"], row["name"]) for row in usage] == [(0, "node 0"), (1, "node 1")]
            assert sum(row["samples"] for row in usage) == SAMPLES
            assert all(0 <= row["busy_s"] <= row["elapsed_s"] and row["batches"] <= row["samples"] for row in usage)
        assert found["python"].keys() == found["cpp"].keys() == set(range(SAMPLES))
        for index, wanted in found["python"].items():
            np.testing.assert_allclose(found["cpp"][index], wanted, rtol=1e-5, atol=1e-6)


def test_loadgens_log_settings_act_in_both_languages(
    build: Path, engine: Path, sequences: dict[str, Any], tmp_path: Path
) -> None:
    for language in ("python", "cpp"):
        log = LogSettings(
            enable_trace=True,
            copy_summary_to_stdout=False,
            copy_detail_to_stdout=True,
            mode="EndOfTestOnly",
            async_poll_interval_ms=9,
        )
        run = spec(tmp_path / language, engine, sequences, "Offline", log=log, test_mode="PerformanceOnly")
        launch.run(run, "Offline", language)
        printed = (tmp_path / language / "stdout.txt").read_text()
        assert ":::MLLOG" in printed and "MLPerf Results Summary" not in printed
        assert (tmp_path / language / "mlperf_log_trace.json").stat().st_size > 100
