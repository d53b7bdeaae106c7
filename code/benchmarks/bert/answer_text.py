"""Maps a predicted answer back to the original text.

BERT predicts lower-case word pieces without accents; the answer that is scored is the stretch of the paragraph they came from.
Both sides are aligned character by character, spaces aside, after the original has gone through BERT's basic tokenisation
(Devlin et al., 2018); where the two do not have equally many characters, the whole words are the answer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# The CJK blocks whose characters are separate words.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class _Cleaner(dict[int, str]):
    """A `str.translate` table filled on demand: removes controls, replaces white space by a space, separates ideographs."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if char in "\t\n\r" or category == "Zs":
            out = " "
        elif category.startswith("C") or code == 0xFFFD:
            out = ""
        elif any(low <= code <= high for low, high in _IDEOGRAPHS):
            out = f" {char} "
        else:
            out = char
        self[code] = out
        return out


class _Splitter(dict[int, str]):
    """A `str.translate` table filled on demand: removes accents, separates punctuation."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Mn":
            out = ""
        elif category.startswith("P") or (code < 0x80 and char.isprintable() and not char.isalnum() and char != " "):
            out = f" {char} "
        else:
            out = char
        self[code] = out
        return out


_CLEAN = _Cleaner()
_SPLIT = _Splitter()


def basic_tokens(text: str) -> list[str]:
    """BERT's basic tokenisation of `text`: cleaned, lower case, without accents, punctuation and ideographs apart."""
    folded = unicodedata.normalize("NFD", text.translate(_CLEAN).lower())
    return folded.translate(_SPLIT).split()


def joined(pieces: Sequence[str]) -> str:
    """Word pieces as text: `##` pieces joined to the one before, words separated by a space."""
    text = " ".join(pieces).replace(" ##", "").replace("##", "")
    return " ".join(text.split())


def original(predicted: str, words: str) -> str:
    """The part of `words` that corresponds to `predicted`.

    Args:
        predicted: joined word pieces.
        words: the whole words they came from, a space apart.

    Returns:
        A substring of `words`; all of it where the alignment fails.
    """
    tokens = " ".join(basic_tokens(words))
    first = tokens.find(predicted)
    if first < 0 or not predicted:
        return words
    places = [place for place, char in enumerate(words) if char != " "]
    if len(places) != len(tokens) - tokens.count(" "):
        return words
    last = first + len(predicted) - 1
    return words[places[first - tokens.count(" ", 0, first)] : places[last - tokens.count(" ", 0, last)] + 1]
