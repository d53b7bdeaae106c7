"""Requests to TensorRT-LLM's LLM API, followed by one thread with an event loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.generators.base import Event, Generation
from code.common.errors import HarnessError, RunError, last_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDED, FULL = "stop", "length"
"""`finish_reason` of a text that an end of text ended, and of one that has the most tokens."""


class LlmApiGenerator:
    """A loaded model and its requests.

    Args:
        llm: tensorrt_llm.llmapi.LLM.
        sampling: its SamplingParams.
        capacity: requests in flight.
    """

    def __init__(self, llm: Any, sampling: Any, generation: Generation, capacity: int) -> None:
        self.capacity = capacity
        self._llm, self._sampling, self._generation = llm, sampling, generation
        self._news: queue.SimpleQueue[Event | HarnessError] = queue.SimpleQueue()
        self._followed: set[asyncio.Task[None]] = set()
        self._running: dict[int, Any] = {}
        self._leaving: set[int] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tensorrt_llm_api", daemon=True)
        self._thread.start()

    @property
    def _streams(self) -> bool:
        """Whether tokens are streamed: beam search may revise all tokens until its end, greedy search does not."""
        return self._generation.stream and self._generation.num_beams == 1

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Pass it to the runtime, which queues it."""
        self._loop.call_soon_threadsafe(self._start, request, [int(token) for token in prompt])

    def cancel(self, request: int) -> None:
        """Abort it in the runtime."""
        self._loop.call_soon_threadsafe(self._give_up, request)

    def advance(self, wait_s: float) -> list[Event]:
        """Events since the last call; waits at most `wait_s` for the first."""
        events: list[Event] = []
        try:
            while True:
                found = self._news.get(timeout=wait_s) if not events else self._news.get_nowait()
                if isinstance(found, HarnessError):
                    raise found
                events.append(found)
        except queue.Empty:
            return events

    def close(self) -> None:
        """Abandon the requests, and shut the runtime and its workers down."""
        asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result()
        self._llm.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, request: int, prompt: list[int]) -> None:
        # The task is kept: an event loop holds only a weak reference to it.
        self._running[request] = None
        task = self._loop.create_task(self._follow(request, prompt))
        self._followed.add(task)
        task.add_done_callback(self._followed.discard)

    def _give_up(self, request: int) -> None:
        if request in self._running:
            self._leaving.add(request)
            result = self._running[request]
            if result is not None:
                result.abort()

    async def _follow(self, request: int, prompt: list[int]) -> None:
        try:
            # Within the loop: only there the API makes results that can be awaited.
            result = self._llm.generate_async(prompt, sampling_params=self._sampling, streaming=self._streams)
            self._running[request] = result
            if request in self._leaving:
                result.abort()
            reported = not self._streams
            async for update in result:  # without streaming there is one, the last
                tokens = update.outputs[0].token_ids  # all of the text so far
                if tokens and not reported:
                    reported = True
                    self._news.put(Event(request, np.asarray(tokens[:1], dtype=np.int32), False))
            best = result.outputs[0]
            text = list(best.token_ids)
            if request not in self._leaving:
                text = whole(text, str(best.finish_reason), best.stop_reason, self._generation)
            self._news.put(Event(request, np.asarray(text, dtype=np.int32), True))
        except Exception as error:  # whatever TensorRT-LLM raises ends the run with its words
            if request in self._leaving:
                self._news.put(Event(request, np.empty(0, np.int32), True))
            else:
                why = f"{type(error).__name__}: {last_words(error)}"
                self._news.put(RunError(f"TensorRT-LLM dropped request {request}", why, "see its messages in stdout.txt"))
        finally:
            del self._running[request]
            self._leaving.discard(request)

    async def _abandon(self) -> None:
        for task in list(self._followed):
            task.cancel()
        await asyncio.gather(*self._followed, return_exceptions=True)


def whole(tokens: list[int], finish_reason: str, stop_reason: Any, generation: Generation) -> list[int]:
    """A text up to its end of text, which is its last token where one ended it. ValueError for a text that something else ended.

    Args:
        tokens: what the runtime returns, which leaves out the token that ended a text.
        stop_reason: of further ends the token that ended the text.
    """
    if finish_reason not in (ENDED, FULL):
        raise ValueError(f"the text ended by {finish_reason}")
    at = next((i for i, token in enumerate(tokens) if token in generation.ends), None)
    if at is not None:
        return tokens[: at + 1]
    if finish_reason == FULL:
        return tokens
    return [*tokens, stop_reason if stop_reason in generation.ends else generation.eos]
