"""Learns the tiny variant's byte-level BPE (GPT-2's kind of vocabulary) from articles of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.text.tiny.articles import article
from code.common.files import atomic_write

END = "<|endoftext|>"
SIZE = 1280
ARTICLES = 6000
SEED = "vocabulary"


def corpus(articles: int = ARTICLES) -> Iterator[str]:
    """Prompts with their summaries."""
    for index in range(articles):
        written = article(SEED, index)
        yield prompt(written.text) + written.highlights


def learn(texts: Iterable[str], folder: Path, size: int = SIZE) -> None:
    """Write a vocabulary of `size` entries to vocab.json and merges.txt in `folder`, `END` the last of them as in GPT-2's."""
    import json

    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(list(texts), vocab_size=size - 1, min_frequency=2, show_progress=False)
    content = json.loads(tokenizer.to_str())["model"]
    entries = sorted(content["vocab"], key=content["vocab"].__getitem__)
    with atomic_write(folder / "vocab.json") as out:
        json.dump({token: number for number, token in enumerate([*entries, END])}, out, ensure_ascii=False, indent=0)
        out.write("\n")
    with atomic_write(folder / "merges.txt") as out:
        out.write("#version: 0.2\n")
        out.writelines(" ".join(pair) + "\n" for pair in content["merges"])
