"""Writes and opens folders with a data set's features.

    input_ids.npy, input_mask.npy, segment_ids.npy   int32 [N, 384], what the model reads
    lengths.npy                                      int32 [N], real tokens per row
    spans.npy, max_context.npy                       where each feature's window comes from (code/benchmarks/bert/features.py)
    document_words.npy, document_offsets.npy         each paragraph token's word
    questions.json, vocab.txt                        the questions' ids in order; the vocabulary's pieces
    manifest.json                                    what made it and what must be there (code/benchmarks/bert/manifest.py), written last

The folder is created atomically.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.bert import facts
from code.benchmarks.bert import manifest as manifests
from code.benchmarks.bert.manifest import ArrayRecord, Manifest
from code.common import jsonfile, npyfile
from code.common.files import atomic_directory, sha256
from code.common.stamp import Stamp

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from code.benchmarks.bert.features import Ints, Longs, Settings

ARRAYS = (
    "input_ids",
    "input_mask",
    "segment_ids",
    "lengths",
    "spans",
    "max_context",
    "document_words",
    "document_offsets",
)
_QUESTIONS, _VOCABULARY = "questions.json", "vocab.txt"


@dataclass(frozen=True)
class PreprocessedSquad:
    """An opened folder; the arrays are memory-mapped and read-only, with N features, P paragraphs and T paragraph tokens.

    Attributes:
        input_ids, input_mask, segment_ids: int32 [N, S].
        lengths: int32 [N].
        spans: `features.SPAN` [N].
        max_context: uint8 [N, ceil(S / 8)], packed bits.
        document_words: int32 [T].
        document_offsets: int64 [P + 1].
    """

    folder: Path
    manifest: Manifest
    input_ids: Ints
    input_mask: Ints
    segment_ids: Ints
    lengths: Ints
    spans: npt.NDArray[Any]
    max_context: npt.NDArray[np.uint8]
    document_words: Ints
    document_offsets: Longs

    def __len__(self) -> int:
        return self.manifest.count

    def question_ids(self) -> list[str]:
        """The questions' ids in the data set's order."""
        try:
            return [str(identity) for identity in jsonfile.parse(self._text(_QUESTIONS))]
        except (ValueError, TypeError) as error:
            raise manifests.missing(self.folder / _QUESTIONS, f"it is damaged ({error})") from error

    def pieces(self) -> list[str]:
        """The vocabulary's pieces in the order of their ids."""
        return self._text(_VOCABULARY).split("\n")[:-1]

    def _text(self, name: str) -> str:
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise manifests.missing(path, str(error)) from error


def is_current(out: Path, squad_json: Path, vocab: Path, settings: Settings | None = None) -> bool:
    """Whether `out` is what `preprocess` would write; see `code.benchmarks.bert.manifest.is_current`."""
    return manifests.is_current(Path(out), Path(squad_json), Path(vocab), _named(settings))


def preprocess(
    squad_json: Path,
    vocab: Path,
    out: Path,
    *,
    settings: Settings | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Manifest:
    """Make the features of a SQuAD v1.1 file and write them to the folder `out`, replacing what is there.

    Args:
        settings: feature settings; MLPerf's when not given.
        workers: threads that tokenise; None for every core.
        progress: called with a message for each step.

    Raises:
        MissingError, UsageError: an input is absent or is not what it should be.
        RunError: the disk is full or cannot be written; nothing of the new folder stays.
    """
    from code.benchmarks.bert import features, squad, vocabulary

    tell = progress or (lambda step: None)
    start = time.monotonic()
    squad_json, vocab, out = Path(squad_json), Path(vocab), Path(out)
    tell(f"reading {squad_json}")
    # Stamped first: a file that changes while it is read then looks changed to the next check.
    inputs = {"squad": manifests.stamp_input(squad_json), "vocabulary": manifests.stamp_input(vocab)}
    data, pieces = squad.read(squad_json), vocabulary.read(vocab)
    tell(f"tokenising {len(data.questions):,} questions on {len(data.contexts):,} paragraphs")
    built = features.build(data, pieces, settings, workers)
    count = len(built.lengths)
    tell(f"writing {count:,} features to {out}")
    with atomic_directory(out) as folder:
        files = {f"{name}.npy": _write_array(folder / f"{name}.npy", getattr(built, name)) for name in ARRAYS}
        identities = [question.identity for question in data.questions]
        files[_QUESTIONS] = _write(folder / _QUESTIONS, json.dumps(identities).encode())
        files[_VOCABULARY] = _write(folder / _VOCABULARY, "".join(f"{piece}\n" for piece in pieces.pieces).encode())
        manifest = Manifest(inputs, _named(settings), count, len(identities), files, round(time.monotonic() - start, 3))
        manifest.write(folder)
    return manifest


def load(out: Path, *, thorough: bool = False) -> PreprocessedSquad:
    """Open a folder that `preprocess` wrote, after the checks of `checked`; errors as there."""
    manifest = checked(out, thorough=thorough)
    arrays: dict[str, Any] = {}
    for name in ARRAYS:
        path = Path(out) / f"{name}.npy"
        try:
            arrays[name] = npyfile.read(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise manifests.missing(path, f"it is damaged ({error})") from error
    return PreprocessedSquad(Path(out), manifest, **arrays)


def checked(out: Path, *, thorough: bool = False) -> Manifest:
    """The manifest of a folder that `preprocess` wrote, without NumPy.

    Checks every array's type, shape and file size against it; with `thorough`, the digests as well.

    Raises:
        MissingError: the folder or a file is absent, cut off or damaged; the error names the file.
    """
    out = Path(out)
    manifest = manifests.read(out)
    for name in (*(f"{array}.npy" for array in ARRAYS), _QUESTIONS, _VOCABULARY):
        path = out / name
        record = manifest.files.get(name)
        if record is None:
            raise manifests.missing(out / manifests.FILE_NAME, f"it does not list {name}")
        try:
            size = path.stat().st_size
            if size != record.stamp.size:
                raise manifests.missing(path, f"it has {size:,} bytes instead of {record.stamp.size:,}")
            if thorough and sha256(path) != record.stamp.sha256:
                raise manifests.missing(path, "its digest differs from the manifest's")
            found = npyfile.header(path) if record.dtype else None
        except FileNotFoundError as error:
            raise manifests.missing(path, "it does not exist") from error
        except (OSError, ValueError) as error:
            raise manifests.missing(path, f"it is damaged ({error})") from error
        if found is not None and found != (record.dtype, record.shape):
            kind, shape = found
            raise manifests.missing(path, f"it is {kind} {list(shape)} instead of {record.dtype} {list(record.shape)}")
    return manifest


def _named(settings: Settings | None) -> dict[str, Any]:
    if settings is None:
        return dict(MLPERF_SETTINGS)
    return asdict(settings)


# `features.Settings()` by name, so that a warm check need not import numpy; a test keeps the two equal.
MLPERF_SETTINGS = {
    "max_seq_length": facts.MAX_SEQUENCE,
    "doc_stride": facts.DOC_STRIDE,
    "max_query_length": facts.MAX_QUESTION,
}


def _write_array(path: Path, array: npt.NDArray[Any]) -> ArrayRecord:
    import numpy as np

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return ArrayRecord(_write(path, header.getvalue(), data.data).stamp, str(array.dtype), tuple(array.shape))


def _write(path: Path, *parts: bytes | memoryview) -> ArrayRecord:
    """Write and sync a file, and stamp it. A full disk raises OSError with its errno (numpy's own writer loses it)."""
    digest = hashlib.sha256()
    with path.open("wb", buffering=0) as out:
        for part in parts:
            rest = memoryview(part)
            digest.update(rest)
            while rest:
                rest = rest[out.write(rest) :]
        os.fsync(out.fileno())
    return ArrayRecord(Stamp.of(path, digest.hexdigest()))
