"""Scores a tiny model with the project's own pipeline: generated set, features, ONNX Runtime in fp32, n-best, F1."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.bert import facts
from code.benchmarks.bert.tiny import generate_dev
from code.benchmarks.bert.tiny.articles import DEV_SEED, GENERATOR_VERSION
from code.common.files import sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTPUTS = list(facts.OUTPUT_NAMES)
BATCH = 8


def logits(model: Path, preprocessed: Any) -> NDArray[np.float32]:
    """Start and end logits of every feature, float32 [N, 384, 2], -10000 beyond a feature's length.

    Features of like length share a small batch, which computes little padding and stays in the cache; one core each.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    lengths = np.asarray(preprocessed.lengths)
    result = np.full((*preprocessed.input_ids.shape, 2), -10000.0, dtype=np.float32)

    def answer(rows: NDArray[np.int64]) -> None:
        longest = int(lengths[rows].max())
        feed = {name: getattr(preprocessed, name)[rows, :longest].astype(np.int64) for name in facts.INPUT_NAMES}
        result[rows, :longest] = np.stack(session.run(OUTPUTS, feed), axis=-1)

    order = np.argsort(lengths, kind="stable")
    batches = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(answer, batches):
            pass
    result[np.arange(result.shape[1])[None, :] >= lengths[:, None]] = -10000.0
    return result


def measure(model: Path, vocab: Path) -> dict[str, Any]:
    """What record.json holds besides the training settings: scores at full precision, counts and digests."""
    from code.benchmarks.bert import postprocess, preprocess

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
