"""GPT-J's byte-level BPE, read from any of its three published formats.

encoder.json and vocab.bpe     OpenAI's GPT-2
vocab.json and merges.txt      Hugging Face, slow tokenisers
tokenizer.json                 Hugging Face, fast tokenisers
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.text.rouge import tidied
from code.common.errors import MissingError, UsageError

END = "<|endoftext|>"
PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
WHOLE = "tokenizer.json"
CHUNK = 512


@dataclass(frozen=True)
class Bpe:
    """An opened vocabulary.

    Args:
        files: the files it was read from.
        size: entries, added ones included.
        end: the end-of-text token, which also ends a generation.
    """

    files: tuple[Path, ...]
    size: int
    end: int
    tokenizer: Any

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a generation."""
        return (self.end,)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of every text, in parallel, without special tokens."""
        out: list[list[int]] = []
        for first in range(0, len(texts), CHUNK):
            out.extend(
                one.ids for one in self.tokenizer.encode_batch(list(texts[first : first + CHUNK]), add_special_tokens=False)
            )
        return out

    def decode(self, ids: Iterable[Sequence[int]]) -> list[str]:
        """The text of every sequence of ids, without special tokens."""
        found: list[str] = self.tokenizer.decode_batch([[int(i) for i in one] for one in ids], skip_special_tokens=True)
        return found


def tidy(texts: Sequence[str]) -> list[str]:
    """Texts as the reference's slow tokenizer gives them, without spaces before punctuation."""
    return [tidied(text) for text in texts]


def find(place: Path) -> tuple[Path, ...]:
    """The files of the vocabulary at `place`: a folder that holds one, or one of its files. MissingError when there are none."""
    folder = place if place.is_dir() else place.parent
    if place.name == WHOLE and place.is_file():
        return (place,)
    for pair in PAIRS:
        if all((folder / name).is_file() for name in pair) and (place.is_dir() or place.name in pair):
            return tuple(folder / name for name in pair)
    if place.is_dir() and (folder / WHOLE).is_file():
        return (folder / WHOLE,)
    raise MissingError(
        f"there is no BPE vocabulary at {place}",
        f"it needs {WHOLE}, or both of {' or '.join(' and '.join(pair) for pair in PAIRS)}",
        "run `make download_model BENCHMARKS=gptj`, or select another with --vocab_path=FOLDER",
    )


def read(place: Path) -> Bpe:
    """Open the vocabulary at `place`. MissingError when it does not exist, UsageError when it is invalid."""
    files = find(place)
    try:
        tokenizer = _whole(files[0]) if len(files) == 1 else _pair(*files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(files[0], error) from error
    except Exception as error:  # the tokenizers package raises plain Exception
        raise _broken(files[0], error) from error
    end = tokenizer.token_to_id(END)
    if end is None:
        raise UsageError(
            f"{files[0]} has no {END}", "generation ends with that token", "select GPT-J's own vocabulary with --vocab_path"
        )
    return Bpe(files, tokenizer.get_vocab_size(with_added_tokens=True), int(end), tokenizer)


def _whole(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


def _pair(vocabulary: Path, merges: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    entries = json.loads(vocabulary.read_text(encoding="utf-8"))
    lines = merges.read_text(encoding="utf-8").split("\n")
    pairs: Any = [tuple(line.split(" ")) for line in lines if line.strip() and not line.startswith("#version")]
    tokenizer = Tokenizer(models.BPE(vocab=entries, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if END in entries:
        tokenizer.add_special_tokens([AddedToken(END, normalized=False, special=True)])
    return tokenizer


def _broken(path: Path, error: Exception) -> UsageError:
    words = str(error).strip().splitlines()
    return UsageError(
        f"{path} is not a BPE vocabulary",
        words[0] if words else type(error).__name__,
        "fetch it again with `make download_model BENCHMARKS=gptj`, or select another with --vocab_path",
    )
