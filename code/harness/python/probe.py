"""A short measurement of the engine on this machine, for values that configs leave to it (`Probed`)."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
from numpy.typing import NDArray

from code.backends.base import Engine
from code.fields.consumer import Consumer
from code.harness.python.batcher import Batch, by_length
from code.harness.python.datasets import Dataset
from code.harness.schema.run_spec import RunSpec

READS = Consumer("probe", ("multi_stream_samples_per_query",))

SAMPLES = 512
WARM_UP_S = 3.0
LEAST_S = 1.5
LATENCY_RUNS = 50


def measure(engine: Engine, dataset: Dataset, spec: RunSpec) -> dict[str, float]:
    """{'samples_per_second', 'latency_ns', 'query_latency_ns'} of the engine with run.json's streams and batches.

    The first over batches of nearly one length on all streams; the second is the median of single samples on one stream; the third
    is the time of a MultiStream query at that throughput. Each over samples spread evenly over the data set, and for a second or two
    however slow the engine is. Where a sample's time is proportional to its length, the few that fit into that time stand for all by
    their lengths, and the second is the mean.
    """
    chosen = np.linspace(0, dataset.count - 1, min(SAMPLES, dataset.count)).astype(np.int64)
    limit, padding = int(spec.batch["max_samples"]), float(spec.batch["padding"])
    batches = list(by_length(chosen.tolist(), chosen.tolist(), dataset.lengths, limit, padding))
    order = np.random.default_rng(0).permutation(len(batches))
    shuffled = [batches[i] for i in order]
    streams = int(spec.engine["streams"])
    _meet_shapes(engine, dataset, shuffled)
    rate = _throughput(engine, dataset, shuffled, streams, LEAST_S)
    latency = _latency_ns(engine, dataset, chosen)
    per_query = int(READS.of(spec.fields).get("multi_stream_samples_per_query") or 8)
    return {"samples_per_second": rate, "latency_ns": latency, "query_latency_ns": per_query / rate * 1e9}


def _meet_shapes(engine: Engine, dataset: Dataset, batches: list[Batch]) -> None:
    """Run every batch once, as far as time allows: an engine's first meeting with a shape costs more than all later ones."""
    stream = engine.stream()
    end = time.monotonic() + WARM_UP_S
    for batch in batches:
        if dataset.proportional:
            dataset.meet(stream, int(batch.indices[0]))
            return
        dataset.answer(stream, batch.indices)
        if time.monotonic() > end:
            return


def _throughput(engine: Engine, dataset: Dataset, batches: list[Batch], streams: int, least_s: float) -> float:
    """Samples per second over batches in turn until `least_s` have gone by and every stream has done two."""
    turn = itertools.cycle(batches)
    done = [0.0] * streams
    whole = float(dataset.lengths.mean())
    lock = threading.Lock()
    start = time.monotonic()

    def work(lane: int) -> None:
        stream = engine.stream()
        ran = 0
        while ran < 2 or time.monotonic() - start < least_s:
            with lock:
                batch = next(turn)
            dataset.answer(stream, batch.indices)
            done[lane] += float(dataset.lengths[batch.indices].sum()) / whole if dataset.proportional else len(batch.ids)
            ran += 1

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - start)


def _latency_ns(engine: Engine, dataset: Dataset, chosen: NDArray[np.int64]) -> float:
    stream = engine.stream()
    times, lengths = [], []
    end = time.monotonic() + LEAST_S
    for index in np.random.default_rng(1).permutation(chosen)[:LATENCY_RUNS]:
        start = time.perf_counter_ns()
        dataset.answer(stream, np.asarray([index]))
        times.append(time.perf_counter_ns() - start)
        lengths.append(int(dataset.lengths[index]))
        if time.monotonic() > end:
            break
    if dataset.proportional:
        return float(sum(times) / sum(lengths) * dataset.lengths.mean())
    return float(np.median(times))
