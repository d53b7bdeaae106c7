"""Reads the token ids that LoadGen's accuracy log has of each sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.common.errors import RunError, UsageError
from code.results.accuracy_log import AGAIN, entries, incomplete

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: dict[str, np.dtype[Any]] = {"int32": np.dtype("<i4"), "int64": np.dtype("<i8")}


def read_log(
    path: Path, count: int, vocabulary: int, *, dtype: str = "int32", complete: bool = True
) -> Mapping[int, NDArray[np.int64]]:
    """Sample index → its token ids. The first response to a sample counts, as in the reference's evaluation."""
    if dtype not in DTYPES:
        raise UsageError(f"accuracy logs of type {dtype} are not supported", "", f"choose one of {', '.join(DTYPES)}")
    kind = DTYPES[dtype]
    found: dict[int, NDArray[np.int64]] = {}
    for line, index, raw in entries(path):
        where = f"{path}:{line}"
        if not 0 <= index < count:
            raise RunError(f"sample {index} is unknown", f"the data set has the samples 0 to {count - 1}", AGAIN, where)
        if len(raw) % kind.itemsize or not raw:
            raise RunError(
                f"the response for sample {index} has {len(raw)} bytes", f"that is not a sequence of {dtype} tokens", AGAIN, where
            )
        tokens = np.frombuffer(raw, dtype=kind).astype(np.int64)
        _require_known(tokens, vocabulary, index, where)
        found.setdefault(index, tokens)
    if not found:
        raise RunError(f"{path} contains no responses", "the run logged nothing", AGAIN)
    if complete and len(found) < count:
        raise incomplete(path, [index for index in range(count) if index not in found], count)
    return found


def _require_known(tokens: NDArray[np.int64], vocabulary: int, index: int, where: str) -> None:
    """RunError where a response has a token beyond the vocabulary."""
    least, most = int(tokens.min()), int(tokens.max())
    if least < 0 or most >= vocabulary:
        raise RunError(
            f"sample {index} has a token that the vocabulary of {vocabulary:,} entries lacks",
            f"it is {most if least >= 0 else least}: the vocabulary and the model do not match",
            "select the model's own vocabulary with --vocab_path",
            where,
        )
