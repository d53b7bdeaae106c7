"""The C++ harness's TensorRT engine on the stand-in of tests/cuda_stand_in: every scenario, with eight devices."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from code.harness.schema.datasets import of_benchmark
from code.harness.schema.options import TensorRtOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, LogSettings, RunSpec
from tests.cuda_stand_in import plans

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(1800)]

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
DEVICES = 8
SAMPLES = 96
CASES = 6
ROI = (16, 16, 16)
# What makes LoadGen call a short run valid: Offline must last its duration; early stopping wants 64 queries of SingleStream, 662 of
# MultiStream and of Server.
SETTINGS: dict[str, dict[str, float]] = {
    "Offline": {"target_qps": 200_000, "min_query_count": 1},
    "Server": {"target_qps": 400, "target_latency": 2000, "min_query_count": 700},
    "SingleStream": {"target_latency": 1, "min_query_count": 100},
    "MultiStream": {"target_latency": 10, "min_query_count": 700},
}
CASES_PER_SECOND = 2_000
"""What Offline of 3D-UNet is sized for: the delays below allow less on any machine, and a sanitizer a twentieth of it on two cores."""


def tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def built(project: Path, sanitize: str) -> Path:
    """The harness on the stand-in, from a build folder that `make build` has configured or, for a sanitizer, from one of its own."""
    build = Path(os.environ.get("BUILD_DIR", project / "build")).resolve()
    folder = build / ("cmake-" + sanitize if sanitize else "cmake")
    if not sanitize and not (build / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")
    if sanitize or not (folder / "bin" / "harness_stand_in").is_file():
        script = [str(project / "scripts" / "build_harness.sh"), sys.executable, sanitize]
        done = subprocess.run(script, capture_output=True, text=True, cwd=project)
        assert done.returncode == 0, done.stderr
    binary = folder / "bin" / "harness_stand_in"
    if not binary.is_file():
        pytest.skip("the stand-in is not built: GoogleTest was not found, or the real TensorRT was")
    return binary


@pytest.fixture(scope="session")
def harness(project: Path) -> Path:
    """bin/harness_stand_in; of the build that $MLPERF_TEST_BUILD names, as `make coverage_cpp` does."""
    return built(project, os.environ.get("MLPERF_TEST_BUILD", ""))


SANITIZERS = [word for word in os.environ.get("MLPERF_TEST_SANITIZERS", "").split(",") if word]
"""'address' and 'thread', each of which builds the harness again."""


@pytest.fixture(scope="session", params=["", *SANITIZERS], ids=["plain", *SANITIZERS])
def each_harness(project: Path, request: pytest.FixtureRequest) -> Path:
    """The same, and with each sanitizer that $MLPERF_TEST_SANITIZERS names."""
    return built(project, request.param)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random token sequences in the layout of preprocessed BERT data."""
    folder = tmp_path_factory.mktemp("sequences")
    random = np.random.default_rng(5)
    lengths = random.integers(5, 385, SAMPLES).astype(np.int32)
    kept = np.arange(384)[None, :] < lengths[:, None]
    arrays = {
        "input_ids": random.integers(1, 30000, (SAMPLES, 384)) * kept,
        "input_mask": kept,
        "segment_ids": random.integers(0, 2, (SAMPLES, 384)) * kept,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.astype(np.int32))
    np.save(folder / "lengths.npy", lengths)
    return {
        "kind": "sequence",
        "folder": str(folder),
        "count": SAMPLES,
        "arrays": {name: f"{name}.npy" for name in arrays},
        "lengths": "lengths.npy",
        "outputs": list(plans.BERT_OUTPUTS),
        "input_dtype": "int64",
        "pad_to_multiple_of": 16,
    }


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random volumes of varied size that windows tile."""
    folder = tmp_path_factory.mktemp("volumes")
    random = np.random.default_rng(6)
    cases = [f"case_{i:05d}" for i in range(CASES)]
    for case in cases:
        extents = 16 + 8 * random.integers(0, 3, 3)
        # Far from where one class becomes another, so that the order of sums of floats is of no concern.
        np.save(folder / f"{case}.npy", random.choice([0.0, 0.5, 1.0], extents).astype(np.float32))
    return {
        "kind": "volume",
        "folder": str(folder),
        "count": CASES,
        "cases": cases,
        "roi": list(ROI),
        "overlap": 0.5,
        "sigma": 0.125,
        "windows_per_batch": 4,
        "input": "input",
        "output": "output",
    }


def device(number: int, streams: int) -> DeviceEntry:
    """One of the stand-in's devices (tests/cuda_stand_in/runtime/environment.cc), with its address as NVML would write it."""
    cores = sorted(os.sched_getaffinity(0))
    name, pci = f"GPU-57a4d140-0000-0000-0000-{number:012d}", f"00000000:{16 + number:02X}:00.0"
    return DeviceEntry(number, name, 0, (cores[number % len(cores)],), streams, 0, pci)


def start(
    harness: Path,
    folder: Path,
    engine: Path,
    dataset: Mapping[str, Any],
    scenario: str,
    options: TensorRtOptions,
    environment: Mapping[str, str] | None = None,
    mode: str = "AccuracyOnly",
    streams: int = 2,
    devices: Sequence[DeviceEntry] = (),
    warmup_s: float = 0.2,
) -> subprocess.CompletedProcess[str]:
    """One run, by default on all devices."""
    folder.mkdir(exist_ok=True)
    benchmark = "bert" if dataset["kind"] == "sequence" else "3d-unet"
    conf = {"performance_sample_count_override": dataset["count"], "min_duration": 500, **SETTINGS[scenario]}
    if benchmark == "3d-unet" and scenario == "Offline":
        conf["target_qps"] = CASES_PER_SECOND
    (folder / "user.conf").write_text("".join(f"{benchmark}.{scenario}.{key} = {value}\n" for key, value in conf.items()))
    spec = RunSpec(
        benchmark=benchmark,
        scenario=scenario,  # type: ignore[arg-type]
        test_mode=mode,  # type: ignore[arg-type]
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf="",
        engines=(EngineEntry("tensorrt", str(engine), "fp16", options),),
        devices=tuple(devices) or tuple(device(number, streams) for number in range(DEVICES)),
        batch=BatchSettings(8 if benchmark == "bert" else 2, 0.0, 0.0625),
        dataset=of_benchmark(dataset),
        log=LogSettings(copy_summary_to_stdout=False),
        warmup_s=warmup_s,
    )
    spec.write(folder / "run.json")
    own = {
        "CUDA_STAND_IN_DEVICES": str(DEVICES + 1),
        "CUDA_STAND_IN_ALLOWED": ",".join(map(str, range(DEVICES))),
        "CUDA_STAND_IN_REPORT": str(folder / "stand_in.json"),
        # dlopen looks where its caller asks; with a sanitizer that is the sanitizer's own library.
        "LD_LIBRARY_PATH": os.pathsep.join(
            filter(None, (str(harness.parents[1] / "stand_in"), os.environ.get("LD_LIBRARY_PATH")))
        ),
        "TSAN_OPTIONS": f"suppressions={Path(__file__).parents[2] / 'code/harness/cpp/tests/loadgen.tsan'}",
    }
    command = [str(harness), str(folder / "run.json")]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own, **(environment or {})}, timeout=600)


def run(harness: Path, folder: Path, *arguments: Any, **more: Any) -> list[dict[str, Any]]:
    """`start`; the stand-in's report of each device. Fails where the process does, with what it printed."""
    done = start(harness, folder, *arguments, **more)
    assert done.returncode == 0 and "Sanitizer" not in done.stderr, f"{done.stdout[-2000:]}\n{done.stderr[-8000:]}"
    report: list[dict[str, Any]] = json.loads((folder / "stand_in.json").read_text())
    return report


def answers(folder: Path, dtype: type[np.generic]) -> dict[int, NDArray[Any]]:
    log = json.loads((folder / "mlperf_log_accuracy.json").read_text())
    return {entry["qsl_idx"]: np.frombuffer(bytes.fromhex(entry["data"]), dtype) for entry in log}


def expect_tokens(folder: Path, sequences: Mapping[str, Any]) -> None:
    data = Path(sequences["folder"])
    arrays = [np.load(data / f"{name}.npy") for name in plans.BERT_INPUTS]
    lengths = np.load(data / "lengths.npy")
    found = answers(folder, np.float32)
    assert found.keys() == set(range(SAMPLES))
    for index, length in enumerate(lengths):
        wanted = plans.bert_answer(*(array[index, :length] for array in arrays))
        np.testing.assert_array_equal(found[index].reshape(-1, 2), wanted, err_msg=f"sample {index}")


def expect_voxels(folder: Path, volumes: Mapping[str, Any]) -> None:
    found = answers(folder, np.uint8)
    assert found.keys() == set(range(CASES))
    for index, case in enumerate(volumes["cases"]):
        wanted = plans.unet_answer(np.load(Path(volumes["folder"]) / f"{case}.npy"))
        np.testing.assert_array_equal(found[index], wanted.reshape(-1), err_msg=case)


def verdict(folder: Path) -> str:
    found = re.search(r"Result is : (\w+)", (folder / "mlperf_log_summary.txt").read_text())
    return found[1] if found else "none"


def test_bert_on_eight_devices(harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (128, 384)))
    options = TensorRtOptions(use_graphs=True)
    report = run(harness, tmp_path / "run", engine, sequences, "Offline", options)
    expect_tokens(tmp_path / "run", sequences)
    assert [row["context"] for row in report] == [True] * DEVICES + [False]


def test_unet3d_on_eight_devices(harness: Path, volumes: dict[str, Any], tmp_path: Path) -> None:
    engine = plans.write(tmp_path / "engine", plans.unet(4, ROI))
    run(harness, tmp_path / "run", engine, volumes, "Offline", TensorRtOptions())
    expect_voxels(tmp_path / "run", volumes)


def test_devices_share_runtime_plan_and_plugins_and_say_where_they_are(
    harness: Path, sequences: dict[str, Any], tmp_path: Path
) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (384,)))
    plugin = str(harness.parents[1] / "stand_in" / "libcuda.so.1")
    options = TensorRtOptions(plugin_libs=(plugin,))
    report = run(harness, tmp_path / "run", engine, sequences, "Offline", options, streams=1)
    for call in ("createInferRuntime", "loadLibrary"):
        assert sum(row["counts"].get(call, 0) for row in report) == 1, call
    done = start(harness, tmp_path / "run", engine, sequences, "Offline", options, devices=[device(0, 1), device(1, 1)])
    assert "device 1: stand-in for a GPU, GPU-57a4d140-0000-0000-0000-000000000001, PCI 0000:11:00.0" in done.stdout


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
    "another device by UUID": ({"devices": swapped(device(0, 1), device(1, 1), "name", "pci")}, 4, "is not GPU-57a4d140"),
    "another device by address": ({"devices": swapped(device(0, 1), device(1, 1), "pci")}, 4, "at 00000000:1"),
    "a plugin library that is absent": ({"plugin_libs": ("/nowhere/libplugin.so",)}, 3, "libplugin.so does not exist"),
    "a plugin library that is none": ({"plugin_libs": (__file__,)}, 4, "cannot load the plugin library"),
    **{
        f"outputs in {dtype}": ({"outputs": dtype}, 4, f"'output_start_logits', which is {dtype}")
        for dtype in ("bfloat16", "bool", "uint8", "fp8")
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


def test_an_engine_for_ampere_and_later_runs_on_a_later_gpu(harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    details = {"compute_capability": "8.0", "hardware_compatibility": "ampere_plus"}
    engine = plans.write(tmp_path / "engine", plans.bert(8, (384,)), **details)
    run(harness, tmp_path / "run", engine, sequences, "Offline", TensorRtOptions(), devices=[device(0, 1)])
    expect_tokens(tmp_path / "run", sequences)


def graphs_of(report: Sequence[Mapping[str, Any]]) -> list[int]:
    return [row["counts"].get("graphs", 0) for row in report if row["context"]]


@pytest.mark.parametrize("scenario", ["Offline", "Server"])
def test_graphs_are_captured_while_warming_up_and_within_their_memory(
    scenario: str, harness: Path, sequences: dict[str, Any], tmp_path: Path
) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (128, 384)))
    two = [device(0, 2), device(1, 1)]
    for name, options, warmup_s, least, most in (
        ("plenty", TensorRtOptions(use_graphs=True), 20.0, 100, 2 * 2 * 24 * 6),
        ("a budget", TensorRtOptions(use_graphs=True, graphs_max_memory=40), 20.0, 10, 20),
        ("short ones", TensorRtOptions(use_graphs=True, graphs_max_seqlen=128), 20.0, 10, 2 * 2 * 8 * 6),
        ("no warm-up", TensorRtOptions(use_graphs=True), 0.0, 0, 0),
    ):
        folder = tmp_path / name
        report = run(harness, folder, engine, sequences, scenario, options, devices=two, warmup_s=warmup_s)
        assert all(least <= count <= most for count in graphs_of(report)), (name, graphs_of(report))
        expect_tokens(folder, sequences)


def test_a_network_that_cannot_be_captured_is_tried_once(harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (384,), capturable=False))
    options = TensorRtOptions(use_graphs=True)
    report = run(harness, tmp_path / "run", engine, sequences, "Offline", options, devices=[device(0, 2)])
    assert report[0]["counts"]["cudaStreamBeginCapture"] == 1 and graphs_of(report) == [0]
    expect_tokens(tmp_path / "run", sequences)


def test_each_profile_has_a_context_and_none_is_switched_by_a_batch(
    harness: Path, sequences: dict[str, Any], tmp_path: Path
) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (64, 128, 384)))
    report = run(harness, tmp_path / "run", engine, sequences, "Offline", TensorRtOptions(), devices=[device(0, 2)])
    # Of each lane and profile one; and a context that tells the outputs' sizes in each profile.
    assert report[0]["counts"]["createExecutionContext"] == 2 * 3 + 1
    # The report counts the call, and the work that it queues.
    assert report[0]["counts"]["setOptimizationProfileAsync"] == 2 * (2 * 3 + 3)
    expect_tokens(tmp_path / "run", sequences)


@pytest.mark.parametrize("spins", [False, True])
def test_the_host_waits_asleep_or_spinning(spins: bool, harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    engine = plans.write(tmp_path / "engine", plans.bert(8, (384,)))
    options = TensorRtOptions(use_spin_wait=spins)
    report = run(harness, tmp_path / "run", engine, sequences, "SingleStream", options, devices=[device(0, 1)])
    assert ("waits spinning" in report[0]["counts"], "waits asleep" in report[0]["counts"]) == (spins, not spins)


@pytest.mark.parametrize("copies", [1, 3])
def test_more_batches_in_flight_have_the_same_answers(
    copies: int, harness: Path, sequences: dict[str, Any], volumes: dict[str, Any], tmp_path: Path
) -> None:
    two, options = [device(0, 2), device(1, 1)], TensorRtOptions(gpu_copy_streams=copies)
    times = {"CUDA_STAND_IN_DELAY": "copy:50,kernel:20,enqueue:500", "CUDA_STAND_IN_JITTER": "2"}
    engine = plans.write(tmp_path / "bert", plans.bert(8, (384,)))
    for scenario in ("Offline", "Server", "MultiStream"):
        run(harness, tmp_path / scenario, engine, sequences, scenario, options, times, devices=two)
        expect_tokens(tmp_path / scenario, sequences)
    engine = plans.write(tmp_path / "unet", plans.unet(4, ROI))
    for on_device in (True, False):
        folder, windows = tmp_path / f"unet-{on_device}", replace(options, sliding_window_on_device=on_device)
        report = run(harness, folder, engine, volumes, "Offline", windows, times, devices=two)
        assert ("cudaHostRegister" in report[0]["counts"]) == on_device
        expect_voxels(folder, volumes)
        told = subprocess.run([str(harness), "--explain", str(folder / "run.json")], capture_output=True, text=True, check=True)
        assert ("cut and summed on the GPU" in told.stdout) == on_device and ("on the processor" in told.stdout) != on_device


@pytest.mark.full
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_bert_is_valid_in_every_scenario(scenario: str, each_harness: Path, sequences: dict[str, Any], tmp_path: Path) -> None:
    """With graphs and arrays on the device, and with neither, while operations take times at random."""
    engine = plans.write(tmp_path / "engine", plans.bert(8, (128, 384)))
    times = {"CUDA_STAND_IN_DELAY": "copy:50,kernel:20,enqueue:500,graph:400", "CUDA_STAND_IN_JITTER": "2"}
    for name, options in {
        "plain": TensorRtOptions(),
        "all": TensorRtOptions(use_graphs=True, start_from_device=True, gpu_copy_streams=2, use_spin_wait=True),
    }.items():
        folder = tmp_path / name
        report = run(each_harness, folder, engine, sequences, scenario, options, times, "PerformanceOnly")
        assert verdict(folder) == "VALID"
        used = [row["context"] for row in report]
        # One query is in flight in SingleStream, but this run names eight devices.
        assert used == [True] * DEVICES + [False]
        run(each_harness, tmp_path / f"{name}-accuracy", engine, sequences, scenario, options, times)
        expect_tokens(tmp_path / f"{name}-accuracy", sequences)


@pytest.mark.full
@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_unet3d_is_valid(scenario: str, each_harness: Path, volumes: dict[str, Any], tmp_path: Path) -> None:
    """With windows on the device and on the host."""
    engine = plans.write(tmp_path / "engine", plans.unet(4, ROI))
    times = {"CUDA_STAND_IN_DELAY": "copy:50,kernel:20,enqueue:5000", "CUDA_STAND_IN_JITTER": "2"}
    for on_device in (True, False):
        options = TensorRtOptions(sliding_window_on_device=on_device)
        folder = tmp_path / f"device-{on_device}"
        run(each_harness, folder, engine, volumes, scenario, options, times, "PerformanceOnly")
        assert verdict(folder) == "VALID"
        run(each_harness, tmp_path / f"accuracy-{on_device}", engine, volumes, scenario, options, times)
        expect_voxels(tmp_path / f"accuracy-{on_device}", volumes)
