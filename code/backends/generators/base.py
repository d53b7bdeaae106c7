"""What a text generator is: a runtime that takes prompts as they come and gives back tokens as they are ready.

A generator batches by itself (continuous batching): requests enter while others are running and leave in any order. It is driven by
one thread that calls `advance`; `submit` may be called from any. A new one is a backend whose `load` answers with a TextGenerator.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from code.backends.base import EngineSpec
from code.common.errors import RunError, last_words
from code.harness.schema.datasets import GenerationSpec

WAIT_S = 0.05
"""How long whoever drives a generator waits in `advance` where nothing is submitted."""


@dataclass(frozen=True)
class Generation(GenerationSpec):
    """How texts are generated: what run.json says of it, and what follows from LoadGen's settings.

    Args:
        num_beams: width of the beam search; 1 is greedy search.
        min_new_tokens, max_new_tokens: bounds of a generation's length, the end of text counted.
        early_stopping: whether a beam search ends as soon as it has `num_beams` finished texts.
        eos: the token that ends a text.
        stream: whether first tokens are reported as they come; a beam search knows its first token only at the end.
    """

    stream: bool = False

    @classmethod
    def of(cls, spec: GenerationSpec | Mapping[str, Any], stream: bool = False) -> Generation:
        """What run.json's data set, or a benchmark, says of it; with or without first tokens."""
        return cls(**{**(asdict(spec) if isinstance(spec, GenerationSpec) else spec), "stream": stream})


@dataclass(frozen=True, kw_only=True)
class GeneratorSpec(EngineSpec):
    """How a text generator is loaded for a run.

    Args:
        generation: how it generates.
        requests_in_flight: requests that a stream works on at the same time; 0: the engine's own number.
        longest_prompt: tokens of the longest prompt that will come; 0: as many as the model takes.
    """

    generation: Generation
    requests_in_flight: int = 0
    longest_prompt: int = 0

    @classmethod
    def require(cls, spec: EngineSpec) -> GeneratorSpec:
        """`spec` as one for a generator. TypeError for any other."""
        if not isinstance(spec, cls):
            raise TypeError(f"a text generator is loaded for a GeneratorSpec, not for {type(spec).__name__}")
        return spec


class Usage:
    """Texts that a stream finished, and the time in which it had any to work on."""

    def __init__(self) -> None:
        self.finished = 0
        self.running = 0
        self._busy_s = 0.0
        self._since = 0.0

    def began(self) -> None:
        """A request was handed over."""
        if self.running == 0:
            self._since = time.monotonic()
        self.running += 1

    def ended(self, count: int) -> None:
        """So many texts were finished."""
        self.running -= count
        self.finished += count
        if count and self.running == 0:
            self._busy_s += time.monotonic() - self._since

    def busy_s(self) -> float:
        """Seconds with work, up to now."""
        return self._busy_s + (time.monotonic() - self._since if self.running else 0.0)

    def reset(self) -> None:
        """Count from here."""
        self.finished, self._busy_s, self._since = 0, 0.0, time.monotonic()


@dataclass(frozen=True)
class Event:
    """Something that became known of a request.

    Args:
        request: the number it was submitted with.
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
    """Requests that run at the same time; more may be submitted and wait."""

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Add a request: a number of the caller's own and the prompt's token ids, int32 [length]."""

    def advance(self, wait_s: float) -> Sequence[Event]:
        """Compute for a while (a step of the runtime) and say what came of it; wait at most `wait_s` where nothing is submitted."""

    def close(self) -> None:
        """Let go of the model; requests that still run are given up."""


def texts(generator: TextGenerator, prompts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.int32]]:
    """The tokens of these prompts' texts, all submitted at once and given back in their order."""
    for number, prompt in enumerate(prompts):
        generator.submit(number, prompt)
    found: dict[int, NDArray[np.int32]] = {}
    while len(found) < len(prompts):
        found.update({event.request: event.tokens for event in generator.advance(WAIT_S) if event.finished})
    return [found[number] for number in range(len(prompts))]


def failure(error: Exception) -> RunError:
    """What a run says of an error that no part of it foresaw."""
    said = last_words(error)
    name = type(error).__name__
    return RunError(
        "the generator failed",
        said if said == name else f"{name}: {said}",
        "build the engine again with --force_build; if that does not help, lower the batch size",
    )
