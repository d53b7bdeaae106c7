"""Writes and opens folders with the token ids of a data set's prompts.

    tokens.npy     int32 [T], the prompts' token ids one after the other
    offsets.npy    int64 [N + 1]; prompt i is tokens[offsets[i]:offsets[i + 1]]
    lengths.npy    int32 [N]
    manifest.json  what made it and what must be there, written last

The folder is created atomically. A prompt longer than the limit loses its end, as in the references (their tokenisers truncate
at the right, the response mark included).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True)
class Encoded:
    """The prompts of a data set in token ids, in its order.

    Args:
        end: the token that ends a generation.
        vocabulary: entries of the vocabulary.
        inputs: what they were made from: the data set's file under the name "data", and the vocabulary's files under their own.
            A stamp is taken right after reading, so that a file that changes later counts as changed in the next check.
    """

    ids: Sequence[Sequence[int]]
    end: int
    vocabulary: int
    inputs: Mapping[str, Stamp]


@dataclass(frozen=True)
class Prompts:
    """How a benchmark's prompts are stored.

    Args:
        benchmark: its short name, for error messages.
        longest: most tokens of a prompt.
        settings: what determines the arrays beside the inputs and `longest`.
    """

    benchmark: str
    longest: int
    settings: Mapping[str, Any]

    @property
    def repair(self) -> str:
        """The command that makes a folder again."""
        return f"make preprocess_data BENCHMARKS={self.benchmark}"

    def _settings(self) -> dict[str, Any]:
        return {"max_input_tokens": self.longest, **self.settings}

    def is_current(self, out: Path, inputs: Mapping[str, Path]) -> bool:
        """Whether `out` is up to date. An input with the recorded size and modification time counts as unchanged."""
        try:
            content = self._manifest(out)
        except MissingError:
            return False
        if content["settings"] != self._settings() or set(content["inputs"]) != set(inputs):
            return False
        try:
            for name, path in inputs.items():
                if Stamp(**content["inputs"][name]).confirmed(path) is None:
                    return False
            return all((out / name).stat().st_size == entry["size"] for name, entry in content["files"].items())
        except OSError:
            return False

    def write(self, encoded: Encoded, out: Path, progress: Callable[[str], None] | None = None) -> PreprocessedPrompts:
        """Write prompts to the folder `out`, replacing what is there. RunError when the disk is full or not writable."""
        import numpy as np

        tell = progress or (lambda step: None)
        start = time.monotonic()
        truncated = sum(len(ids) > self.longest for ids in encoded.ids)
        if truncated:
            tell(f"{truncated:,} prompts are truncated to {self.longest:,} tokens, as in the reference")
        lengths = np.asarray([min(len(ids), self.longest) for ids in encoded.ids], dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        tokens = np.fromiter((i for ids in encoded.ids for i in ids[: self.longest]), dtype=np.int32, count=int(offsets[-1]))
        tell(f"writing {len(tokens):,} tokens to {out}")
        with atomic_directory(out) as folder:
            files: dict[str, Any] = {}
            for name, array in zip(ARRAYS, (tokens, offsets, lengths), strict=True):
                path = folder / f"{name}.npy"
                np.save(path, array)
                files[path.name] = {"size": path.stat().st_size, "dtype": array.dtype.str, "shape": list(array.shape)}
            content = {
                "schema": SCHEMA,
                "inputs": {name: asdict(stamp) for name, stamp in encoded.inputs.items()},
                "settings": self._settings(),
                "count": len(encoded.ids),
                "end": encoded.end,
                "vocabulary": encoded.vocabulary,
                "truncated": truncated,
                "files": files,
                "seconds": round(time.monotonic() - start, 3),
            }
            write_json(folder / MANIFEST, content)
        return self.load(out)

    def load(self, out: Path) -> PreprocessedPrompts:
        """Open a folder that `write` wrote, checking type, shape and size of every array. MissingError names the defect."""
        content = self._manifest(out)
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
                raise self._damaged(path, error) from error
            arrays[name] = array
        return PreprocessedPrompts(
            out, **arrays, end=int(content["end"]), vocabulary=int(content["vocabulary"]), truncated=int(content["truncated"])
        )

    def _manifest(self, out: Path) -> dict[str, Any]:
        path = out / MANIFEST
        try:
            content = jsonfile.read(path)
            if content["schema"] != SCHEMA:
                raise ValueError(f"it has schema {content['schema']}; this version reads {SCHEMA}")
            return dict(content)
        except FileNotFoundError as error:
            why = "the data set has not been preprocessed"
            raise MissingError(f"{path} does not exist", why, f"run `{self.repair}`") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, error: Exception) -> MissingError:
        words = str(error).strip().splitlines()
        step = f"run `{self.repair}`; it replaces corrupt arrays"
        return MissingError(f"{path} is damaged", words[0] if words else type(error).__name__, step)
