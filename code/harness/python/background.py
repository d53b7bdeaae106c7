"""A load without LoadGen: keeps the devices of run.json as busy as its scenario would, until the process is ended.

The main workload of a heterogeneous run is measured while such processes run beside it (code/run/neighbours.py). Nothing judges their
answers.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from code.harness.python.watch import Counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECK_S = 0.002
MOST_BEHIND = 10_000
"""Server queries that may wait: where the devices are slower than the rate, no more are issued."""


class Unjudged:
    """What takes LoadGen's place for a system under test: answers are complete and forgotten."""

    @staticmethod
    def QuerySamplesComplete(_responses: list[Any]) -> None:  # noqa: N802
        """LoadGen's function of that name."""

    @staticmethod
    def FirstTokenComplete(_responses: list[Any]) -> None:  # noqa: N802
        """LoadGen's function of that name."""

    @staticmethod
    def QuerySampleResponse(_identifier: int, _address: int, _size: int, _tokens: int = 0) -> None:  # noqa: N802
        """LoadGen's class of that name."""


class Load:
    """Issues queries of one scenario to a system under test, for ever.

    Args:
        issue: the system's IssueQuery: ids and indices of samples.
        counts: what it has answered.
        samples: indices of the samples that are in memory.
        rate: queries a second, in Server.
        per_query: samples of a query, in MultiStream.
    """

    def __init__(
        self,
        scenario: str,
        issue: Callable[[list[int], list[int]], None],
        counts: Callable[[], Counted],
        samples: NDArray[np.int64],
        rate: float = 0.0,
        per_query: int = 1,
    ) -> None:
        self._issue, self._counts, self._samples = issue, counts, samples
        self._rate, self._per_query = rate, per_query
        self._ids = itertools.count(1)
        self._random = np.random.default_rng(0)
        self._work = {"Offline": self._whole, "Server": self._poisson, "MultiStream": self._several}.get(scenario, self._single)

    def start(self) -> None:
        """Begin on a thread of its own."""
        threading.Thread(target=self._forever, name="load", daemon=True).start()

    def _forever(self) -> None:
        while True:
            self._work()

    def _ask(self, indices: NDArray[np.int64]) -> None:
        self._issue([next(self._ids) for _ in indices], indices.tolist())

    def _answered(self) -> bool:
        counts = self._counts()
        return counts.completed >= counts.issued

    def _wait(self) -> None:
        while not self._answered():
            time.sleep(CHECK_S)

    def _whole(self) -> None:
        """Every sample once, in an order of its own, in a single query."""
        self._ask(self._random.permutation(self._samples))
        self._wait()

    def _several(self) -> None:
        self._ask(self._random.choice(self._samples, self._per_query))
        self._wait()

    def _single(self) -> None:
        self._ask(self._random.choice(self._samples, 1))
        self._wait()

    def _poisson(self) -> None:
        """Single samples at random times with the mean rate, as long as the system keeps up."""
        due = time.monotonic()
        while True:
            due += float(self._random.exponential(1 / max(self._rate, 1e-6)))
            time.sleep(max(0.0, due - time.monotonic()))
            counts = self._counts()
            if counts.issued - counts.completed < MOST_BEHIND:
                self._ask(self._random.choice(self._samples, 1))
            else:
                due = time.monotonic()


def run(settings: Any, spec: Any, loaded: Any, watch: Any, fail: Callable[[Any], None]) -> None:
    """Load the devices of run.json until the watch ends the process.

    Args:
        settings: LoadGen's TestSettings of the run.
        loaded: data set and engines (code/harness/python/batched_run.py).
    """
    if spec.warmup_s > 0:
        watch.enter("warmup", loaded)
        loaded.warm_up(spec.warmup_s)
    sut = loaded.start(Unjudged, fail)
    count = loaded.dataset.count
    resident = min(int(settings.performance_sample_count_override) or count, count)
    samples = np.random.default_rng(0).permutation(count)[:resident].astype(np.int64)
    loaded.dataset.load(samples.tolist())
    watch.enter("run", loaded, lambda: sut.counts)
    rate = float(settings.server_target_qps)
    Load(spec.scenario, sut.issue, lambda: sut.counts, samples, rate, spec.expects.samples_per_query).start()
    threading.Event().wait()
