"""Random token sequences in the layout of preprocessed BERT data, for runs of a harness by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.cuda_stand_in import plans

LONGEST = 384


def random_sequences(folder: Path, count: int, entries: int, seed: int) -> dict[str, Any]:
    """Write `count` sequences of 5 to LONGEST tokens, each below `entries`; returns them as a dataset of run.json."""
    random = np.random.default_rng(seed)
    lengths = random.integers(5, LONGEST + 1, count).astype(np.int32)
    kept = np.arange(LONGEST)[None, :] < lengths[:, None]
    arrays = {
        "input_ids": random.integers(1, entries, (count, LONGEST)) * kept,
        "input_mask": kept,
        "segment_ids": random.integers(0, 2, (count, LONGEST)) * kept,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.astype(np.int32))
    np.save(folder / "lengths.npy", lengths)
    return {
        "kind": "sequence",
        "folder": str(folder),
        "count": count,
        "arrays": {name: f"{name}.npy" for name in arrays},
        "lengths": "lengths.npy",
        "outputs": list(plans.BERT_OUTPUTS),
        "input_dtype": "int64",
    }
