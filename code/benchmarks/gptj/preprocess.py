"""Writes and opens folders with the token ids of a data set's prompts.

    tokens.npy     int32 [T], the prompts' token ids one after the other
    offsets.npy    int64 [N + 1]; prompt i is tokens[offsets[i]:offsets[i + 1]]
    lengths.npy    int32 [N]
    manifest.json  what made it and what must be there, written last

The folder is created atomically. A prompt longer than the limit loses its end, as in the reference (its tokeniser truncates
at the right, the response mark included).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.gptj import bpe, cnndm, facts
from code.benchmarks.gptj.prompt import prompt
from code.common import jsonfile, npyfile
from code.common.errors import MissingError
from code.common.files import atomic_directory, write_json
from code.common.stamp import Stamp

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA = 1
MANIFEST = "manifest.json"
ARRAYS = ("tokens", "offsets", "lengths")
REPAIR = "make preprocess_data BENCHMARKS=gptj"


@dataclass(frozen=True)
class PreprocessedPrompts:
    """An opened folder; the arrays are memory-mapped and read-only.

    Args:
        end: the token that ends a generation.
        vocabulary: entries of the vocabulary.
        truncated: number of truncated prompts.
    """

    folder: Path
    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    end: int
    vocabulary: int
    truncated: int

    def __len__(self) -> int:
        return len(self.lengths)

    def prompt(self, index: int) -> npt.NDArray[np.int32]:
        """The token ids of one prompt, int32 [length]."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


def settings() -> dict[str, Any]:
    """Settings that determine the arrays, other than the inputs."""
    import hashlib

    return {"max_input_tokens": facts.MAX_INPUT_TOKENS, "prompt": hashlib.sha256(prompt("", "").encode()).hexdigest()}


def is_current(out: Path, data: Path, vocabulary: Path) -> bool:
    """Whether `out` is up to date. An input with the recorded size and modification time counts as unchanged."""
    try:
        content = _manifest(out)
    except MissingError:
        return False
    inputs = {"data": data, **{file.name: file for file in bpe.find(vocabulary)}}
    if content["settings"] != settings() or set(content["inputs"]) != set(inputs):
        return False
    try:
        for name, path in inputs.items():
            if Stamp(**content["inputs"][name]).confirmed(path) is None:
                return False
        return all((out / name).stat().st_size == entry["size"] for name, entry in content["files"].items())
    except OSError:
        return False


def preprocess(data: Path, vocabulary: Path, out: Path, progress: Callable[[str], None] | None = None) -> PreprocessedPrompts:
    """Make the prompts of a cnn_eval.json and write their token ids to the folder `out`, replacing what is there.

    Raises:
        MissingError, UsageError: an input is missing or invalid.
        RunError: the disk is full or not writable; the new folder is removed.
    """
    import numpy as np

    tell = progress or (lambda step: None)
    start = time.monotonic()
    opened = bpe.read(vocabulary)
    samples = cnndm.read(data)
    # Stamp right after reading: a file that changes later counts as changed in the next check.
    inputs = {"data": Stamp.of(data), **{file.name: Stamp.of(file) for file in opened.files}}
    tell(f"tokenising {len(samples):,} articles")
    encoded = opened.encode([prompt(sample.article, sample.instruction) for sample in samples])
    truncated = sum(len(ids) > facts.MAX_INPUT_TOKENS for ids in encoded)
    if truncated:
        tell(f"{truncated:,} prompts are truncated to {facts.MAX_INPUT_TOKENS:,} tokens, as in the reference")
    lengths = np.asarray([min(len(ids), facts.MAX_INPUT_TOKENS) for ids in encoded], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    tokens = np.fromiter((i for ids in encoded for i in ids[: facts.MAX_INPUT_TOKENS]), dtype=np.int32, count=int(offsets[-1]))
    tell(f"writing {len(tokens):,} tokens to {out}")
    with atomic_directory(out) as folder:
        files: dict[str, Any] = {}
        for name, array in zip(ARRAYS, (tokens, offsets, lengths), strict=True):
            path = folder / f"{name}.npy"
            np.save(path, array)
            files[path.name] = {"size": path.stat().st_size, "dtype": array.dtype.str, "shape": list(array.shape)}
        content = {
            "schema": SCHEMA,
            "inputs": {name: asdict(stamp) for name, stamp in inputs.items()},
            "settings": settings(),
            "count": len(samples),
            "end": opened.end,
            "vocabulary": opened.size,
            "truncated": truncated,
            "files": files,
            "seconds": round(time.monotonic() - start, 3),
        }
        write_json(folder / MANIFEST, content)
    return load(out)


def load(out: Path) -> PreprocessedPrompts:
    """Open a folder that `preprocess` wrote, checking type, shape and size of every array. MissingError names the defect."""

    content = _manifest(out)
    arrays: dict[str, Any] = {}
    for name in ARRAYS:
        path = out / f"{name}.npy"
        try:
            record = content["files"][path.name]
            if path.stat().st_size != record["size"]:
                raise ValueError(f"it has {path.stat().st_size:,} bytes, not {record['size']:,}")
            array = npyfile.read(path, mmap_mode="r")
            if array.dtype.str != record["dtype"] or list(array.shape) != record["shape"]:
                raise ValueError("it differs from the recorded array")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(path, error) from error
        arrays[name] = array
    return PreprocessedPrompts(
        out, **arrays, end=int(content["end"]), vocabulary=int(content["vocabulary"]), truncated=int(content["truncated"])
    )


def _manifest(out: Path) -> dict[str, Any]:
    path = out / MANIFEST
    try:
        content = jsonfile.read(path)
        if content["schema"] != SCHEMA:
            raise ValueError(f"it has schema {content['schema']}; this version reads {SCHEMA}")
        return dict(content)
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist", "the data set has not been preprocessed", f"run `{REPAIR}`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> MissingError:
    words = str(error).strip().splitlines()
    return MissingError(
        f"{path} is damaged", words[0] if words else type(error).__name__, f"run `{REPAIR}`; it replaces corrupt arrays"
    )
