"""What the sliding window, its memory and preprocessing cost on the tiny 3D-UNet, as ratios measured in one run.

    make preprocess_data RUN_ARGS="--benchmarks=3d-unet --model_variant=tiny"
    scripts/build_harness.sh .venv/bin/python '' -DHARNESS_BENCHMARKS=ON
    .venv/bin/python -m tests.benchmarks.unet3d_figures [--times 3] [--cases 8] [--only harness,reference,memory,preprocess]

Needs a quiet machine. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.base import Engine, EngineSpec, backend
from code.backends.openvino import OpenVino
from code.benchmarks.unet3d import data, facts, preprocess, tiny
from code.benchmarks.unet3d.benchmark import BENCHMARK
from code.common.errors import HarnessError
from code.fields.table import FIELDS
from code.harness.python.datasets import Dataset, open_dataset
from code.harness.python.devices import Device
from code.harness.python.sut import Sut
from code.harness.python.windows import Windows
from code.harness.schema.run_spec import DeviceEntry
from tests.benchmarks.harness_figures import Figure, execute, figure, in_turn, programs, run_json, summary

CORES = len(os.sched_getaffinity(0))
VALUES: dict[str, Any] = {f.name: f.default for f in FIELDS} | {
    "model_variant": "tiny",
    "backend": "openvino",
    "cpu_batch_size": 1,
    "max_batch": 1,
}


def engine_of(precision: str, streams: int = CORES) -> Engine:
    """The tiny model on OpenVINO, one thread a stream."""
    runtime = backend("openvino")
    with tempfile.TemporaryDirectory() as folder:
        runtime.build(tiny.MODEL, {"precision": precision}, Path(folder))
        return runtime.load(Path(folder), EngineSpec(streams=streams, threads=CORES, precision=precision))


def chosen(dataset: Dataset, count: int) -> list[int]:
    """Cases spread over the sizes there are."""
    order = np.argsort(dataset.lengths, kind="stable")
    return [int(i) for i in order[np.linspace(0, dataset.count - 1, min(count, dataset.count)).astype(int)]]


def cpp_rate(precision: str, dataset: Dataset, cases: list[int], scratch: Path) -> Callable[[], float]:
    """Windows a second of an Offline query under LoadGen, by the C++ harness."""
    spec = BENCHMARK.dataset(VALUES)
    (scratch / "engine").mkdir()
    backend("openvino").build(tiny.MODEL, {"precision": precision}, scratch / "engine")
    path = run_json(
        scratch / "run",
        "Offline",
        {"min_duration": 0, "min_query_count": len(cases), "performance_sample_count_override": len(cases), "target_qps": 1},
        benchmark="3d-unet",
        dataset={**spec, "cases": [spec["cases"][case] for case in cases], "count": len(cases)},
        engine={
            "backend": "openvino",
            "folder": str(scratch / "engine"),
            "precision": precision,
            "streams": CORES,
            "threads": CORES,
        },
        batch={"max_samples": 1},
        warmup_s=1.0,
    )
    windows = float(dataset.lengths[cases].mean())

    def way() -> float:
        execute([programs()["harness"], path])
        return windows * summary(path.parent, "Samples per second")

    return way


def harness_rate(engine: Engine, dataset: Dataset, cases: list[int]) -> Callable[[], float]:
    """Windows a second of an Offline query through the Python SUT, without LoadGen."""

    def way() -> float:
        left = threading.Semaphore(0)

        def complete(responses: list[Any]) -> None:
            for _ in responses:
                left.release()

        def failed(error: HarnessError) -> None:
            raise SystemExit(str(error))

        lanes = Device(DeviceEntry(0, "node 0", 0, (), CORES, 0), engine).lanes()
        sut = Sut(
            "Offline", lanes, dataset, limit=1, padding=0.0, timeout_s=0.0, complete=complete,
            respond=lambda i, a, n: i, failed=failed,
        )  # fmt: skip
        start = time.perf_counter()
        sut.issue(list(range(len(cases))), cases)
        for _ in cases:
            left.acquire()
        took = time.perf_counter() - start
        sut.close()
        return float(dataset.lengths[cases].sum()) / took

    return way


def bare_rate(engine: Engine, dataset: Dataset, cases: list[int]) -> Callable[[], float]:
    """Windows a second of nothing but engine calls on the same windows, cut beforehand."""
    spec = BENCHMARK.dataset(VALUES)
    windows = Windows(tiny.ROI, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    cut = []
    for case in sorted(cases, key=lambda c: -int(dataset.lengths[c])):
        volume = np.load(Path(spec["folder"]) / f"{spec['cases'][case]}.npy")
        cut += [np.ascontiguousarray(volume[windows.box(corner)])[None, None] for corner in windows.corners(volume.shape)]

    def way() -> float:
        turn = itertools.count()

        def work() -> None:
            stream = engine.stream()
            while (place := next(turn)) < len(cut):
                stream.infer({facts.INPUT_NAME: cut[place]})

        start = time.perf_counter()
        lanes = [threading.Thread(target=work) for _ in range(CORES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        return len(cut) / (time.perf_counter() - start)

    return way


def reference_rate(dataset: Dataset, cases: list[int]) -> Callable[[], float]:
    """Windows a second as the reference does it: ONNX Runtime, one window at a time, sums over the whole volume in NumPy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    session = onnxruntime.InferenceSession(str(tiny.MODEL), options, providers=["CPUExecutionProvider"])
    spec = BENCHMARK.dataset(VALUES)
    windows = Windows(tiny.ROI, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    weights = windows.weights()

    def way() -> float:
        done, start = 0, time.perf_counter()
        for case in cases:
            image = np.load(Path(spec["folder"]) / f"{spec['cases'][case]}.npy")[None, None]
            result = np.zeros((1, 3, *image.shape[2:]), np.float32)
            norm = np.zeros_like(result)
            for corner in windows.corners(image.shape[2:]):
                box = (..., *windows.box(corner))
                result[box] += session.run([facts.OUTPUT_NAME], {facts.INPUT_NAME: np.ascontiguousarray(image[box])})[0] * weights
                norm[box] += weights
                done += 1
            result /= norm
            np.argmax(result, axis=1).astype(np.uint8)
        return done / (time.perf_counter() - start)

    return way


def harness(arguments: argparse.Namespace) -> list[Figure]:
    """Both harnesses over the bare loop, in each precision."""
    dataset, out = open_dataset(BENCHMARK.dataset(VALUES)), []
    cases = chosen(dataset, arguments.cases)
    for precision in arguments.precisions:
        engine = engine_of(precision)
        dataset.meet(engine.stream(), 0)
        with tempfile.TemporaryDirectory() as scratch:
            cpp, python, bare = in_turn(
                arguments.times,
                cpp_rate(precision, dataset, cases, Path(scratch)),
                harness_rate(engine, dataset, cases),
                bare_rate(engine, dataset, cases),
            )
        what = f"Offline, {precision}, over a bare loop of engine calls"
        out.append(figure(what, "≥ 0.95", "windows/s", [cpp, bare]))
        out.append(figure(f"{what}, the Python harness", "≥ 0.95", "windows/s", [python, bare]))
    return out


def reference(arguments: argparse.Namespace) -> list[Figure]:
    """The C++ harness over the reference's way."""
    dataset, out = open_dataset(BENCHMARK.dataset(VALUES)), []
    cases = chosen(dataset, arguments.cases)
    for precision in arguments.precisions:
        with tempfile.TemporaryDirectory() as scratch:
            ours = cpp_rate(precision, dataset, cases, Path(scratch))
            values = in_turn(arguments.times, ours, reference_rate(dataset, cases))
        goal = "≥ 2" if precision == "fp32" else "≥ 4"
        out.append(figure(f"Offline, {precision}, over ONNX Runtime and NumPy as in the reference", goal, "windows/s", values))
    return out


def peak(case: int) -> None:
    """In a process of its own: bytes that answering a case adds to the engine's, and the case's own."""
    dataset = open_dataset(BENCHMARK.dataset(VALUES))
    stream = engine_of("fp32", 1).stream()
    dataset.meet(stream, case)
    before = _most_resident()
    dataset.answer(stream, np.array([case]))
    after = _most_resident()
    spec = BENCHMARK.dataset(VALUES)
    size = np.load(Path(spec["folder"]) / f"{spec['cases'][case]}.npy", mmap_mode="r").nbytes
    print(json.dumps([(after - before) / 1024, size / 2**20]))


def _most_resident() -> int:
    """Linux' high-water mark of this process, KiB; getrusage would count what it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM:")))


def memory(arguments: argparse.Namespace) -> list[Figure]:
    """Resident memory that the largest case takes, itself and its answer included, over its size."""
    dataset = open_dataset(BENCHMARK.dataset(VALUES))
    case = int(np.argmax(dataset.lengths))
    command = [sys.executable, "-m", "tests.benchmarks.unet3d_figures", "--peak", str(case)]
    pairs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(arguments.times)
    ]
    values = [[p[0] for p in pairs], [p[1] for p in pairs]]
    return [figure("memory that the largest case adds, over its own size", "≤ 4", "MiB", values)]


def _by_reference(job: tuple[str, str, str]) -> None:
    """One case by the reference's method: float64 voxels, SciPy's zoom, a pickle and two NIfTI files."""
    import nibabel
    from scipy.ndimage import zoom

    name, source, target = job
    image, label = (nibabel.load(Path(source) / name / file) for file in (facts.IMAGING, facts.SEGMENTATION))
    factors = np.array(image.header["pixdim"][1:4].tolist()) / np.array(facts.TARGET_SPACING_MM)
    voxels, classes = image.get_fdata().astype(np.float32), label.get_fdata().astype(np.uint8)
    voxels = zoom(voxels, factors, order=1, mode="constant", cval=voxels.min(), grid_mode=False)
    classes = zoom(classes, factors, order=0, mode="constant", cval=classes.min(), grid_mode=False)
    voxels = (np.clip(voxels, *facts.CLIP) - facts.MEAN) / facts.STDDEV
    windows = Windows(tiny.ROI, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    ends = [(n // 2, n - n // 2) for n in windows.lacking(voxels.shape)]
    voxels, classes = np.pad(voxels, ends, constant_values=facts.PADDING_VALUE), np.pad(classes, ends)
    with (Path(target) / f"{name}.pkl").open("wb") as out:
        pickle.dump([voxels[None].astype(np.float32), classes[None]], out)
    for array, file in ((voxels, "imaging"), (classes, "segmentation")):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), Path(target) / f"{name}_{file}.nii.gz")


def preprocessing(arguments: argparse.Namespace) -> list[Figure]:
    """Cases a second, a process a core, the processes' start included: by the clock, and by the processors' time of all processes."""
    source = data.sources("tiny").cases
    names = list(facts.EVALUATION_CASES[: arguments.preprocess_cases])
    windows = Windows(tiny.ROI, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    by_cpu: dict[str, list[float]] = {"ours": [], "theirs": []}

    def ours(out: str) -> None:
        preprocess.preprocess([data.case_in(source, name) for name in names], Path(out), windows)

    def theirs(out: str) -> None:
        with multiprocessing.get_context("fork").Pool(CORES) as pool:
            pool.map(_by_reference, [(name, str(source), out) for name in names], chunksize=1)

    def rate(way: Callable[[str], None]) -> float:
        with tempfile.TemporaryDirectory() as out:
            start, cpu = time.perf_counter(), _cpu_s()
            way(out)
            by_cpu[way.__name__].append(len(names) / (_cpu_s() - cpu))
            return len(names) / (time.perf_counter() - start)

    values = in_turn(arguments.times, lambda: rate(ours), lambda: rate(theirs))
    cpu = [by_cpu["ours"][-arguments.times :], by_cpu["theirs"][-arguments.times :]]
    return [
        figure("preprocessing over the reference's method", "≥ 3", "cases/s", values),
        figure("the same by the processors' time", "≥ 3", "cases/CPU s", cpu),
    ]


def _cpu_s() -> float:
    """Seconds that processors have worked for this process and its children that have ended."""
    took = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(t.ru_utime + t.ru_stime for t in took)


FIGURES: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
    "harness": harness,
    "reference": reference,
    "memory": memory,
    "preprocess": preprocessing,
}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="measurements of each way, in turn")
    parser.add_argument("--cases", type=int, default=8, help="cases of each measurement, spread over the sizes")
    parser.add_argument("--preprocess_cases", type=int, default=len(facts.EVALUATION_CASES))
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--only", default=",".join(FIGURES))
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak is not None:
        peak(arguments.peak)
        return 0
    arguments.precisions = arguments.precisions.split(",")
    OpenVino().version()
    BENCHMARK.prepare(VALUES)
    print("| what | goal | here | against | ratio | spread |\n| --- | --- | --- | --- | --- | --- |")
    for name in arguments.only.split(","):
        for row in FIGURES[name](arguments):
            print(row.row(), flush=True)
    print(f"\nload while measuring: {os.getloadavg()[0]:.1f} on {CORES} cores", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
