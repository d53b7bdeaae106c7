"""Measures how long BERT's data takes: reading, tokenising, writing, checking, opening and scoring.

    python tests/benchmarks/tokenise_squad.py SQUAD.json VOCAB.txt [--workers N] [--repeat N]

The folder it writes is thrown away. The best of the repetitions is printed, in seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from code.benchmarks.bert import features, postprocess, preprocess, squad, vocabulary


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path)
    parser.add_argument("vocab", type=Path)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()

    def best(what: str, work: Callable[[], Any]) -> Any:
        times = []
        for _ in range(given.repeat):
            start = time.perf_counter()
            result = work()
            times.append(time.perf_counter() - start)
        print(f"{what:<44} {min(times):9.4f} s")
        return result

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bert"
        data = best("read the JSON strictly", lambda: squad.read(given.squad))
        vocab = best("read the vocabulary", lambda: vocabulary.read(given.vocab))
        best("tokenise and build features", lambda: features.build(data, vocab, workers=given.workers))
        best("all of it, written to disk", lambda: preprocess.preprocess(given.squad, given.vocab, out, workers=given.workers))
        best("see that nothing has changed", lambda: preprocess.is_current(out, given.squad, given.vocab))
        arrays = best("open the arrays", lambda: preprocess.load(out))
        best("open them and compare every digest", lambda: preprocess.load(out, thorough=True))
        logits = np.random.default_rng(0).normal(0, 3, (len(arrays), arrays.input_ids.shape[1], 2)).astype(np.float32)
        best("score random logits", lambda: postprocess.score(logits, arrays, given.squad))
        size = sum(path.stat().st_size for path in out.iterdir())
        print(f"{len(data.questions):,} questions, {len(arrays):,} features, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
