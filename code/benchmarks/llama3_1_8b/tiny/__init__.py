"""The tiny variant of Llama 3.1: a model of a few MB with its own tokenizer, and the generator of the data set it summarises.

`generate_eval` writes the evaluation set; `MODEL` and `RECORD` are the committed files. README.md explains how they were made and how
to rebuild them.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
MODEL = _HERE / "model"
"""A Hugging Face checkpoint with its tokenizer, and the same model exported to OpenVINO's format in openvino/."""
RECORD = MODEL / "record.json"


def generate_eval(path: Path, count: int) -> None:
    """Write the first `count` samples of the evaluation set to `path` as cnn_eval.json, whole or not at all; takes a few seconds.

    RunError when the disk is full or `path` cannot be written.
    """
    from code.benchmarks.llama3_1_8b.prompt import INSTRUCTION
    from code.benchmarks.text import cnndm
    from code.benchmarks.text.tiny.articles import EVAL_SEED, article

    written = (article(EVAL_SEED, index) for index in range(count))
    cnndm.write([cnndm.Sample(INSTRUCTION, one.text, one.highlights) for one in written], path)


def generator_digest() -> str:
    """Eight digits that change with anything the evaluation set is generated from: code, words, stories or prompt."""
    from code.benchmarks.text.tiny import articles

    return articles.generator_digest((_HERE.parent / "prompt.py", Path(__file__)))
