"""The tiny variant of BERT: a model of a few MB with its own vocabulary, and the generator of the data set it answers.

`generate_dev` writes the evaluation set; `MODEL`, `VOCAB` and `RECORD` are the committed files. How they came about and how
to rebuild them is described in README.md.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

_HERE = Path(__file__).parent
_FOLDER = _HERE / "model"
MODEL = _FOLDER / "model.onnx"
VOCAB = _FOLDER / "vocab.txt"
RECORD = _FOLDER / "record.json"


def generate_dev(path: Path, vocab: Path = VOCAB) -> None:
    """Write the evaluation set to `path` as SQuAD v1.1 JSON, atomically; takes a few seconds.

    10,570 questions that give 10,833 features at 384/128/64 with the vocabulary at `vocab`.

    Raises:
        MissingError: the vocabulary does not exist.
        RunError: the disk is full or `path` is not writable.
    """
    from code.benchmarks.bert.tiny.articles import dev_set
    from code.benchmarks.bert.tiny.pieces import PieceCounter
    from code.common.files import atomic_write

    content = dev_set(PieceCounter(vocab))
    with atomic_write(path) as out:
        json.dump(content, out)
        out.write("\n")


def generator_digest() -> str:
    """Eight digits that change with anything the evaluation set is generated from: code, words, facts or vocabulary."""
    shared = _HERE.parent.parent
    made_of = [
        *(_HERE / name for name in ("articles.py", "facts.py", "pieces.py")),
        shared / "words.py",
        shared / "words.txt",
        VOCAB,
    ]
    digest = hashlib.sha256()
    for path in [*made_of, *sorted((_HERE / "facts").glob("*.txt"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]
