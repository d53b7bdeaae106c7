"""Memory-mapped .npy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common import npyfile
from code.common.errors import MissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file, memory-mapped and read-only. MissingError for a file that is absent, truncated or not .npy."""
    try:
        return npyfile.read(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{path} cannot be read as an array",
            str(error),
            "run `make preprocess_data` for this benchmark again; it replaces corrupt arrays",
        ) from error
