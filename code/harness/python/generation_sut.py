"""The system under test for text generation: requests enter the generator as LoadGen issues them and complete as they finish.

One thread drives the generator. Offline submits the longest prompts first, so that none of them runs alone at the end; Server keeps
the order of arrival; SingleStream has one request in flight by definition. LoadGen gets the first token with use_token_latencies, and
the whole text when it is complete.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.generators.base import WAIT_S, Event, TextGenerator, Usage, failure
from code.common.errors import HarnessError, RunError
from code.harness.python.prompts import PromptDataset
from code.harness.python.sut import Counts
from code.harness.python.watch import PATIENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_order(indices: Sequence[int], lengths: NDArray[np.int32], segments: int) -> NDArray[np.int64]:
    """Positions in `indices`, longest prompts first; with several segments, each part of the query is sorted separately."""
    parts = np.array_split(np.arange(len(indices)), max(1, segments))
    wanted = np.asarray(indices, dtype=np.int64)
    return np.concatenate([part[np.argsort(-lengths[wanted[part]], kind="stable")] for part in parts]).astype(np.int64)


@dataclass
class Generated(Counts):
    """Work of text generation: the tokens of prompts and of texts, of which unfinished requests are expected to have the mean."""

    tokens: int = 0

    @property
    def share(self) -> float:
        """The share of all tokens that is done, 0 to 1; 0 where it is not known."""
        if not self.due or not self.completed:
            return 0.0
        expected = self.tokens / self.completed * self.issued
        return min(1.0, (self.done + self.tokens) / (self.due + expected))


class GenerationSut:
    """Answers LoadGen's queries with generated texts.

    Args:
        first_token, complete: LoadGen's FirstTokenComplete (None without token latencies) and QuerySamplesComplete, which
            copy what they need before they return.
        respond: makes LoadGen's response object from (id, address, size in bytes, tokens).
        failed: called once, from the driving thread, when a text cannot be generated; LoadGen cannot stop a test.
        watchdog_s: seconds without an answer, while requests are pending, after which the run fails; 0: never. A generator that
            produces tokens but finishes no text gets `PATIENCE` times as long: large models take minutes for their first texts.
        segments: parts of an Offline query that are sorted separately; 0: not sorted.
    """

    def __init__(
        self,
        scenario: str,
        generator: TextGenerator,
        dataset: PromptDataset,
        *,
        complete: Callable[[list[Any]], None],
        first_token: Callable[[list[Any]], None] | None,
        respond: Callable[[int, int, int, int], Any],
        failed: Callable[[HarnessError], None],
        watchdog_s: float = 0.0,
        segments: int = 1,
    ) -> None:
        self.counts = Generated()
        self.tokens = 0
        """Tokens generated so far, without prompts."""
        self.usage = Usage()
        self.log = array("d")
        """Four numbers for each answered request: when it was issued and finished (monotonic seconds), 1, its prompt's length."""
        self.texts = array("d")
        """Four numbers for each text: when it was issued, had its first token (0 if not reported) and was finished, and its tokens."""
        self._generator = generator
        self._dataset = dataset
        self._complete, self._first_token, self._respond, self._failed = complete, first_token, respond, failed
        self._segments = segments if scenario == "Offline" else 0
        self._watchdog_s = watchdog_s
        self._requests: dict[int, tuple[int, int, float]] = {}
        self._next = 0
        self._reported: dict[int, float] = {}
        self._lock = threading.Lock()
        self._last_sign = self._last_step = time.monotonic()
        self._closed = threading.Event()
        self._driver = threading.Thread(target=self._drive, name="generator", daemon=True)
        self._driver.start()
        if watchdog_s > 0:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's IssueQuery."""
        order = in_order(indices, self._dataset.lengths, self._segments) if self._segments else np.arange(len(ids))
        now = time.monotonic()
        with self._lock:
            if self.counts.issued == self.counts.completed:
                self._last_sign = now
            self.counts.issued += len(ids)
            if self._segments:
                self.counts.due += float(self._dataset.lengths[np.asarray(indices)].sum(dtype=np.float64))
            numbers = range(self._next, self._next + len(ids))
            self._next += len(ids)
            for number, position in zip(numbers, order.tolist(), strict=True):
                self.usage.began()
                self._requests[number] = (ids[position], indices[position], now)
        for number, position in zip(numbers, order.tolist(), strict=True):
            self._generator.submit(number, self._dataset.prompt(indices[position]))

    def flush(self) -> None:
        """LoadGen's FlushQueries: does nothing, because nothing is held back."""

    def close(self) -> None:
        """End the driving thread after the test."""
        self._closed.set()
        self._driver.join(timeout=10)
        self._generator.close()

    def _drive(self) -> None:
        try:
            while not self._closed.is_set():
                events = self._generator.advance(WAIT_S)
                self._last_step = time.monotonic()
                self._report(events)
        except HarnessError as error:
            self._failed(error)
        except Exception as error:
            self._failed(failure(error))

    def _report(self, events: Sequence[Event]) -> None:
        now = time.monotonic()
        firsts, finished = [], []
        with self._lock:
            for event in events:
                identity, index, issued = self._requests[event.request]
                if event.finished:
                    finished.append((identity, event.tokens))
                    if event.request not in self._reported:  # beam search: LoadGen fails if it never gets a first token
                        firsts.append((identity, event.tokens[:1]))
                    first = self._reported.pop(event.request, 0.0)
                    del self._requests[event.request]
                    self.counts.done += float(self._dataset.lengths[index])
                    self.log.extend((issued, now, 1.0, float(self._dataset.lengths[index])))
                    self.texts.extend((issued, first, now, float(len(event.tokens))))
                else:
                    self._reported[event.request] = now
                    firsts.append((identity, event.tokens))
            self.usage.ended(len(finished))
        for _, tokens in finished:
            if not len(tokens):
                raise RunError("the generator answered a request without a token", "every text has at least min_new_tokens")
        if firsts and self._first_token is not None:
            self._first_token([self._respond(i, t.ctypes.data, t.nbytes, len(t)) for i, t in firsts])
        if finished:
            self._last_sign = now
            self._complete([self._respond(i, t.ctypes.data, t.nbytes, len(t)) for i, t in finished])
            self.tokens += sum(len(t) for _, t in finished)
            self.counts.tokens = self.tokens
            self.counts.completed += len(finished)

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, self._watchdog_s / 4)):
            now = time.monotonic()
            silent, idle = now - self._last_sign, now - self._last_step
            if self._requests and (min(silent, idle) > self._watchdog_s or silent > PATIENCE * self._watchdog_s):
                self._failed(
                    RunError(
                        f"the generator is stuck: no text was finished for {silent:.0f} s",
                        f"{len(self._requests):,} requests are waiting for an answer",
                        "run again with fewer requests in flight (cpu_batch_size); if it happens again, run with --precision=fp32",
                    )
                )
                return
