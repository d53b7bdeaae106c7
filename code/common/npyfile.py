"""Reading of .npy files that may be damaged or something else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from code.common.jsonfile import DamagedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"


def read(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """The array in a .npy file. Archives and pickles, which numpy.load reads too, are refused.

    Raises:
        OSError: it cannot be read.
        DamagedError, a ValueError: it is not such an array, whatever numpy makes of its header.
    """
    import numpy as np

    if not path.is_file() and path.exists():
        raise DamagedError("it is not a regular file")
    with path.open("rb") as source:
        if source.read(len(MAGIC)) != MAGIC:
            raise DamagedError("it does not start with the .npy magic number")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        return array
    except OSError:
        raise
    except Exception as error:  # numpy evaluates the header as a Python expression: it fails in many ways
        words = str(error).strip().splitlines()
        raise DamagedError(words[0] if words else type(error).__name__) from error
