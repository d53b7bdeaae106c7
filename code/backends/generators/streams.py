"""A text generator of several streams: each is a process with an engine of its own, on its own share of the cores.

A runtime that holds Python's lock while it computes, or that has serial parts between its steps, leaves cores idle; streams fill them.
Requests wait here and go to whichever stream has room, so that no stream is left with work when the others have none.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from code.backends.base import EngineSpec, backend
from code.backends.generators.base import WAIT_S, Event, TextGenerator, Usage, failure
from code.common.errors import HarnessError, RunError

PATIENCE_S = 5.0
"""How long a stream may take to end when it is told to."""


class GeneratorStreams:
    """The streams of one engine as one TextGenerator.

    Args:
        name: the backend whose `load` each stream calls.
        folder: the engine.
        specs: one for each stream, which runs on the cores of its spec.

    RunError where a stream ends without a word; whatever error a stream's generator raises comes out of here.
    """

    def __init__(self, name: str, folder: Path, specs: Sequence[EngineSpec]) -> None:
        context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, NDArray[np.int32]]] = deque()
        self._news: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._pipes: list[Any] = []
        self._processes: list[Any] = []
        self._closing = False
        for spec in specs:
            ours, theirs = context.Pipe()
            process = context.Process(target=_stream, args=(theirs, name, str(folder), spec, spec.cores), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        threading.Thread(target=self._listen, name="streams", daemon=True).start()
        self._rooms = [0] * len(specs)
        self.usage = [Usage() for _ in specs]
        """What each stream did."""
        self._last = 0
        try:
            for _ in specs:
                number, capacity = self._next(None)
                self._rooms[number] = int(capacity)
        except BaseException:
            self.close()
            raise
        self.capacity = sum(self._rooms)

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Give it to a stream that has room, or let it wait for one."""
        with self._lock:
            self._waiting.append((request, prompt))
            self._hand_out()

    def advance(self, wait_s: float) -> list[Event]:
        """What the streams have said since; at most `wait_s` later."""
        events: list[Event] = []
        try:
            while True:
                number, said = self._next(0 if events else wait_s)
                events += said
                with self._lock:
                    self.usage[number].ended(sum(event.finished for event in said))
                    self._hand_out()
        except queue.Empty:
            return events

    def close(self) -> None:
        """End the streams; requests that still run are given up."""
        self._closing = True
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # it has ended
                pipe.send(None)
        for process in self._processes:
            process.join(PATIENCE_S)
            if process.is_alive():
                process.kill()

    def _hand_out(self) -> None:
        """The lock is held."""
        count = len(self._pipes)
        while self._waiting:
            # The emptiest one; of several, the next in turn.
            turn = [(self._last + 1 + i) % count for i in range(count)]
            number = max(turn, key=lambda i: self._rooms[i] - self.usage[i].running)
            if self.usage[number].running >= self._rooms[number]:
                return
            self._last = number
            self.usage[number].began()
            try:
                self._pipes[number].send(self._waiting.popleft())
            except OSError:
                return  # it has ended, which `_listen` tells

    def _next(self, wait_s: float | None) -> tuple[int, Any]:
        number, said = self._news.get(timeout=wait_s) if wait_s != 0 else self._news.get_nowait()
        if isinstance(said, HarnessError):
            raise said
        return number, said

    def _listen(self) -> None:
        """Empty the pipes as they fill, so that no stream waits for somebody to read."""
        numbers = {pipe: number for number, pipe in enumerate(self._pipes)}
        while numbers:
            for ready in connection.wait(list(numbers)):
                pipe = cast(Any, ready)
                try:
                    self._news.put((numbers[pipe], pipe.recv()))
                except (EOFError, OSError):
                    number = numbers.pop(pipe)
                    if not self._closing:
                        self._processes[number].join(PATIENCE_S)
                        self._news.put((number, _ended(number, self._processes[number].exitcode)))


def _ended(number: int, status: int | None) -> RunError:
    killed = status is not None and status < 0
    how = f"by {signal.Signals(-status).name}" if killed and status is not None else f"with status {status}"
    return RunError(
        f"stream {number} of the generator ended {how}",
        "the system kills processes when memory runs out" if killed else "it had no time to say why",
        "run with fewer streams (--cpu_inference_streams) or fewer requests in flight (cpu_batch_size)",
    )


def _stream(pipe: Any, name: str, folder: str, spec: EngineSpec, cpus: tuple[int, ...]) -> None:
    """A stream's process: says its capacity, then events until it is told None or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its streams
    if cpus:
        os.sched_setaffinity(0, set(cpus) & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    try:
        generator = cast(TextGenerator, backend(name).load(Path(folder), spec))
        pipe.send(generator.capacity)
        running = 0
        while True:
            while pipe.poll(0 if running else None):
                asked = pipe.recv()
                if asked is None:
                    generator.close()
                    return
                generator.submit(*asked)
                running += 1
            events = list(generator.advance(WAIT_S))
            if events:
                running -= sum(event.finished for event in events)
                pipe.send(events)
    except (EOFError, BrokenPipeError):
        return  # the parent is gone
    except HarnessError as error:
        pipe.send(error)
    except Exception as error:
        pipe.send(failure(error))
