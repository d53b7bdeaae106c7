"""Small ONNX graphs that tests build engines and conversions from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from scripts.make_bert_large_shape import make


def small_bert(folder: Path, layers: int = 1) -> Path:
    """A BERT with random weights: hidden 32, 2 heads, 200 pieces, 384 positions."""
    file = folder / "model.onnx"
    onnx.save(make(layers, 32, 2, 64, 200, 384), str(file))
    return file


def values(**given: Any) -> dict[str, Any]:
    """A workload's values as backends get them: every field's default, BERT on a known system, and what is given."""
    from code.fields.table import FIELDS

    out = {f.name: f.default for f in FIELDS}
    return {**out, "benchmark": "bert", "system": "A100_SXM4_40GBx8", "max_batch": 4, **given}
