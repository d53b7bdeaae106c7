"""Learns the tiny variant's uncased WordPiece vocabulary from articles of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from code.benchmarks.bert.tiny.articles import paragraph
from code.common.files import atomic_write

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZE = 2500
PARAGRAPHS = 8000
SEED = "vocabulary"


def corpus(paragraphs: int = PARAGRAPHS) -> Iterator[str]:
    """Contexts and questions to learn from; lengths are guessed here, as nothing can count pieces yet."""
    for index in range(paragraphs):
        written = paragraph(SEED, index, lambda text: round(1.4 * len(text.split())))
        yield written.context
        yield from (entry["question"] for entry in written.questions)


def learn(texts: Iterable[str], path: Path, size: int = SIZE) -> None:
    """Write a vocabulary of `size` entries to `path`, one a line, BERT's special tokens first.

    The single characters are handed to the trainer in a fixed order: it breaks ties between equally frequent pairs by
    their numbers, so the same texts give the same vocabulary.
    """
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(lowercase=True)
    texts = list(texts)
    characters = sorted(set("".join(tokenizer.normalize(text) for text in texts)) - {" "})
    fixed = [*SPECIAL, *characters, *(f"##{character}" for character in characters if character.isalnum())]
    tokenizer.train_from_iterator(texts, vocab_size=size, min_frequency=2, special_tokens=fixed, show_progress=False)
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    with atomic_write(path) as out:
        out.writelines(f"{token}\n" for token, _ in entries)
