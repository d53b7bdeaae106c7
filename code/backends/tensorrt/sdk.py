"""Selects the TensorRT module: `tensorrt` on a machine with an NVIDIA GPU, `tensorrt_rtx` on any.

TensorRT-RTX has the same Python API, and its builder makes engines for a named compute capability on a machine without a GPU. Nothing
is imported before `sdk()` is called. The rest of the TensorRT path takes the module from here and is typed against `tensorrt`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from code.backends.base import missing_sdk
from code.common.errors import HarnessError, RunError

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class Flavour:
    """TensorRT or TensorRT-RTX.

    Args:
        module: name of the Python module.
        packages: the distributions that provide it, the usual one first.
        extra: the make target that installs it.
        crosses: whether it builds for a named compute capability without a GPU.
    """

    name: str
    label: str
    module: str
    packages: tuple[str, ...]
    extra: str
    crosses: bool


TENSORRT = Flavour("tensorrt", "TRT", "tensorrt", ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"), "tensorrt", False)
TENSORRT_RTX = Flavour(
    "tensorrt_rtx", "TRT-RTX", "tensorrt_rtx", ("tensorrt-rtx-cu12", "tensorrt-rtx-cu13", "tensorrt-rtx"), "tensorrt_rtx", True
)


def sdk(flavour: Flavour) -> Any:
    """The module; MissingError when it cannot be imported."""
    try:
        module = importlib.import_module(flavour.module)
    except (ImportError, OSError) as error:
        raise missing_sdk(flavour.module, flavour.extra, error) from error
    if module.__spec__ is not None and module.__spec__.origin is None:
        only = ImportError(f"{next(iter(module.__path__))} has no module in it, such as type stubs alone")
        raise missing_sdk(flavour.module, flavour.extra, only)
    return module


def version(flavour: Flavour) -> str:
    """The installed version, without importing it."""
    for package in flavour.packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError as error:
            last = error
    raise missing_sdk(flavour.module, flavour.extra, last)


def sizes(dims: trt.Dims) -> tuple[int, ...]:
    """A shape as numbers, -1 for dynamic dimensions. ValueError if even the rank is unknown."""
    return tuple(int(dims[axis]) for axis in range(len(dims)))


KEPT = 200
"""TensorRT message severities kept for errors and the sidecar."""


class Messages:
    """TensorRT's messages as (severity, text), oldest first."""

    def __init__(self) -> None:
        self.all: deque[tuple[str, str]] = deque(maxlen=KEPT)

    def problems(self) -> list[str]:
        """Error messages without known noise."""
        return [text for severity, text in self.all if severity in ("INTERNAL_ERROR", "ERROR") and not _is_noise(text)]

    def last(self) -> str:
        """The cause according to TensorRT: its first error and, if different, its last."""
        messages = self.problems() or [text for severity, text in self.all if severity == "WARNING"]
        if not messages:
            return "it gave no reason"
        return messages[0] if len(messages) == 1 or messages[0] == messages[-1] else f"{messages[0]}; {messages[-1]}"

    def number_after(self, words: str) -> int | None:
        """The number behind the last message that begins with `words`."""
        for _, text in reversed(self.all):
            if text.startswith(words):
                digits = text[len(words) :].split()[0]
                return int(digits) if digits.isdigit() else None
        return None


def _is_noise(text: str) -> bool:
    return text.startswith("Thread context has not been set")


def logger(module: Any, messages: Messages) -> trt.ILogger:
    """An ILogger that stores messages in `messages` and prints nothing."""
    base: Any = module.ILogger

    class Listening(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            name = str(getattr(severity, "name", severity))
            if name != "VERBOSE":
                messages.all.append((name, " ".join(str(text).split())))

    listener: trt.ILogger = Listening()
    return listener


@contextmanager
def explained(what: str, messages: Messages, next_step: str) -> Iterator[None]:
    """Convert exceptions of the bindings to an error with TensorRT's messages."""
    try:
        yield
    except (HarnessError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        why = messages.last() if messages.problems() else " ".join(str(error).split()) or type(error).__name__
        raise RunError(what, why, next_step) from error
