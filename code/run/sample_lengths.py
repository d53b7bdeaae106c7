"""The lengths of a data set's samples, in the unit that their time goes by: tokens, or windows of a volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from code.harness.python.datasets import open_dataset
from code.harness.schema.lengths import lengths_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample_lengths(dataset: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The length of each sample, int64 [samples]; None where the data set has none. MissingError for volumes that are not there.

    Args:
        dataset: the part of run.json.
    """
    if dataset.get("kind") == "volume":
        return open_dataset(dataset).lengths.astype(np.int64)
    return lengths_of(dataset)
