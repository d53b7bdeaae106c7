"""Scores a tiny model with the project's own pipeline: generated set, features, ONNX Runtime in fp32, n-best, F1."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.bert.tiny import generate_dev
from code.bert.tiny.articles import DEV_SEED, GENERATOR_VERSION
from code.common.files import sha256

BATCH = 32


def logits(model: Path, preprocessed: Any, threads: int = 0) -> NDArray[np.float32]:
    """Start and end logits of every feature, float32 [N, 384, 2], -10000 beyond a feature's length.

    Features of like length share a batch, so that little padding is computed. `threads`: 0 for every core.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    lengths = np.asarray(preprocessed.lengths)
    result = np.full((*preprocessed.input_ids.shape, 2), -10000.0, dtype=np.float32)
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), BATCH):
        rows = order[first : first + BATCH]
        longest = int(lengths[rows].max())
        names = ("input_ids", "input_mask", "segment_ids")
        feed = {name: getattr(preprocessed, name)[rows, :longest].astype(np.int64) for name in names}
        start, end = session.run(["output_start_logits", "output_end_logits"], feed)
        result[rows, :longest] = np.stack([start, end], axis=-1)
    beyond = np.arange(result.shape[1])[None, :] >= lengths[:, None]
    result[beyond] = -10000.0
    return result


def measure(model: Path, vocab: Path) -> dict[str, Any]:
    """What record.json holds besides the training settings: scores at full precision, counts and digests."""
    from code.bert import postprocess, preprocess

    with tempfile.TemporaryDirectory() as scratch:
        dev, folder = Path(scratch) / "dev.json", Path(scratch) / "preprocessed"
        generate_dev(dev, vocab)
        manifest = preprocess.preprocess(dev, vocab, folder)
        data = preprocess.load(folder)
        scores = postprocess.score(logits(model, data), data, dev)
        return {
            "metric": "F1",
            "F1": scores["F1"],
            "exact_match": scores["exact_match"],
            "questions": manifest.questions,
            "features": manifest.count,
            "dev_sha256": sha256(dev),
            "model_sha256": sha256(model),
            "vocab_sha256": sha256(vocab),
            "generator": {"version": GENERATOR_VERSION, "seed": DEV_SEED},
        }
