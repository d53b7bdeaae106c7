"""The interface of a text generator: prompts are submitted as they arrive, and tokens come back as they are ready.

A generator does its own batching (continuous batching): requests enter while others are running and leave in any order. One thread
drives it by calling `advance`; any thread may call `submit`. To add one, write a backend whose `load` returns a TextGenerator.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from code.backends.base import EngineSpec
from code.common.errors import RunError, last_words
from code.harness.schema.datasets import GenerationSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WAIT_S = 0.05
"""Seconds that the driving thread waits in `advance` when no request is pending."""


@dataclass(frozen=True)
class Generation(GenerationSpec):
    """Generation settings from run.json and LoadGen's settings.

    Args:
        num_beams: width of the beam search; 1 is greedy search.
        min_new_tokens, max_new_tokens: bounds of a generation's length, including the end-of-text token.
        early_stopping: whether a beam search ends as soon as it has `num_beams` finished texts.
        eos: the token that ends a text.
        also_ends: further tokens that end one.
        stream: whether first tokens are reported as they are generated; beam search knows its first token only at the end.
    """

    stream: bool = False

    @classmethod
    def of(cls, spec: GenerationSpec | Mapping[str, Any], stream: bool = False) -> Generation:
        """Generation settings from run.json's data set or a benchmark, with or without first tokens."""
        given = asdict(spec) if isinstance(spec, GenerationSpec) else dict(spec)
        return cls(**{**given, "also_ends": tuple(given.get("also_ends", ())), "stream": stream})

    @property
    def ends(self) -> tuple[int, ...]:
        """Every token that ends a text."""
        return (self.eos, *self.also_ends)


@dataclass(frozen=True, kw_only=True)
class GeneratorSpec(EngineSpec):
    """How a text generator is loaded for a run.

    Args:
        generation: generation settings.
        requests_in_flight: concurrent requests of a stream; 0: the engine's own limit.
        longest_prompt: length of the longest prompt in tokens; 0: the model's maximum.
    """

    generation: Generation
    requests_in_flight: int = 0
    longest_prompt: int = 0

    @classmethod
    def require(cls, spec: EngineSpec) -> GeneratorSpec:
        """`spec` narrowed to a GeneratorSpec. TypeError for any other class."""
        if not isinstance(spec, cls):
            raise TypeError(f"a text generator is loaded for a GeneratorSpec, not for {type(spec).__name__}")
        return spec


class Usage:
    """Texts that a stream finished, and the time during which it had requests."""

    def __init__(self) -> None:
        self.finished = 0
        self.running = 0
        self._busy_s = 0.0
        self._since = 0.0

    def began(self) -> None:
        """Count a submitted request."""
        if self.running == 0:
            self._since = time.monotonic()
        self.running += 1

    def ended(self, count: int) -> None:
        """Count finished texts."""
        self.running -= count
        self.finished += count
        if count and self.running == 0:
            self._busy_s += time.monotonic() - self._since

    def busy_s(self) -> float:
        """Seconds with pending requests, up to now."""
        return self._busy_s + (time.monotonic() - self._since if self.running else 0.0)

    def extra(self) -> dict[str, float]:
        """Further keys of its device in devices.json."""
        return {}

    def reset(self) -> None:
        """Reset the counters."""
        self.finished, self._busy_s, self._since = 0, 0.0, time.monotonic()


@dataclass(frozen=True)
class Event:
    """Progress of one request.

    Args:
        request: the id it was submitted with.
        tokens: generated so far, int32 [n]: the first one, or, where `finished`, all (without the prompt; the end of text is the
            last where it was generated).
        finished: whether the text is complete.
    """

    request: int
    tokens: NDArray[np.int32]
    finished: bool


class TextGenerator(Protocol):
    """A loaded generator."""

    capacity: int
    """Requests that run concurrently; further ones may be submitted and wait."""

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Add a request: an id chosen by the caller and the prompt's token ids, int32 [length]."""

    def advance(self, wait_s: float) -> Sequence[Event]:
        """Run one step of the runtime. Returns its events; waits at most `wait_s` when no request is pending."""

    def close(self) -> None:
        """Release the model; requests still running are abandoned."""


@runtime_checkable
class Cancels(Protocol):
    """A generator that can give a request up, as servers need where a client has gone."""

    def cancel(self, request: int) -> None:
        """Spend no more work on a request than the runtime has begun; any thread may call it.

        Its last event still comes, finished, with the tokens so far, which may be none. A request that has finished is left as it is.
        """


def texts(generator: TextGenerator, prompts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.int32]]:
    """Generate texts for all prompts at once. Returns their tokens in the prompts' order."""
    for number, prompt in enumerate(prompts):
        generator.submit(number, prompt)
    found: dict[int, NDArray[np.int32]] = {}
    while len(found) < len(prompts):
        found.update({event.request: event.tokens for event in generator.advance(WAIT_S) if event.finished})
    return [found[number] for number in range(len(prompts))]


def failure(error: Exception) -> RunError:
    """Convert an unexpected exception to an error of the run."""
    message = last_words(error)
    name = type(error).__name__
    return RunError(
        "the generator failed",
        message if message == name else f"{name}: {message}",
        "rebuild the engine with --force_build; if that does not help, lower the batch size",
    )
