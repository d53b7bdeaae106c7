"""A node of a run over several machines: its text generator answers the prompts of a head.

The C++ counterpart, for batches, is code/harness/cpp/serve.cc, with the same variables.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.generators.base import WAIT_S, Event, TextGenerator
from code.backends.generators.wire import READY, Answer, Link, ZeroMq, request_of
from code.common.errors import HarnessError, UsageError
from code.harness.python.generation_run import GenerationRun
from code.harness.python.progress import ProgressPipe
from code.harness.python.watch import PATIENCE, Watch
from code.harness.schema import node_variables

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec

RECEIVE_S = 1.0


class Serving:
    """Answers the requests that arrive. A watch observes it.

    Args:
        generator: what generates.
        requests, answers: the connections to the head. Requests have a thread of their own, so that one that arrives while the
            generator computes is in its next step.
    """

    patience = float(PATIENCE)

    def __init__(self, generator: TextGenerator, requests: Link, answers: Link) -> None:
        self._generator, self._requests, self._answers = generator, requests, answers
        self._arrived: dict[int, int] = {}
        self._finished = 0
        self._since = 0.0

    def answers(self) -> int:
        """Texts finished so far."""
        return self._finished

    def pending(self) -> bool:
        """Whether a text is due."""
        return bool(self._arrived)

    def longest_busy_s(self, now: float) -> float:
        """How long the generator has been in its current step."""
        since = self._since
        return now - since if since else 0.0

    def describe(self, _now: float) -> str:
        """What it has done."""
        return f"the generator has finished {self._finished:,} texts, and {len(self._arrived):,} are under way"

    def greet(self) -> None:
        """Tell the head how many requests run here concurrently."""
        self._answers.send(Answer(READY, False, 0, np.asarray([self._generator.capacity], dtype=np.int32)).packed())

    def receive(self, wait_s: float = RECEIVE_S) -> None:
        """Pass the next request on. RunError for a message that is none."""
        message = self._requests.receive(wait_s)
        if message is not None:
            number, prompt = request_of(message)
            self._arrived[number] = time.monotonic_ns()
            self._generator.submit(number, prompt)

    def step(self, wait_s: float = WAIT_S) -> None:
        """One step of the generator; what it brings goes to the head."""
        self._since = time.monotonic()
        events = self._generator.advance(wait_s)
        self._since = 0.0
        for event in events:
            self._answer(event)

    def _answer(self, event: Event) -> None:
        arrived = self._arrived.pop(event.request) if event.finished else self._arrived[event.request]
        self._finished += event.finished
        self._answers.send(Answer(event.request, event.finished, time.monotonic_ns() - arrived, event.tokens).packed())


def require_texts(loaded: Any) -> GenerationRun:
    """What was loaded, if it generates texts. UsageError for any other."""
    if not isinstance(loaded, GenerationRun):
        raise UsageError(
            "the Python harness serves text generators only",
            "batches are served by the C++ harness",
            "run it through `make run`, which chooses the harness",
        )
    return loaded


def opened(variables: Mapping[str, str]) -> tuple[Link, Link, list[str]]:
    """(requests, answers, where they listen), as the variables of a node say. Errors as for `ZeroMq`."""
    zeromq = ZeroMq(*(variables.get(name, "") for name in (node_variables.LIBRARY, node_variables.KEYS, node_variables.HEAD_KEY)))
    host, folder = variables.get(node_variables.HOST) or "127.0.0.1", variables.get(node_variables.FOLDER, "")
    requests, answers = zeromq.pulling(host, folder), zeromq.pushing(host, folder)
    return requests, answers, [requests.endpoint, answers.endpoint]


def run(spec: RunSpec, loaded: Any, pipe: ProgressPipe, watch: Watch) -> None:
    """Serve until the process is ended. Raises what the generator raises."""
    texts = require_texts(loaded)
    if spec.warmup_s > 0:
        watch.enter("warmup", texts)
        texts.warm_up(spec.warmup_s)
    requests, answers, endpoints = opened(os.environ)
    serving = Serving(texts.generator, requests, answers)
    watch.enter("serve", serving)
    pipe.send(endpoints=[endpoints])
    serving.greet()

    def receive() -> None:
        try:
            while True:
                serving.receive()
        except HarnessError as error:
            pipe.end_process(error)

    threading.Thread(target=receive, name="requests", daemon=True).start()
    while True:
        serving.step()
