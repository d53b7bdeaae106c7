"""The engine in another process: a process for each device, and a socket for each of its streams."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from code.backends.base import Arrays, EngineSpec
from code.common.errors import HarnessError, RunError, UsageError
from code.common.paths import project_root
from code.harness.schema.options import ApartOptions

WORKER = "code.backends.apart.worker"
UUID_PREFIXES = ("GPU-", "MIG-")
EXIT_S = 10.0


class ApartEngine:
    """An engine that a process of its own has loaded.

    MissingError, UsageError or RunError as the runtime raises it there; RunError where the process ends.
    """

    def __init__(self, folder: Path, spec: EngineSpec, options: ApartOptions) -> None:
        self.name = spec.name or f"device {spec.device}"
        mine, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={**os.environ, **visible(spec.name), "PYTHONPATH": str(project_root())},
            )
        self._door = mine
        self._control = Connection(os.dup(mine.fileno()))
        content = {**asdict(spec), "options": dict(options.options), "device": 0 if visible(spec.name) else spec.device}
        try:
            found = self.asked(self._control, {"runtime": options.runtime, "folder": str(folder), "spec": content})
        except BaseException:
            self._leave()
            raise
        self.inputs: Sequence[str] = found["inputs"]
        self.outputs: Sequence[str] = found["outputs"]

    def stream(self) -> ApartStream:
        """A stream of the engine there."""
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._door, [b"s"], [theirs.fileno()])
            except OSError as error:
                raise self.ended() from error
        return ApartStream(self, Connection(mine.detach()))

    def asked(self, wire: Connection, message: object) -> Any:
        """The answer to a message. Raises the error that the process answers with, RunError where it has ended."""
        try:
            wire.send(message)
            answer = wire.recv()
        except (EOFError, OSError) as error:
            raise self.ended() from error
        if isinstance(answer, HarnessError):
            raise answer
        return answer

    def _leave(self) -> None:
        """End a process whose engine did not load."""
        self._control.close()
        self._door.close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ended(self) -> RunError:
        """The error for a process that is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        status = self._process.returncode
        how = f"killed by signal {-status}" if status and status < 0 else f"exit status {status}"
        return RunError(
            f"the process of {self.name} ended: {how}", "its last words are in stdout.txt of the log folder", "run again"
        )


class ApartStream:
    """One stream; not thread-safe."""

    def __init__(self, engine: ApartEngine, wire: Connection) -> None:
        self._engine, self._wire = engine, wire

    def infer(self, inputs: Arrays) -> Arrays:
        """Run one batch there and wait."""
        answer: Mapping[str, Any] = self._engine.asked(self._wire, dict(inputs))
        return answer


class Client:
    """Loads an engine into a process of its own."""

    def load(self, folder: Path, spec: EngineSpec) -> ApartEngine:
        """The engine of a device. UsageError without a runtime."""
        if not isinstance(spec.options, ApartOptions):
            raise UsageError("the engine of another process has no runtime", "run.json gives its options", "run it with make run")
        return ApartEngine(folder, spec, spec.options)


def visible(name: str) -> dict[str, str]:
    """The variables with which CUDA shows a process a device, as its only one; {} for one without a UUID."""
    return {"CUDA_VISIBLE_DEVICES": name} if name.startswith(UUID_PREFIXES) else {}


BACKEND = Client()
