"""A WordPiece vocabulary file: one piece per line; the line number is the piece's id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from code.common.errors import MissingError, UsageError

PAD, UNKNOWN, CLASSIFY, SEPARATE = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


@dataclass(frozen=True)
class Vocabulary:
    """The pieces in the order of their ids, and the ids of the four pieces that features are built with."""

    pieces: tuple[str, ...]
    ids: dict[str, int]

    @property
    def unknown(self) -> int:
        """The id of [UNK]."""
        return self.ids[UNKNOWN]

    @property
    def classify(self) -> int:
        """The id of [CLS]."""
        return self.ids[CLASSIFY]

    @property
    def separate(self) -> int:
        """The id of [SEP]."""
        return self.ids[SEPARATE]


def read(path: Path) -> Vocabulary:
    """Read a vocabulary file.

    Raises:
        MissingError: the file cannot be opened.
        UsageError: it is not a vocabulary: not UTF-8, a doubled or empty line, or one of the special pieces is absent.
    """
    path = Path(path)
    ids: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig") as source:
            for number, line in enumerate(source):
                piece = line.rstrip("\n")
                if not piece:
                    raise _wrong(path, "the line is empty, and every line must hold one piece", number)
                if piece in ids:
                    raise _wrong(path, f"the piece {piece!r} is already on line {ids[piece] + 1}", number)
                ids[piece] = number
    except OSError as error:
        raise MissingError(
            f"cannot read the vocabulary {path}",
            error.strerror or str(error),
            "run `make download_model BENCHMARKS=bert`, or give the path of the model's vocab.txt",
        ) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, f"it is not UTF-8 text (byte {error.start} of a block)") from error
    for special in (PAD, UNKNOWN, CLASSIFY, SEPARATE):
        if special not in ids:
            raise _wrong(path, f"it lacks the piece {special}")
    if ids[PAD] != 0:
        raise _wrong(path, f"{PAD} must be the first line, because sequences are filled up with id 0", ids[PAD])
    return Vocabulary(tuple(ids), ids)


def _wrong(path: Path, why: str, line: int | None = None) -> UsageError:
    return UsageError(
        f"{path} is not a WordPiece vocabulary",
        why,
        "give the vocab.txt that the model was trained with, or `make download_model BENCHMARKS=bert`",
        where="" if line is None else f"{path}:{line + 1}",
    )
