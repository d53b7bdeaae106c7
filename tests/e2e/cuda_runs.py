"""Runs of the C++ harness's TensorRT engine on the stand-in of tests/cuda_stand_in: its data, its devices, what must come back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from code.harness.schema.datasets import of_benchmark
from code.harness.schema.options import TensorRtOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, LogSettings, RunSpec
from tests.cuda_stand_in import plans
from tests.e2e.sequences import random_sequences

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


def bert_sequences(folder: Path) -> dict[str, Any]:
    """Random token sequences whose batches are padded to a multiple of 16."""
    return {**random_sequences(folder, SAMPLES, 30_000, seed=5), "pad_to_multiple_of": 16}


def random_volumes(folder: Path) -> dict[str, Any]:
    """Random volumes of varied size that windows tile."""
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
