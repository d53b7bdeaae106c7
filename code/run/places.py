"""Where a harness process runs: a place starts it and gives back its handle.

This machine is the only place so far. A container, a node of a cluster or a server is another one: it is given the same run.json and
progress pipe, and no benchmark or backend knows which it is.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from code.common.parent import PARENT_VARIABLE


class Process(Protocol):
    """A harness process that was started."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, negative for a signal; subprocess.TimeoutExpired where it has not ended after `timeout` seconds."""

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""

    def kill(self) -> None:
        """End it (SIGKILL)."""


class Place(Protocol):
    """A place that harness processes run at."""

    def start(self, command: Sequence[str], output: IO[bytes], progress: int, environment: Mapping[str, str]) -> Process:
        """Start a harness process.

        Args:
            command: the process and its arguments.
            output: where its standard output and error go.
            progress: file descriptor of the progress pipe, which the process inherits under the same number.
            environment: variables besides this process's own.
        """


class ThisMachine:
    """A child process of this one, which ends with it."""

    def start(self, command: Sequence[str], output: IO[bytes], progress: int, environment: Mapping[str, str]) -> Process:
        """Start it."""
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=(progress,),
            env={**os.environ, **environment, PARENT_VARIABLE: str(os.getpid())},
        )


class Surrounded:
    """A place whose processes have more variables than they would.

    Args:
        of: the place that it starts at.
        variables: which take precedence.
    """

    def __init__(self, of: Place, variables: Mapping[str, str]) -> None:
        self._of = of
        self._variables = variables

    def start(self, command: Sequence[str], output: IO[bytes], progress: int, environment: Mapping[str, str]) -> Process:
        """Start a harness process."""
        return self._of.start(command, output, progress, {**environment, **self._variables})


class Ended:
    """A place whose process can be ended from another thread.

    Args:
        of: the place that it starts at.
    """

    def __init__(self, of: Place) -> None:
        self._of = of
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._closed = False

    def start(self, command: Sequence[str], output: IO[bytes], progress: int, environment: Mapping[str, str]) -> Process:
        """Start a harness process; one that is to end ends at once."""
        process = self._of.start(command, output, progress, environment)
        with self._lock:
            self._process = process
            closed = self._closed
        if closed:
            process.terminate()
        return process

    def end(self) -> None:
        """Ask the process to end, also one that starts later."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        with self._lock:
            process = self._process
        if process is not None:
            process.kill()


THIS_MACHINE = ThisMachine()
