"""The C++ harness's TensorRT engine on the stand-in of tests/cuda_stand_in: every scenario, with eight devices."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.harness.schema.options import TensorRtOptions
from tests.cuda_stand_in import plans
from tests.e2e.cuda_runs import (
    DEVICES,
    ROI,
    bert_sequences,
    built,
    device,
    expect_tokens,
    expect_voxels,
    random_volumes,
    run,
    start,
    verdict,
)

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(1800)]

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")


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
    return bert_sequences(tmp_path_factory.mktemp("sequences"))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return random_volumes(tmp_path_factory.mktemp("volumes"))


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
