"""What the C++ harness says of engines that it refuses, and of calls of CUDA and TensorRT that fail: on tests/cuda_stand_in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.harness.schema.options import TensorRtOptions
from code.harness.schema.run_spec import DeviceEntry
from tests.cuda_stand_in import plans
from tests.e2e.cuda_runs import ROI, bert_sequences, built, device, expect_tokens, expect_voxels, random_volumes, start

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def harness(project: Path) -> Path:
    """bin/harness_stand_in; of the build that $MLPERF_TEST_BUILD names, as `make coverage_cpp` does."""
    return built(project, os.environ.get("MLPERF_TEST_BUILD", ""))


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return bert_sequences(tmp_path_factory.mktemp("sequences"))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return random_volumes(tmp_path_factory.mktemp("volumes"))


def swapped(first: DeviceEntry, second: DeviceEntry, *fields: str) -> list[DeviceEntry]:
    """Both, but for these fields, which are the other's."""
    return [replace(a, **{field: getattr(b, field) for field in fields}) for a, b in ((first, second), (second, first))]


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a damaged plan": ({"sha256": "0" * 64}, 4, "is damaged"),
    "no plan": ({"engine": "other.plan"}, 3, "no engine at"),
    "another GPU's engine": ({"compute_capability": "8.0", "gpu": "A100"}, 4, "is for compute capability 8.0 (A100)"),
    "hardware compatibility with later GPUs of this capability": (
        {"compute_capability": "8.0", "hardware_compatibility": "same_compute_capability"},
        4,
        "is for compute capability 8.0",
    ),
    "a GPU that this machine has not": ({"devices": [device(9, 1)]}, 3, "no such GPU: device 9"),
    "another device by UUID": ({"devices": swapped(device(0, 1), device(1, 1), "name", "pci")}, 4, "is not GPU-57a4d140"),
    "another device by address": ({"devices": swapped(device(0, 1), device(1, 1), "pci")}, 4, "at 00000000:1"),
    "a plugin library that is absent": ({"plugin_libs": ("/nowhere/libplugin.so",)}, 3, "libplugin.so does not exist"),
    "a plugin library that is none": ({"plugin_libs": (__file__,)}, 4, "cannot load the plugin library"),
    **{
        f"outputs in {dtype}": ({"outputs": dtype}, 4, f"'output_start_logits', which is {dtype}")
        for dtype in ("bfloat16", "bool", "uint8", "fp8")
    },
    **{
        f"outputs in {dtype}, which BERT's are not": ({"outputs": dtype}, 4, "'output_start_logits' is not float32")
        for dtype in ("float16", "int8", "int32")
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_engine_is_refused_for(case: str, harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    given, status, words = REFUSED[case]
    changed = {key: value for key, value in given.items() if isinstance(value, str) and key != "outputs"}
    engine = plans.write(tmp_path / "engine", plans.bert(8, (384,), outputs=given.get("outputs", "float32")), **changed)
    options = TensorRtOptions(plugin_libs=given.get("plugin_libs", ()))
    devices = given.get("devices", [device(0, 1)])
    done = start(harness, tmp_path / "run", engine, sequences, "Offline", options, devices=devices)
    assert done.returncode == status and words in done.stderr, done.stderr


FAULTS: dict[str, tuple[str, ...]] = {
    "cudaGetDeviceCount:1": ("cudaGetDeviceCount failed", "no CUDA-capable device is detected", "make doctor"),
    "cudaGetDeviceProperties:1": ("cudaGetDeviceProperties failed", "make doctor"),
    "cudaStreamCreate:1": ("cudaStreamCreate failed",),
    "cudaEventCreate:1": ("cudaEventCreate failed",),
    "cudaMalloc:1": ("cudaMalloc failed", "out of memory"),
    "cudaHostAlloc:1": ("cudaHostAlloc failed", "out of memory"),
    "cudaMemcpyAsync:2": ("cudaMemcpyAsync failed",),
    "createExecutionContext:2": ("TensorRT cannot create an execution context", "out of memory", "--force_build"),
    "createExecutionContext:4": ("not enough GPU memory for another execution context", "lower gpu_inference_streams"),
    "setOptimizationProfileAsync:2": ("TensorRT cannot switch profiles", "CUDA failed"),
    "setOptimizationProfileAsync:4": ("TensorRT cannot select a profile", "CUDA failed"),
    "enqueueV3:2": ("TensorRT cannot run a batch", "CUDA failed"),
    "cudaEventSynchronize:1": ("device GPU-57a4d140-", "a batch on the GPU failed", "unspecified launch failure"),
    # Whichever call comes first after it has the error.
    "work:60": ("device GPU-57a4d140-", " failed\n", "an illegal memory access was encountered"),
}
"""CUDA_STAND_IN_FAULT, the n-th call that fails, with the words of the error. Where a call of TensorRT asks which device is
current, that is a call of its name too, and comes first."""


@pytest.fixture
def begin(harness: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """One run on device 0 with a plan and a data set, without a warm-up: `start` but for these."""

    def begun(plan: str, dataset: dict[str, Any], environment: Mapping[str, str] | None = None, **more: Any) -> Any:
        engine = plans.write(tmp_path / "engine", plan)
        options = more.pop("options", TensorRtOptions())
        scenario = more.pop("scenario", "Offline")
        given = {"devices": [device(0, 1)], "warmup_s": 0.0, **more}
        return start(harness, tmp_path / "run", engine, dataset, scenario, options, environment, **given)

    return begun


def expect_error(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stderr
    assert [each for each in words if each not in done.stderr] == [], done.stderr


BERT = plans.bert(8, (384,))
UNET = plans.unet(4, ROI)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_fails_is_named_with_its_cause(fault: str, begin: Any, sequences: dict[str, Any]) -> None:
    expect_error(begin(BERT, sequences, {"CUDA_STAND_IN_FAULT": fault}), 4, *FAULTS[fault])


def test_a_driver_that_cannot_be_loaded_is_missing(begin: Any, sequences: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(b"")
    done = begin(BERT, sequences, {"LD_LIBRARY_PATH": str(tmp_path)})
    expect_error(done, 3, "no NVIDIA driver on this machine", "libcuda.so.1: file too short", "--backend=openvino")


def test_a_plan_that_tensorrt_cannot_read_is_named_with_its_words(begin: Any, sequences: dict[str, Any]) -> None:
    """Its digest is right: it was built so, or for another version."""
    expect_error(
        begin(BERT.removesuffix("end\n"), sequences), 4, "TensorRT cannot load the engine in", "it is truncated", "--force_build"
    )


def test_an_engine_json_that_is_cut_off_is_named(harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    engine = plans.write(tmp_path / "engine", BERT)
    (engine / "engine.json").write_text((engine / "engine.json").read_text()[:-9])
    done = start(harness, tmp_path / "run", engine, sequences, "Offline", TensorRtOptions(), devices=[device(0, 1)])
    expect_error(done, 4, f"cannot read engine.json in {engine}", "parse error", "--force_build")


def test_memory_that_a_gpu_has_not_is_named(begin: Any, sequences: dict[str, Any], volumes: dict[str, Any]) -> None:
    little = {"CUDA_STAND_IN_MEMORY_MB": "0"}
    expect_error(begin(BERT, sequences, little), 4, "TensorRT cannot load the engine in", "out of device memory for 65536 bytes")
    # Windows leave 64 MiB to the driver.
    words = (
        "not enough GPU memory for the sliding window",
        "but only 67 MB of 68 MB are free",
        "--sliding_window_on_device=false",
    )
    windows = begin(UNET, volumes, {"CUDA_STAND_IN_MEMORY_MB": "64"})
    expect_error(windows, 4, *words)


@pytest.mark.parametrize(
    "plan, words",
    [
        (
            plans.bert(4, (384,)),
            ("a batch exceeds the engine's largest batch size", "input 'input_", "gpu_batch_size of this run"),
        ),
        (
            plans.bert(64, (64,)),
            ("no optimisation profile of the engine covers a batch of this shape", "gpu_batch_size and lengths"),
        ),
    ],
    ids=["batch", "length"],
)
def test_an_engine_that_is_too_small_for_the_run_is_refused(
    plan: str, words: tuple[str, ...], begin: Any, sequences: dict[str, Any]
) -> None:
    expect_error(begin(plan, sequences), 4, *words)


@pytest.mark.parametrize("on_device", [True, False])
def test_an_output_of_another_shape_is_refused(on_device: bool, begin: Any, volumes: dict[str, Any]) -> None:
    plan = UNET.replace("output float32 -1 3 16 16 16", "output float32 -1 3 16 16 32")
    assert plan != UNET
    options = TensorRtOptions(sliding_window_on_device=on_device)
    expect_error(begin(plan, volumes, options=options), 4, "the engine's output 'output' does not have shape [windows, ")


@pytest.mark.parametrize("backend, next_step", [("openvino", "run `make build` again"), ("tensorrt_rtx", "TENSORRT_ROOT")])
def test_a_backend_that_was_not_built_in_says_how_to_get_it(
    backend: str, next_step: str, harness: Path, begin: Any, sequences: dict[str, Any], tmp_path: Path
) -> None:
    """This binary has TensorRT, and so neither TensorRT for RTX nor, by its own build file, OpenVINO."""
    begin(BERT, sequences)
    file = tmp_path / "run" / "run.json"
    spec = json.loads(file.read_text())
    spec["engines"][0] |= {"backend": backend} | ({"options": {}} if backend == "openvino" else {})
    file.write_text(json.dumps(spec))
    explained = subprocess.run([str(harness), "--explain", str(file)], capture_output=True, text=True)
    assert explained.returncode == 0 and "not built into this binary" in explained.stdout, explained.stderr
    done = subprocess.run([str(harness), str(file)], capture_output=True, text=True)
    expect_error(done, 3, f"built without the backend {backend}", "it has null, simulated", "tensorrt", next_step)
    # Options are read all the same, so that one mistyped is found before the build.
    spec["engines"][0]["options"] |= {"use_graph": True}
    file.write_text(json.dumps(spec))
    done = subprocess.run([str(harness), str(file)], capture_output=True, text=True)
    expect_error(done, 2, "engines[0].options.use_graph")


@pytest.mark.parametrize("inputs", ["int64", "int32"])
def test_arrays_that_start_on_the_device_are_copied_once_and_answer_the_same(
    inputs: str, begin: Any, sequences: dict[str, Any], tmp_path: Path
) -> None:
    done = begin(plans.bert(8, (384,), inputs=inputs), sequences, options=TensorRtOptions(start_from_device=True))
    assert done.returncode == 0, done.stderr
    counts = json.loads((tmp_path / "run" / "stand_in.json").read_text())[0]["counts"]
    assert counts["cudaMemcpy"] == len(plans.BERT_INPUTS)
    expect_tokens(tmp_path / "run", sequences)


def test_volumes_that_cannot_be_page_locked_are_copied_all_the_same(begin: Any, volumes: dict[str, Any], tmp_path: Path) -> None:
    done = begin(UNET, volumes, {"CUDA_STAND_IN_FAULT": "cudaHostRegister:1+"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("volumes are not page-locked, so that copies take longer: out of memory\n") == 1
    expect_voxels(tmp_path / "run", volumes)


def test_a_device_without_cores_of_its_own_runs_near_itself(begin: Any, sequences: dict[str, Any], tmp_path: Path) -> None:
    """Its address is no device's of this machine, so that no core is near it, and every core may run it."""
    assert begin(BERT, sequences, devices=[replace(device(0, 1), cores=())]).returncode == 0
    expect_tokens(tmp_path / "run", sequences)
