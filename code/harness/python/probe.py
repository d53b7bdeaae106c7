"""Short measurement of the engine on this machine, for config values that are left to it (`Probed`)."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from code.common.errors import HarnessError
from code.harness.python.batcher import Batch, by_length
from code.harness.python.datasets import Dataset
from code.harness.python.devices import Device, Lane, bind_thread, bound, on_all
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import RunSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 512
WARM_UP_S = 3.0
LEAST_S = 1.5
MEETING_S = 0.7
SINGLES_S = 0.4
ARRIVING_S, MOST_ARRIVING_S, ARRIVALS = 1.0, 2.5, 150
LOAD = 0.85
"""Share of what lanes complete in batches of one."""
LEAST_ALONE = 20
"""Batches of one sample that a mean needs."""
LATENCY_RUNS = 50


def measure(devices: Sequence[Device], dataset: Dataset, spec: RunSpec) -> dict[str, float]:
    """{'samples_per_second', 'latency_ns', 'query_latency_ns', 'singles_per_second'} with run.json's devices, streams and batches.

    The first is measured over batches of similar length on all lanes. The second is the median of single samples on the first lane.
    The third is the time of a MultiStream query at that throughput. The fourth is the throughput of all lanes in batches of one
    sample; on processors, of those that are alone in their batch when samples arrive as in Server. Samples are spread evenly over the
    data set; each measurement takes a second or two however slow the engine is. Where time is proportional to length, the results are
    extrapolated by length from the few samples that fit into that time, the second is the mean, and there is no fourth.
    """
    chosen = np.linspace(0, dataset.count - 1, min(SAMPLES, dataset.count)).astype(np.int64)
    batches = list(by_length(chosen.tolist(), chosen.tolist(), dataset.lengths, spec.batch.max_samples, spec.batch.padding))
    order = np.random.default_rng(0).permutation(len(batches))
    shuffled = [batches[i] for i in order]
    on_all(devices, lambda device: _meet_shapes(device, dataset, shuffled))
    lanes = [lane for device in devices for lane in device.lanes()]
    rate = _throughput(lanes, dataset, shuffled, LEAST_S, dataset.proportional)
    if not dataset.proportional:
        _on_each(lanes, lambda lane: _meet_lengths(lane, dataset))
    latency = bound(devices[0].entry.cores, lambda: _latency_ns(devices[0], dataset, chosen))
    query_ns = spec.expects.samples_per_query / rate * 1e9
    found = {"samples_per_second": rate, "latency_ns": latency, "query_latency_ns": query_ns}
    if not dataset.proportional:
        mixed = np.random.default_rng(2).permutation(chosen).tolist()
        singles = [Batch([index], np.asarray([index])) for index in mixed]
        alone = _throughput(lanes, dataset, singles, SINGLES_S, True)
        on_gpus = any(device.entry.pci for device in devices)  # where a batch's time holds what it waits for other lanes'
        found["singles_per_second"] = alone if on_gpus else _arriving(lanes, dataset, spec, mixed, alone)
    return found


def _meet_shapes(device: Device, dataset: Dataset, batches: list[Batch]) -> None:
    """Run every batch once while time allows: an engine's first use of a shape costs more than later ones."""
    stream = device.lane()
    end = time.monotonic() + WARM_UP_S
    for batch in batches:
        if dataset.proportional:
            dataset.meet(stream, int(batch.indices[0]))
            return
        dataset.answer(stream, batch.indices)
        if time.monotonic() > end:
            return


def _meet_lengths(lane: Lane, dataset: Dataset) -> None:
    """Run a sample of each length while time allows, longest first."""
    _, first_of_length = np.unique(dataset.lengths, return_index=True)
    end = time.monotonic() + MEETING_S
    for index in first_of_length[::-1]:
        dataset.answer(lane, np.asarray([index]))
        if time.monotonic() > end:
            return


def _on_each(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> None:
    """Call `work` for every lane at once, each on a thread of its own that is bound to its device's processors."""

    def one(lane: Lane) -> None:
        bind_thread(lane.device.cores)
        work(lane)

    threads = [threading.Thread(target=one, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _throughput(lanes: Sequence[Lane], dataset: Dataset, batches: list[Batch], least_s: float, extrapolated: bool) -> float:
    """Samples per second over batches in turn, until `least_s` have passed and every lane has completed two.

    Args:
        extrapolated: by length, from samples that are not all.
    """
    turn = itertools.cycle(batches)
    done = 0.0
    whole = float(dataset.lengths.mean())
    lock = threading.Lock()
    start = time.monotonic()

    def work(lane: Lane) -> None:
        nonlocal done
        own, ran = 0.0, 0
        while ran < 2 or time.monotonic() - start < least_s:
            with lock:
                batch = next(turn)
            dataset.answer(lane, batch.indices)
            own += float(dataset.lengths[batch.indices].sum()) / whole if extrapolated else len(batch.ids)
            ran += 1
        with lock:
            done += own

    _on_each(lanes, work)
    return done / (time.monotonic() - start)


def _arriving(lanes: Sequence[Lane], dataset: Dataset, spec: RunSpec, samples: Sequence[int], rate: float) -> float:
    """The rate of batches of one where samples arrive at random and go through the queue of a Server run.

    Batches of other sizes come between, lanes fall idle, and the thread that issues takes its share of the processors.

    Args:
        rate: without that. It stands where too few samples were alone.
    """
    errors: list[HarnessError] = []
    sut = Sut(
        "Server",
        lanes,
        dataset,
        limit=spec.batch.max_samples,
        padding=spec.batch.padding,
        timeout_s=0.0,
        complete=lambda _: None,
        respond=lambda *_: None,
        failed=errors.append,
    )
    draw, start, at = np.random.default_rng(3), time.monotonic(), 0.0
    for number in itertools.count():
        if errors or (at >= ARRIVING_S and (number >= ARRIVALS or at >= MOST_ARRIVING_S)):
            break
        at += float(draw.exponential(1 / (LOAD * rate)))
        time.sleep(max(0.0, start + at - time.monotonic()))
        sut.issue([number], [samples[number % len(samples)]])
    sut.close()
    if errors:
        raise errors[0]
    log = np.asarray(sut.batches, dtype=np.float64).reshape(-1, 5)
    alone = log[log[:, 2] == 1]
    if len(alone) < LEAST_ALONE:
        return rate
    return float(len(lanes) * alone[:, 3].sum() / dataset.lengths.mean() / np.sum(alone[:, 1] - alone[:, 0]))


def _latency_ns(device: Device, dataset: Dataset, chosen: NDArray[np.int64]) -> float:
    stream = device.lane()
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
