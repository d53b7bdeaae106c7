"""The tiny variant of GPT-J: a model of a few MB with its own vocabulary, and the generator of the data set it summarises.

`generate_eval` writes the evaluation set; `MODEL` and `RECORD` are the committed files. README.md explains how they were made and how
to rebuild them.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
MODEL = _HERE / "model"
"""A Hugging Face checkpoint with its vocabulary, and the same model exported to OpenVINO's format in openvino/."""
RECORD = MODEL / "record.json"
_CHUNK = 512


LEAST_TOKENS = 33
"""Tokens of an evaluation sample's highlights, at least: safely more than the 30 that every generated summary must have."""


def generate_eval(path: Path, count: int | None = None, vocabulary: Path = MODEL) -> None:
    """Write the evaluation set to `path` as cnn_eval.json, whole or not at all; takes a few seconds.

    Args:
        count: the first so many samples; None for all 13,368.
        vocabulary: what tokens are counted with.

    Raises:
        MissingError: the vocabulary is not there.
        RunError: the disk is full or `path` cannot be written.
    """
    from code.benchmarks.gptj import bpe, cnndm, facts
    from code.benchmarks.gptj.prompt import INSTRUCTION
    from code.benchmarks.text.tiny.articles import EVAL_SEED, article

    wanted, opened = count or facts.DATASET_SAMPLES, bpe.read(vocabulary)
    samples: list[cnndm.Sample] = []
    index = 0
    while len(samples) < wanted:
        written = [article(EVAL_SEED, number) for number in range(index, index + _CHUNK)]
        index += _CHUNK
        for one, ids in zip(written, opened.encode([one.highlights for one in written]), strict=True):
            if len(ids) >= LEAST_TOKENS:
                samples.append(cnndm.Sample(INSTRUCTION, one.text, one.highlights))
    cnndm.write(samples[:wanted], path)


def generator_digest() -> str:
    """Eight digits that change with anything the evaluation set is generated from: code, words or stories."""
    from code.benchmarks.text.tiny import articles

    own = (_HERE.parent / "prompt.py", MODEL / "vocab.json", MODEL / "merges.txt", Path(__file__))
    return articles.generator_digest(own)
