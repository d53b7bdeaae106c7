"""Counts word pieces the way BERT's uncased tokenizer makes them, in plain Python, so that lengths are known while writing."""

from __future__ import annotations

import unicodedata
from pathlib import Path

MAX_CHARACTERS = 100


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(character).startswith("P")


class PieceCounter:
    """Length of a text in pieces of the vocabulary at `path`; words are remembered, so that counting is cheap."""

    def __init__(self, path: Path) -> None:
        self._vocabulary = frozenset(path.read_text(encoding="utf-8").split("\n"))
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """How many pieces `text` has, without [CLS] and [SEP]."""
        return sum(self._word(word) for word in text.split())

    def _word(self, word: str) -> int:
        if word not in self._known:
            plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
            spaced = "".join(f" {c} " if _is_punctuation(c) else c for c in plain)
            self._known[word] = sum(self._pieces(part) for part in spaced.split())
        return self._known[word]

    def _pieces(self, word: str) -> int:
        """Greedy longest match from the left; a word that does not fit is one [UNK]."""
        if len(word) > MAX_CHARACTERS:
            return 1
        start = count = 0
        while start < len(word):
            end = len(word)
            while end > start and ("##" if start else "") + word[start:end] not in self._vocabulary:
                end -= 1
            if end == start:
                return 1
            start, count = end, count + 1
        return count
