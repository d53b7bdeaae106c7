"""Scores a tiny model with the project's own pipeline: generated cases, preprocessing, OpenVINO in fp32, sliding window, DICE."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import EngineSpec, Stream, backend
from code.benchmarks.unet3d import accuracy, facts, processes
from code.benchmarks.unet3d.tiny import ROI, cases
from code.benchmarks.unet3d.volume import prepare
from code.common.files import sha256
from code.harness.python.sliding_window import SlidingWindow
from code.harness.python.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure(model: Path, names: Sequence[str] = facts.EVALUATION_CASES) -> dict[str, Any]:
    """What record.json holds besides the training settings: scores at full precision, of each case, too, counts and digests."""
    windows = Windows(ROI, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    sliding = SlidingWindow(windows)
    cores = processes.cores()
    runtime = backend("openvino")
    distinct = [name for name in names if facts.COPIES.get(name) not in names]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(cores) as pool:
        runtime.build(model, {"precision": "fp32"}, Path(folder))
        engine = runtime.load(Path(folder), EngineSpec(streams=cores, threads=cores, precision="fp32"))
        free: list[Stream] = [engine.stream() for _ in range(cores)]

        def score(name: str) -> tuple[tuple[float, float], int]:
            stream = free.pop()

            def infer(batch: NDArray[np.float32]) -> NDArray[np.float32]:
                return stream.infer({facts.INPUT_NAME: batch})[facts.OUTPUT_NAME]

            made = cases.evaluation_phantom(name)
            image, label, _ = prepare(made.image.astype(np.float32), made.label, made.spacing, windows)
            found = accuracy.dice(sliding.segment(image, infer), label)
            free.append(stream)
            return found, windows.count(image.shape)

        scored = dict(zip(distinct, pool.map(score, distinct), strict=True))
    scored |= {name: scored[facts.COPIES[name]] for name in names if name not in scored}
    digests = {name: cases.voxel_digest(name) for name in names}
    scores = accuracy.mean_of({name: scored[name][0] for name in names})
    return {
        "metric": facts.METRIC,
        "DICE": scores.mean,
        "kidney": scores.kidney,
        "tumor": scores.tumor,
        "cases": {name: list(pair) for name, pair in scores.cases.items()},
        "windows": sum(count for _, count in scored.values()),
        "roi": list(ROI),
        "data_sha256": hashlib.sha256("".join(f"{name} {digests[name]}\n" for name in names).encode()).hexdigest(),
        "digests": digests,
        "model_sha256": sha256(model),
    }
