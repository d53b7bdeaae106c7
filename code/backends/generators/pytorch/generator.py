"""Batches of requests through transformers' `generate`, by a thread that owns the network.

A batch runs until its last text is complete or given up; a text of a greedy search is reported as soon as it ends, and its first token
when it is generated. Requests that arrive meanwhile wait for the next batch.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.generators.base import Event, Generation
from code.backends.generators.pytorch.batches import Request, padded, rounded, taken
from code.common.errors import HarnessError, MissingError, RunError, last_words
from code.harness.schema.options import PyTorchOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

News = queue.SimpleQueue[Event | HarnessError]


class PyTorchGenerator:
    """A network and its requests.

    Args:
        generation: generation settings.
        capacity: most requests of a batch.
        longest: most tokens of a prompt, for a cache of constant size.
        threads: of PyTorch on a processor; 0: its own choice.
    """

    def __init__(
        self, network: Any, generation: Generation, options: PyTorchOptions, capacity: int, longest: int, threads: int
    ) -> None:
        self.capacity = capacity
        self._network, self._generation, self._options = network, generation, options
        self._settings = _settings(generation, options, longest)
        self._waiting: list[Request] = []
        self._running: set[int] = set()
        self._leaving: set[int] = set()
        self._arrived = threading.Condition()
        self._news: News = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._work, args=(threads,), name="pytorch", daemon=True)
        self._thread.start()

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Queue it for one of the next batches."""
        with self._arrived:
            self._waiting.append(Request(request, prompt))
            self._arrived.notify()

    def cancel(self, request: int) -> None:
        """Leave it out of the next batches, or out of the running one of a greedy search. Beams are searched to their end."""
        with self._arrived:
            if request in self._running:
                self._leaving.add(request)
            elif any(one.number == request for one in self._waiting):
                self._waiting = [one for one in self._waiting if one.number != request]
                self._news.put(Event(request, np.empty(0, np.int32), True))

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
        """End the thread after its current token; requests still running are abandoned."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()
        self._thread.join()

    def _work(self, threads: int) -> None:
        import torch

        try:
            if threads:
                torch.set_num_threads(threads)  # of this thread: OpenMP keeps the number for each
            with torch.inference_mode():
                while batch := self._next():
                    self._generate(torch, batch)
        except _ClosedError:
            return
        except torch.OutOfMemoryError as error:
            what, step = "the GPU's memory does not suffice for a batch", "lower --gpu_batch_size, or run with --precision=bf16"
            self._news.put(MissingError(what, last_words(error), step))
        except Exception as error:  # whatever PyTorch raises ends the run with its words
            step = "run with --torch_compile=off --torch_kv_cache=dynamic; if that does not help, lower the batch size"
            self._news.put(RunError("PyTorch cannot generate a batch", f"{type(error).__name__}: {last_words(error)}", step))

    def _next(self) -> list[Request]:
        """The next batch; [] when the generator closes."""
        with self._arrived:
            while not self._waiting and not self._closing:
                self._arrived.wait()
            batch = [] if self._closing else taken(self._waiting, self.capacity)
            self._running, self._leaving = {request.number for request in batch}, set()
            return batch

    def _generate(self, torch: Any, batch: list[Request]) -> None:
        how = self._generation
        rows = len(batch) if self._options.torch_compile == "off" else rounded(len(batch), self.capacity)
        ids, mask = (torch.from_numpy(part).to(self._network.device) for part in padded(batch, how.eos, rows))
        greedy = how.num_beams == 1
        texts = Texts(batch, how, self._news.put, lambda: self._closing, lambda: self._leaving)
        try:
            answer = self._network.generate(
                input_ids=ids, attention_mask=mask, generation_config=self._settings, **({"streamer": texts} if greedy else {})
            )
        except _GivenUpError:
            return
        if not greedy:
            for request, row in zip(batch, answer[:, ids.shape[1] :].tolist(), strict=False):
                self._news.put(Event(request.number, np.asarray(ended(row, how), dtype=np.int32), True))
        texts.end()


class _ClosedError(Exception):
    """The generator closes while a batch is running."""


class _GivenUpError(Exception):
    """Nobody waits for the rest of a batch."""


class Texts:
    """The texts of a batch of a greedy search as they grow: what transformers calls a streamer.

    Args:
        report: is called with the first token of each text where the settings ask for it, and with each whole text.
        closing: whether to stop.
        leaving: numbers of the requests that nobody waits for.
    """

    def __init__(
        self,
        batch: list[Request],
        generation: Generation,
        report: Callable[[Event], None],
        closing: Callable[[], bool],
        leaving: Callable[[], AbstractSet[int]] = frozenset,
    ) -> None:
        self._rows = dict(enumerate(batch))
        self._texts: list[list[int]] = [[] for _ in batch]
        self._generation, self._report, self._closing, self._leaving = generation, report, closing, leaving
        self._is_prompt = True

    def put(self, tokens: Any) -> None:
        """The next token of each row, [rows]; the first call has the prompts. Rows that have ended are ignored."""
        if self._closing():
            raise _ClosedError
        if self._is_prompt:
            self._is_prompt = False
            return
        given, how, leaving = tokens.reshape(-1).tolist(), self._generation, self._leaving()
        for row, request in [(row, request) for row, request in self._rows.items() if request.number in leaving]:
            del self._rows[row]
            self._report(Event(request.number, np.asarray(self._texts[row], dtype=np.int32), True))
            if not self._rows:
                raise _GivenUpError
        for row, request in list(self._rows.items()):
            text = self._texts[row]
            text.append(int(given[row]))
            if text[-1] in how.ends or len(text) >= how.max_new_tokens:
                del self._rows[row]
                self._report(Event(request.number, np.asarray(text, dtype=np.int32), True))
            elif how.stream and len(text) == 1:
                self._report(Event(request.number, np.asarray(text, dtype=np.int32), False))

    def end(self) -> None:
        """The batch is complete. RunError where a greedy text is not."""
        if self._generation.num_beams == 1 and self._rows:
            raise RunError(f"PyTorch ended a batch before {len(self._rows)} of its texts", "", "report this as a bug")


def ended(tokens: list[int], generation: Generation) -> list[int]:
    """A row of a beam search's answer without what stands after its end of text."""
    last = next((i for i, token in enumerate(tokens) if token in generation.ends), len(tokens) - 1)
    return tokens[: last + 1]


def _settings(generation: Generation, options: PyTorchOptions, longest: int) -> Any:
    from transformers import CompileConfig, GenerationConfig

    config: dict[str, Any] = {
        "do_sample": False,
        "num_beams": generation.num_beams,
        "early_stopping": generation.early_stopping if generation.num_beams > 1 else False,
        "length_penalty": 1.0,
        "min_new_tokens": generation.min_new_tokens,
        "max_new_tokens": generation.max_new_tokens,
        "eos_token_id": list(generation.ends),
        "pad_token_id": generation.eos,
        "use_cache": True,
    }
    if options.torch_kv_cache == "static":
        config |= {"cache_implementation": "static", "max_cache_len": longest + generation.max_new_tokens}
    if options.torch_compile == "off":
        return GenerationConfig(**config, disable_compile=True)
    compiled = CompileConfig(mode=options.torch_compile)
    compiled._compile_all_devices = True  # processors, too
    return GenerationConfig(**config, compile_config=compiled)
