"""A text generator of several streams: each is a process with its own engine on its own group of cores.

A runtime that holds the GIL while it computes, or that has serial parts between its steps, leaves cores idle; streams use them.
Requests wait here and go to the next stream with a free slot, so that no stream still has a backlog when the others are idle.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import selectors
import signal
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from code.backends.base import EngineSpec, backend
from code.backends.generators.base import WAIT_S, Cancels, Event, TextGenerator, Usage, failure
from code.common.errors import HarnessError, RunError
from code.common.parent import end_with_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATIENCE_S = 5.0
"""Seconds that a stream may take to end after a stop request."""


class GeneratorStreams:
    """The streams of one engine as one TextGenerator.

    Args:
        name: the backend whose `load` each stream calls.
        folder: the engine.
        specs: one for each stream, which runs on the cores of its spec.
        devices: for each stream the GPUs of this process that it sees, numbered from 0 in its own; (): every stream sees all.

    RunError when a stream ends without an error message; errors of a stream's generator are re-raised here.
    """

    def __init__(self, name: str, folder: Path, specs: Sequence[EngineSpec], devices: Sequence[Sequence[int]] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, NDArray[np.int32]]] = deque()
        self._where: dict[int, int] = {}
        self._given_up: list[Event] = []
        self._selector = selectors.DefaultSelector()
        self._pipes: list[Any] = []
        self._processes: list[Any] = []
        for number, spec in enumerate(specs):
            ours, theirs = context.Pipe()
            sees = tuple(devices[number]) if devices else ()
            process = context.Process(target=_stream, args=(theirs, name, str(folder), spec, sees), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
            self._selector.register(ours, selectors.EVENT_READ, number)
        self._capacities = [0] * len(specs)
        self._usage = [Usage() for _ in specs]
        self.usage = [usage for i, usage in enumerate(self._usage) for _ in (devices[i] if devices else (0,))]
        """Usage of each stream; where it sees several devices, once for each of them."""
        self._last = 0
        try:
            while not all(self._capacities):
                for number, capacity in self._received(None):
                    self._capacities[number] = int(capacity)
        except BaseException:
            self.close()
            raise
        self.capacity = sum(self._capacities)

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Send it to a stream with a free slot, or queue it."""
        with self._lock:
            self._waiting.append((request, prompt))
            self._hand_out()

    def cancel(self, request: int) -> None:
        """Tell the stream that has it, or leave it out of the queue."""
        with self._lock:
            number = self._where.get(request)
            if number is not None:
                self._send(number, request)
            elif any(waiting == request for waiting, _ in self._waiting):
                self._waiting = deque(one for one in self._waiting if one[0] != request)
                self._given_up.append(Event(request, np.empty(0, np.int32), True))

    def advance(self, wait_s: float) -> list[Event]:
        """Events of the streams since the last call; waits at most `wait_s` for the first."""
        events: list[Event] = []
        for number, received in self._received(wait_s):
            events += received
            finished = [event.request for event in received if event.finished]
            with self._lock:
                self._usage[number].ended(len(finished))
                for request in finished:
                    del self._where[request]
                self._hand_out()
        with self._lock:
            events, self._given_up = events + self._given_up, []
        return events

    def close(self) -> None:
        """End the streams; requests still running are abandoned."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # it has ended
                pipe.send(None)
        for process in self._processes:
            process.join(PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._selector.close()

    def _hand_out(self) -> None:
        """Dispatch queued requests. The caller holds the lock."""
        count = len(self._pipes)
        while self._waiting:
            # The least loaded stream; ties go round-robin.
            turn = [(self._last + 1 + i) % count for i in range(count)]
            number = max(turn, key=lambda i: self._capacities[i] - self._usage[i].running)
            if self._usage[number].running >= self._capacities[number]:
                return
            self._last = number
            self._usage[number].began()
            request, prompt = self._waiting.popleft()
            self._where[request] = number
            self._send(number, (request, prompt))

    def _send(self, number: int, message: object) -> None:
        """Hand a request and its prompt, or a request that is given up, to a stream. The caller holds the lock."""
        with contextlib.suppress(OSError):  # it has ended; `advance` reports that
            self._pipes[number].send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def _received(self, wait_s: float | None) -> list[tuple[int, Any]]:
        """A message of each stream that has sent one, with the stream's number; waits at most `wait_s` for the first (None: as long as it
        takes). Raises the error of a stream, or its end."""
        found = []
        for key, _ in self._selector.select(wait_s):
            number, pipe = cast(int, key.data), cast(Any, key.fileobj)
            try:
                received = pipe.recv()
            except (EOFError, OSError):
                self._selector.unregister(pipe)
                self._processes[number].join(PATIENCE_S)
                raise _ended(number, self._processes[number].exitcode) from None
            if isinstance(received, HarnessError):
                raise received
            found.append((number, received))
        return found


def _ended(number: int, status: int | None) -> RunError:
    killed = status is not None and status < 0
    how = f"by {signal.Signals(-status).name}" if killed and status is not None else f"with status {status}"
    return RunError(
        f"stream {number} of the generator ended {how}",
        "the system kills processes when memory runs out"
        if status == -signal.SIGKILL
        else "it ended before it could report an error",
        "run with fewer streams (--cpu_inference_streams) or fewer requests in flight (cpu_batch_size)",
    )


def visible_devices(visible: str | None, devices: Sequence[int]) -> str:
    """CUDA_VISIBLE_DEVICES for a process that sees some of the devices that `visible` lists; None lists all, by number."""
    listed = None if visible is None else [item.strip() for item in visible.split(",")]
    return ",".join(str(device) if listed is None else listed[device] for device in devices)


def _handed(generator: TextGenerator, asked: Any) -> int:
    """Hand on a request and its prompt, or the number of one that is given up. Returns how many requests are new."""
    if not isinstance(asked, int):
        generator.submit(*asked)
        return 1
    if isinstance(generator, Cancels):
        generator.cancel(asked)
    return 0


def _stream(pipe: Any, name: str, folder: str, spec: EngineSpec, sees: Sequence[int]) -> None:
    """A stream's process: sends its capacity, then events until it receives None or its parent ends."""
    end_with_pool()
    if spec.cores:
        os.sched_setaffinity(0, set(spec.cores) & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    if sees:  # before anything initialises CUDA
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), sees)
        spec = replace(spec, device=0)
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
                running += _handed(generator, asked)
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
