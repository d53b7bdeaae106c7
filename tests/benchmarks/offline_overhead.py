"""What the Python harness costs: Offline samples/s under LoadGen over a bare loop of the same batches on the same engine.

    python -m tests.benchmarks.offline_overhead [MODEL.onnx]

Both run in this process, in turn, on all cores, after a pass that has met every shape; the figure is the ratio of the medians of five.
The bare loop's inputs are made beforehand and its outputs thrown away, so that nothing but the engine is in it.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from code.backends import store
from code.backends.base import Engine, EngineSpec, backend
from code.benchmarks.bert.benchmark import BENCHMARK
from code.fields.table import FIELDS
from code.harness.python.batcher import by_length
from code.harness.python.datasets import Dataset, open_dataset
from code.harness.python.devices import Device
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import DeviceEntry
from code.machine.detect import detect
from code.results.loadgen_log import read_detail

REPEATS = 5
LIMIT, PADDING = 16, 1 / 16


def bare(engine: Engine, dataset: Dataset, indices: list[int], streams: int) -> float:
    """Samples per second of the engine alone."""
    inputs = [(dataset.inputs(b.indices), len(b.ids)) for b in by_length(indices, indices, dataset.lengths, LIMIT, PADDING)]
    turn = iter(inputs)
    lock = threading.Lock()

    def work() -> None:
        stream = engine.stream()
        while True:
            with lock:
                item = next(turn, None)
            if item is None:
                return
            stream.infer(item[0])

    threads = [threading.Thread(target=work) for _ in range(streams)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(indices) / (time.monotonic() - start)


def under_loadgen(engine: Engine, dataset: Dataset, samples: int, streams: int) -> float:
    """LoadGen's own figure."""
    import mlperf_loadgen as lg

    settings = lg.TestSettings()
    settings.scenario, settings.mode = lg.TestScenario.Offline, lg.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count, settings.offline_expected_qps = 0, samples, 1.0
    log = lg.LogSettings()
    log.enable_trace = False
    with tempfile.TemporaryDirectory() as folder:
        log.log_output.outdir = folder
        log.log_output.copy_summary_to_stdout = False
        sut = Sut(
            "Offline",
            Device(DeviceEntry(0, "node 0", 0, (), streams, 0), engine).lanes(),
            dataset,
            limit=LIMIT,
            padding=PADDING,
            timeout_s=0.0,
            complete=lg.QuerySamplesComplete,
            respond=lg.QuerySampleResponse,
            failed=lambda error: sys.exit(str(error)),
        )
        handle = lg.ConstructFastSUT(sut.issue, sut.flush)
        qsl = lg.ConstructQSL(dataset.count, dataset.count, dataset.load, lambda _: None)
        lg.StartTestWithLogSettings(handle, qsl, settings, log, "")
        sut.close()
        lg.DestroyQSL(qsl)
        lg.DestroyFastSUT(handle)
        return float(read_detail(Path(folder) / "mlperf_log_detail.txt").value or 0.0)


def main(arguments: list[str]) -> None:
    """Measure and print one JSON object."""
    values = {**{f.name: f.default for f in FIELDS}, "model_variant": "tiny", "model_path": arguments[0] if arguments else None}
    BENCHMARK.prepare(values)
    runtime = backend("openvino")
    where = store.address(runtime, BENCHMARK.name, BENCHMARK.model(values), values)
    if not where.exists:
        store.build(where, runtime, BENCHMARK.model(values), values)
    cores = max(1, detect().usable_cores)
    engine = runtime.load(where.folder, EngineSpec(cores, cores, "fp32"))
    dataset = open_dataset(BENCHMARK.dataset(values))
    indices = np.random.default_rng(0).permutation(dataset.count).tolist()
    bare(engine, dataset, indices, cores)
    pairs = [
        (bare(engine, dataset, indices, cores), under_loadgen(engine, dataset, dataset.count, cores)) for _ in range(REPEATS)
    ]
    alone, harness = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        json.dumps(
            {"bare samples/s": round(alone, 1), "harness samples/s": round(harness, 1), "ratio": round(harness / alone, 4)}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
