"""The system under test: distributes LoadGen's queries to the lanes of all devices.

One worker thread drives one lane. Offline: the single large query is cut into batches that workers take in turn. Server: queries are
queued and workers take batches as they become free. SingleStream: the query is answered on LoadGen's thread, by the first device's
first stream. MultiStream: the query is divided among the lanes.
"""

from __future__ import annotations

import threading
import time
import traceback
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from code.common.errors import HarnessError, RunError
from code.harness.python.batcher import ArrivalQueue, Batch, by_length
from code.harness.python.datasets import Dataset
from code.harness.python.devices import Lane, bind_thread, on_device


@dataclass
class Counts:
    """Progress snapshot for the console: samples issued and completed, and the same in work where that is known.

    Work is in the data set's own unit, such as tokens: Offline answers the longest samples first, so that a share of the samples says
    little about the time that is left.
    """

    issued: int = 0
    completed: int = 0
    due: float = 0.0
    done: float = 0.0

    @property
    def share(self) -> float:
        """The share of the work that is done, 0 to 1; 0 where it is not known."""
        return min(1.0, self.done / self.due) if self.due else 0.0


class Sut:
    """Answers LoadGen's queries.

    Args:
        lanes: of all devices; never empty.
        complete: LoadGen's QuerySamplesComplete, which copies what it needs before it returns.
        respond: makes LoadGen's response object from (id, address, size in bytes).
        failed: called once, from the failing thread, when a batch cannot be computed; LoadGen cannot stop a test.
    """

    def __init__(
        self,
        scenario: str,
        lanes: Sequence[Lane],
        dataset: Dataset,
        *,
        limit: int,
        padding: float,
        timeout_s: float,
        complete: Callable[[list[Any]], None],
        respond: Callable[[int, int, int], Any],
        failed: Callable[[HarnessError], None],
    ) -> None:
        self.counts = Counts()
        self.lanes = lanes
        self._dataset = dataset
        self._limit = limit
        self._padding = padding
        self._complete = complete
        self._respond = respond
        self._failed = failed
        self._lock = threading.Lock()
        self._work: Iterator[Batch] = iter(())
        self._queue = ArrivalQueue(dataset.lengths, limit, padding, timeout_s)
        self._inline = scenario == "SingleStream" or (scenario == "MultiStream" and len(lanes) == 1)
        self._bound = False
        self._sorted = scenario in ("Offline", "MultiStream")
        self._ready = threading.Condition(self._lock)
        self._closed = False
        self.batches = array("d")
        """Five numbers for each answered batch: begin and end (monotonic seconds), samples, longest sample, index of its device."""
        self.requests = array("d")
        """Two numbers for each answered sample of a batch with arrival times: when it was issued and answered (monotonic seconds)."""
        self._workers: list[threading.Thread] = []
        if not self._inline:
            target = self._run_sorted if self._sorted else self._run_queue
            self._workers = [threading.Thread(target=self._drive, args=(target, lane), daemon=True) for lane in lanes]
            for worker in self._workers:
                worker.start()

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's IssueQuery."""
        self.counts.issued += len(ids)
        if self._inline:
            if not self._bound:
                bind_thread(self.lanes[0].device.cores)
                self._bound = True
            for batch in by_length(ids, indices, self._dataset.lengths, self._limit, self._padding):
                self._answer(self.lanes[0], batch)
        elif self._sorted:
            self.counts.due += float(self._dataset.lengths[np.asarray(indices)].sum(dtype=np.float64))
            with self._ready:
                self._work = by_length(ids, indices, self._dataset.lengths, self._limit, self._padding)
                self._ready.notify_all()
        else:
            self._queue.put(ids, indices)

    def flush(self) -> None:
        """LoadGen's FlushQueries: does nothing, because nothing is held back."""

    def close(self) -> None:
        """End the worker threads after the test."""
        self._queue.close()
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        for worker in self._workers:
            worker.join(timeout=10)

    @staticmethod
    def _drive(work: Callable[[Lane], None], lane: Lane) -> None:
        bind_thread(lane.device.cores)
        work(lane)

    def _run_sorted(self, lane: Lane) -> None:
        while True:
            with self._ready:
                batch = next(self._work, None)
                while batch is None:
                    if self._closed:
                        return
                    self._ready.wait()
                    batch = next(self._work, None)
            self._answer(lane, batch)

    def _run_queue(self, lane: Lane) -> None:
        while (batch := self._queue.take()) is not None:
            self._answer(lane, batch)

    def _answer(self, lane: Lane, batch: Batch) -> None:
        begin = time.monotonic()
        try:
            answers = self._dataset.answer(lane, batch.indices)
            if len(answers) != len(batch.ids):
                raise RunError(
                    f"the engine answered {len(answers)} of {len(batch.ids)} samples of a batch",
                    "an engine must answer every sample",
                    "rebuild the engine with --force_build",
                )
            respond = self._respond
            self._complete([respond(i, a.ctypes.data, a.nbytes) for i, a in zip(batch.ids, answers, strict=True)])
        except HarnessError as error:
            self._failed(on_device(lane.device.name, error))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._failed(
                RunError(
                    f"device {lane.device.name}: a batch of {len(batch.ids)} samples could not be computed",
                    f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else place.name}",
                    "rebuild the engine with --force_build; if that does not help, run with --backend=onnxruntime to compare",
                )
            )
        else:
            self.counts.completed += len(batch.ids)
            lane.samples += len(batch.ids)
            lane.batches += 1
            lengths = self._dataset.lengths[batch.indices]
            self.counts.done += float(lengths.sum(dtype=np.float64))
            longest = float(lengths.max())
            end = time.monotonic()
            self.batches.extend((begin, end, float(len(batch.ids)), longest, float(lane.device.index)))
            if batch.arrived:
                self.requests.extend([moment for since in batch.arrived for moment in (since, end)])
