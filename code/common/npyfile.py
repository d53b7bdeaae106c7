"""Reading of .npy and .npz files that may be damaged or something else."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from code.common.jsonfile import DamagedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
HEADER_LIMIT = 1 << 20
"""Bytes of a .npy file's header that are read."""
KINDS = {"i": "int", "u": "uint", "f": "float"}
"""Kind of a number in a header → how NumPy calls its types, without their bits."""
ARCHIVE_LIMIT = 2**30
"""Bytes that the arrays of an .npz file may inflate to."""


def read(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """The array in a .npy file. Archives and pickles, which numpy.load reads too, are refused.

    Raises:
        OSError: it cannot be read.
        DamagedError, a ValueError: it is not such an array, whatever numpy makes of its header.
    """
    import numpy as np

    _require(path, MAGIC, ".npy")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        return array
    except OSError:
        raise
    except Exception as error:  # numpy evaluates the header as a Python expression: it fails in many ways
        raise _damaged(error) from error


def numbers(path: Path) -> NDArray[Any] | None:
    """The numbers in a .npy file; None if it is absent, empty, damaged, or holds anything but finite numbers from 0 to below 2^53."""
    import numpy as np

    try:
        found = read(path)
    except (OSError, ValueError):
        return None
    usable = found.dtype.kind in "iuf" and found.size > 0
    return found if usable and bool(np.isfinite(found).all()) and float(found.min()) >= 0 and float(found.max()) < 2**53 else None


def header(path: Path) -> tuple[str, tuple[int, ...]]:
    """Type and shape of the array in a .npy file, such as ('int32', (160, 384)), without NumPy; errors as for `read`.

    The type is as str(array.dtype) has it. Format: numpy.lib.format, versions 1.0 to 3.0.
    """
    _require(path, MAGIC, ".npy")
    with path.open("rb") as source:
        major = source.read(len(MAGIC) + 2)[-2]
        length = int.from_bytes(source.read(2 if major == 1 else 4), "little")
        text = source.read(min(length, HEADER_LIMIT))
    try:
        found = ast.literal_eval(text.decode("utf-8" if major > 2 else "latin-1"))
        kind, shape = found["descr"], tuple(int(size) for size in found["shape"])
        if isinstance(kind, str) and kind[0] in "<|":
            kind = "bool" if kind == "|b1" else f"{KINDS[kind[1]]}{8 * int(kind[2:])}"
    except Exception as error:  # it is evaluated as a Python expression: it fails in many ways
        raise _damaged(error) from error
    return str(kind), shape


def read_archive(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays in an .npz file, by name; errors as for `read`."""
    import numpy as np

    _require(path, b"PK", ".npz")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
        if size > ARCHIVE_LIMIT:
            raise DamagedError(f"its arrays have {size} bytes, more than {ARCHIVE_LIMIT}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, DamagedError):
        raise
    except Exception as error:  # a damaged member fails as the archive, the stream or the header does
        raise _damaged(error) from error


def _require(path: Path, magic: bytes, kind: str) -> None:
    if not path.is_file() and path.exists():
        raise DamagedError("it is not a regular file")
    with path.open("rb") as source:
        if source.read(len(magic)) != magic:
            raise DamagedError(f"it does not start with the {kind} magic number")


def _damaged(error: Exception) -> DamagedError:
    words = str(error).strip().splitlines()
    return DamagedError(words[0] if words else type(error).__name__)
