"""The lengths of a data set's samples, which the `dataset` part of run.json names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common import npyfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def lengths_of(dataset: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The length of each sample, int64 [samples]; None if the data set has none or no longer exists."""
    name, folder = dataset.get("lengths"), dataset.get("folder")
    if not isinstance(name, str) or not isinstance(folder, str):
        return None
    found = npyfile.numbers(Path(folder) / name)
    return None if found is None else found.astype("int64").ravel()
