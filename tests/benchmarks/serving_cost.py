"""`python -m tests.benchmarks.serving_cost [turns]`: tiny BERT's engine called in this process and through Triton, in turn.

Prints the median time of one call for each way and shape, and what a way adds to the direct call. Needs `make triton` and the engine of
`make generate_engines RUN_ARGS="--benchmarks=bert --scenarios=singlestream"`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.base import EngineSpec, backend
from code.backends.triton import config, package, repository
from code.backends.triton.client import TritonEngine
from code.common import paths
from code.harness.schema.options import TritonOptions
from code.run import triton_server

MODEL = "bert"
SHAPES = ((1, 64), (1, 384), (16, 384))
CALLS = 20


def main(turns: int) -> None:
    """Print the table."""
    engine = sorted((paths.build_dir() / "engines").glob("bert-model-openvino-fp32-*"))[0]
    graph = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served = repository.Served(MODEL, engine, "fp32", config.Instances(1), 1)
        repository.write(folder / "repository", "openvino", graph, 16, [served], config.Settings())
        with triton_server.started(package.installation(None), folder / "repository", folder, 0, 0, 300) as server:
            direct = backend("openvino").load(engine, EngineSpec(1, 1, "fp32"))
            ways: dict[str, Any] = {"in process": direct.stream()}
            for what, memory in (("gRPC, shared memory", True), ("gRPC, messages", False)):
                ways[what] = TritonEngine(TritonOptions(server.url, (MODEL,), memory), MODEL).stream()
            measure(ways, direct.inputs, turns)


def measure(ways: dict[str, Any], names: Any, turns: int) -> None:
    """One row for each shape: the median of medians, in turn."""
    for shape in SHAPES:
        inputs = {name: np.ones(shape, np.int64) for name in names}
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(turns + 1):
            for way, stream in ways.items():
                calls = []
                for _ in range(CALLS):
                    begin = time.perf_counter()
                    stream.infer(inputs)
                    calls.append(time.perf_counter() - begin)
                times[way].append(statistics.median(calls) * 1e3)
        best = {way: statistics.median(found[1:]) for way, found in times.items()}
        words = "; ".join(f"{way} {ms:.2f} ms (+{ms - best['in process']:.2f})" for way, ms in best.items())
        print(f"{shape[0]} x {shape[1]}: {words}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
