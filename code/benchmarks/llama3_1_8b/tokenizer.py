"""The tokenizer of a Llama 3 checkpoint: tokenizer.json, and what other files of the folder say of its special tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.text.rouge import tidied
from code.common import jsonfile
from code.common.errors import MissingError, UsageError, last_words

WHOLE = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
GENERATION, CONFIG = "generation_config.json", "config.json"
CHUNK = 512
AGAIN = "select the checkpoint's own folder with --vocab_path"


@dataclass(frozen=True)
class Llama3Tokenizer:
    """An opened tokenizer.

    Args:
        files: the files it was read from.
        size: entries, added ones included.
        ends: the tokens that end a text, the usual one first.
        tidies: whether decoded texts lose the spaces before punctuation (clean_up_tokenization_spaces).
    """

    files: tuple[Path, ...]
    size: int
    ends: tuple[int, ...]
    tidies: bool
    tokenizer: Any

    def encode(self, texts: Sequence[str], special: bool = True) -> list[list[int]]:
        """The token ids of every text, in parallel; with `special`, the begin of text stands first."""
        out: list[list[int]] = []
        for first in range(0, len(texts), CHUNK):
            part = self.tokenizer.encode_batch(list(texts[first : first + CHUNK]), add_special_tokens=special)
            out.extend(one.ids for one in part)
        return out

    def decode(self, ids: Iterable[Sequence[int]]) -> list[str]:
        """The text of every sequence of ids, without special tokens, as transformers' tokenizer gives it."""
        found: list[str] = self.tokenizer.decode_batch([[int(i) for i in one] for one in ids], skip_special_tokens=True)
        return [tidied(text) for text in found] if self.tidies else found


def find(place: Path) -> tuple[Path, ...]:
    """The files of the tokenizer at `place`: a checkpoint's folder, or its tokenizer.json. MissingError when there are none."""
    whole = place if place.name == WHOLE else place / WHOLE
    if not whole.is_file():
        raise MissingError(
            f"there is no tokenizer at {place}",
            f"it needs {WHOLE}",
            "run `make download_model` for this benchmark, or select another with --vocab_path=FOLDER",
        )
    beside = (whole.parent / name for name in (SETTINGS, GENERATION, CONFIG))
    return (whole, *(path for path in beside if path.is_file()))


def read(place: Path) -> Llama3Tokenizer:
    """Open the tokenizer at `place`. MissingError when it does not exist, UsageError when it is invalid."""
    from tokenizers import Tokenizer

    files = find(place)
    try:
        tokenizer = Tokenizer.from_file(str(files[0]))
    except Exception as error:  # the tokenizers package raises plain Exception
        raise UsageError(f"{files[0]} is not a tokenizer", last_words(error), AGAIN) from error
    begin = tokenizer.encode("", add_special_tokens=True).ids
    if len(begin) != 1:
        raise UsageError(f"{files[0]} adds {len(begin)} tokens to a text", "Llama 3's adds one, the begin of text", AGAIN)
    settings = jsonfile.object_or_empty(files[0].parent / SETTINGS)
    size = int(tokenizer.get_vocab_size(with_added_tokens=True))
    tidies = settings.get("clean_up_tokenization_spaces") is True
    return Llama3Tokenizer(files, size, _ends(files[0].parent), tidies, tokenizer)


def _ends(folder: Path) -> tuple[int, ...]:
    """The tokens that end a text: of generation_config.json, as servers of text read it, or of config.json."""
    for name in (GENERATION, CONFIG):
        given = jsonfile.object_or_empty(folder / name).get("eos_token_id")
        listed = given if isinstance(given, list) else [given]
        found = tuple(one for one in listed if isinstance(one, int) and not isinstance(one, bool))
        if found and len(found) == len(listed):
            return found
    raise UsageError(
        f"neither {GENERATION} nor {CONFIG} in {folder} has an eos_token_id", "a generation ends with that token", AGAIN
    )
