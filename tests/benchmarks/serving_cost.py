"""`python -m tests.benchmarks.serving_cost [turns]`: tiny BERT's engine called directly and through Triton in every way, in turn.

Prints the median time of one call for each way and shape, and what a way adds to the direct call in the same language. Needs `make triton`,
the engine of `make generate_engines RUN_ARGS="--benchmarks=bert --scenarios=singlestream"`, and for the C++ harness's ways
`scripts/build_harness.sh .venv/bin/python '' -DHARNESS_BENCHMARKS=ON`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from code.backends.base import EngineSpec, backend
from code.backends.triton import config, package, repository
from code.backends.triton.client import TritonEngine
from code.common import paths
from code.harness.schema.options import TritonInProcessOptions, TritonOptions
from code.run import triton_server
from tests import run_documents as documents

MODEL = "bert"
SHAPES = ((1, 64), (1, 384), (16, 384))
CALLS = 20
DIRECT, DIRECT_CPP = "in process", "C++, in process"


class Way(Protocol):
    """One way to call the engine."""

    def median_ms(self, shape: tuple[int, int], calls: int) -> float:
        """The median time of a call with inputs of a shape."""


class Python:
    """A stream of the Python harness."""

    def __init__(self, stream: Any, names: Any) -> None:
        self._stream, self._names = stream, names

    def median_ms(self, shape: tuple[int, int], calls: int) -> float:
        """See Way."""
        inputs = {name: np.ones(shape, np.int64) for name in self._names}
        times = []
        for _ in range(calls):
            begin = time.perf_counter()
            self._stream.infer(inputs)
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1e3


class Cpp:
    """A stream of the C++ harness, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def median_ms(self, shape: tuple[int, int], calls: int) -> float:
        """See Way."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{shape[0]} {shape[1]} {calls}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(turns: int) -> None:
    """Print the table."""
    engine = sorted((paths.build_dir() / "engines").glob("bert-model-openvino-fp32-*"))[0]
    graph = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
    installed = package.installation(None)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        served = repository.Served(MODEL, engine, "fp32", config.Instances(1), 1)
        repository.write(folder / "repository", "openvino", graph, 16, [served], config.Settings())
        direct = backend("openvino").load(engine, EngineSpec(1, 1, "fp32"))
        ways: dict[str, Way] = {DIRECT: Python(direct.stream(), direct.inputs)}
        for protocol, called in (("grpc", "gRPC"), ("http", "HTTP")):
            (folder / protocol).mkdir()
            server = stack.enter_context(
                triton_server.started(installed, folder / "repository", folder / protocol, 0, 0, 300, protocol)
            )
            for memory, how in ((True, "shared memory"), (False, "messages")):
                options = TritonOptions(server.url, (MODEL,), memory, protocol)  # type: ignore[arg-type]
                ways[f"{called}, {how}"] = Python(TritonEngine(options, MODEL).stream(), direct.inputs)
        if program().is_file():
            ways |= stack.enter_context(cpp_ways(folder, engine, installed))
        measure(ways, turns)


def program() -> Path:
    """Where the C++ harness's part is built."""
    return paths.build_dir() / "cmake" / "bin" / "serving_cost"


@contextlib.contextmanager
def cpp_ways(folder: Path, engine: Path, installed: package.Installation) -> Iterator[dict[str, Way]]:
    """The engine called by the C++ harness, directly and through the C API."""
    options = TritonInProcessOptions(
        library=str(package.library(installed)),
        backends=str(package.backends_for(installed)),
        repository=str(folder / "repository"),
        models=(MODEL,),
        region_prefix=f"{triton_server.REGIONS}{os.getpid()}-cost-",
        log=str(folder / "in_process.txt"),
    )
    started = []
    variables = {**package.server_environment(installed)}
    for number, entry in enumerate((("openvino", {}), ("triton_in_process", dataclasses.asdict(options)))):
        content = documents.document(
            documents.SYNTHETIC, {**documents.engine(*entry), "folder": str(engine), "precision": "fp32"}
        )
        content["devices"][0] |= {"cores": [], "streams": 1, "threads": 1}
        run = folder / f"run{number}.json"
        run.write_text(json.dumps(content))
        command = [str(program()), str(run)]
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables, bufsize=1)
        )
    try:
        yield {DIRECT_CPP: Cpp(started[0]), "C++, C API": Cpp(started[1])}
    finally:
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
        triton_server.remove_regions(options.region_prefix)


def measure(ways: Mapping[str, Way], turns: int) -> None:
    """One row for each shape: the median of medians, in turn, and the spread of a way's medians."""
    for shape in SHAPES:
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(turns + 1):
            for name, way in ways.items():
                times[name].append(way.median_ms(shape, CALLS))
        best = {name: statistics.median(found[1:]) for name, found in times.items()}
        words = []
        for name, ms in best.items():
            over = ms - best[DIRECT_CPP if name.startswith("C++") else DIRECT]
            words.append(f"  {name}: {ms:.3f} ms ({over:+.3f}; {min(times[name][1:]):.3f} to {max(times[name][1:]):.3f})")
        print(f"{shape[0]} x {shape[1]}", *words, sep="\n", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
