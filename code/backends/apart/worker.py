"""`python -m code.backends.apart.worker DESCRIPTOR`: loads one engine and computes what comes over sockets.

The first message over the descriptor's socket says what to load; then each byte on it brings the descriptor of a stream's socket. It
closes when the harness process ends, however that ends, and this process ends with it. The kernel's signal at a parent's death would come
too early: when the thread ends that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.base import Engine, EngineSpec, loader
from code.common.errors import HarnessError, RunError, last_words
from code.harness.schema.options import OPTIONS, NoOptions
from code.harness.schema.reader import Reader


def main(arguments: list[str]) -> int:
    """Serve one engine until the socket closes. Returns the exit status: 0, or 4 where it cannot be loaded, which is also answered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the harness process, and this one with it
    door = socket.socket(fileno=int(arguments[0]))
    control = Connection(os.dup(door.fileno()))
    try:
        engine, cores = _loaded(control.recv())
    except EOFError:
        return 0
    except HarnessError as error:
        control.send(error)
        return error.exit_status
    except Exception as error:
        control.send(
            RunError(
                "the engine cannot be loaded", f"{type(error).__name__}: {last_words(error)}", "rebuild it with --force_build"
            )
        )
        return RunError.exit_status
    control.send({"inputs": list(engine.inputs), "outputs": list(engine.outputs)})
    while True:
        byte, descriptors, _, _ = socket.recv_fds(door, 1, 1)
        if not byte:
            return 0
        threading.Thread(target=_serve, args=(engine, cores, Connection(descriptors[0])), daemon=True).start()


def _loaded(message: Mapping[str, Any]) -> tuple[Engine, tuple[int, ...]]:
    content = dict(message["spec"])
    runtime = str(message["runtime"])
    content["options"] = Reader("the engine's options").object(OPTIONS.get(runtime, NoOptions), content["options"])
    content["cores"] = tuple(content["cores"])
    _bind(content["cores"])
    engine: Engine = loader(runtime).load(Path(message["folder"]), EngineSpec(**content))
    return engine, content["cores"]


def _serve(engine: Engine, cores: tuple[int, ...], wire: Connection) -> None:
    """Compute the batches of one stream until its socket closes."""
    _bind(cores)
    stream = None
    while True:
        try:
            inputs = wire.recv()
        except (EOFError, OSError):
            return
        try:
            stream = stream or engine.stream()
            answer: object = {name: np.ascontiguousarray(array) for name, array in stream.infer(inputs).items()}
        except HarnessError as error:
            answer = error
        except Exception as error:
            answer = RunError(
                f"a batch could not be computed: {type(error).__name__}", last_words(error), "rebuild it with --force_build"
            )
        wire.send(answer)


def _bind(cores: tuple[int, ...]) -> None:
    if cores:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
