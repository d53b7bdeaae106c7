"""Compares preprocessed cases with the digests that MLPerf's reference publishes.

Its lists (meta/checksum_inference.json, checksum_calibration.json) hold the MD5 of each `<case>.pkl`: a pickle of [image, label] as
NumPy 1 wrote it, float32 and uint8 [1, D, H, W]. Here the same bytes are produced and digested without a file.
"""

from __future__ import annotations

import hashlib
import pickle  # nosec B403  # only written
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.common import jsonfile, npyfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROTOCOLS = (4, 3)
"""Of pickle, as Python 3.8 to 3.13 and 3.0 to 3.7 use by default."""


class _Sink:
    """Digests what is written to it."""

    def __init__(self) -> None:
        self.digest = hashlib.md5(usedforsecurity=False)

    def write(self, data: Any) -> int:
        """Add bytes to the digest."""
        self.digest.update(data)
        return len(memoryview(data).cast("B"))


_InPython: Any = pickle._Pickler  # of which a method can be replaced


class _AsNumpy1(_InPython):  # type: ignore[misc]
    """Writes arrays under the module name that they had before NumPy 2."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write the name of a function or class."""
        module = str(getattr(obj, "__module__", ""))
        if not module.startswith("numpy._core."):
            super().save_global(obj, name)
            return
        module = module.replace("numpy._core.", "numpy.core.")
        own = name or obj.__qualname__
        if self.proto >= 4:
            self.save(module)
            self.save(own)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{own}\n".encode())
        self.memoize(obj)


def digest(image: NDArray[np.float32], label: NDArray[np.uint8], protocol: int) -> str:
    """MD5 of the reference's pickle of a case, in hex.

    Args:
        image, label: [D, H, W].
    """
    sink = _Sink()
    pickler = _AsNumpy1(sink, protocol)
    pickler.dump([np.ascontiguousarray(image)[None], np.ascontiguousarray(label)[None]])
    return sink.digest.hexdigest()


def published(path: Path) -> dict[str, str]:
    """Case → MD5 in one of the reference's lists. OSError where it is not there, ValueError where it is not one."""
    return {name.removesuffix(".pkl"): str(md5) for name, md5 in jsonfile.read_object(path).items()}


def compare(folder: Path, lists: dict[str, str]) -> tuple[list[str], list[str]]:
    """The cases in `folder` whose arrays have the published digest, and those whose arrays do not.

    Args:
        lists: case → MD5; cases without arrays in the folder are left out.
    """
    same: list[str] = []
    other: list[str] = []
    for case, md5 in lists.items():
        if not (folder / f"{case}.npy").is_file() or not (folder / f"{case}_label.npy").is_file():
            continue
        image = npyfile.read(folder / f"{case}.npy")
        label = npyfile.read(folder / f"{case}_label.npy")
        found = any(digest(image, label, protocol) == md5 for protocol in PROTOCOLS)
        (same if found else other).append(case)
    return same, other
