"""The Python harness with an engine that hangs in one phase; run by test_processes.py in a process of its own."""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np

from code.backends import base
from code.harness.python.__main__ import main

CALLS_OF_WARM_UP = 1


class Stream:
    """Answers with zeros, up to the call that hangs."""

    calls = 0

    def __init__(self, after: int) -> None:
        self.after = after

    def infer(self, inputs: Any) -> dict[str, Any]:
        Stream.calls += 1
        if Stream.calls > self.after:
            threading.Event().wait(60)
        ids = next(iter(inputs.values()))
        return {name: np.zeros(ids.shape, dtype=np.float32) for name in ("start", "end")}


class Engine:
    """Its streams hang after as many calls."""

    inputs, outputs = ("input_ids",), ("start", "end")

    def __init__(self, after: int) -> None:
        self.after = after

    def stream(self) -> Stream:
        return Stream(self.after)


class Hanging(base.Backend):
    """Hangs while it loads, or later."""

    name = label = "onnxruntime"

    def __init__(self, phase: str) -> None:
        self.phase = phase

    def load(self, folder: Path, spec: Any) -> Engine:
        if self.phase == "load":
            threading.Event().wait(60)
        return Engine({"run": CALLS_OF_WARM_UP}.get(self.phase, 0))


if __name__ == "__main__":
    phase, *arguments = sys.argv[1:]
    module: Any = types.ModuleType("hanging")
    module.BACKEND = Hanging(phase)
    sys.modules["hanging"] = module
    base.BACKENDS["onnxruntime"] = "hanging"
    status = main(arguments)
    sys.exit(status)
