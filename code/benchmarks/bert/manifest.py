"""The manifest of a preprocessed data set: its inputs, and the expected state of its files.

A warm check costs a few `stat` calls: a file with the recorded size and modification time is assumed to have the
recorded digest; a file that was copied or touched is read and compared. Nothing heavy is imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import HarnessError, MissingError
from code.common.files import write_json
from code.common.stamp import Stamp

SCHEMA = 1
FILE_NAME = "manifest.json"
REPAIR = "make preprocess_data BENCHMARKS=bert"


@dataclass(frozen=True)
class ArrayRecord:
    """One file of the folder; `dtype` and `shape` are numpy's, and empty for a file that is not an array."""

    stamp: Stamp
    dtype: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """The content of a folder of preprocessed data.

    Attributes:
        inputs: stamps of "squad" and "vocabulary".
        settings: the feature settings by name.
        count: features, i.e. LoadGen's samples.
        questions: questions in the data set.
        files: every file of the folder but the manifest, by name.
        seconds: time taken to make it.
    """

    inputs: dict[str, Stamp]
    settings: dict[str, Any]
    count: int
    questions: int
    files: dict[str, ArrayRecord]
    seconds: float = 0.0
    schema: int = SCHEMA

    def write(self, folder: Path) -> None:
        """Write it into `folder` atomically."""
        write_json(folder / FILE_NAME, asdict(self))


def read(folder: Path) -> Manifest:
    """Read a folder's manifest. Raises MissingError when it is absent, damaged or of another schema."""
    path = folder / FILE_NAME
    try:
        content = jsonfile.read(path)
        if content["schema"] != SCHEMA:
            raise missing(path, f"it has schema {content['schema']}; this version reads {SCHEMA}")
        return Manifest(
            inputs={name: Stamp(**stamp) for name, stamp in content["inputs"].items()},
            settings=dict(content["settings"]),
            count=int(content["count"]),
            questions=int(content["questions"]),
            files={name: _record(entry) for name, entry in content["files"].items()},
            seconds=float(content["seconds"]),
        )
    except FileNotFoundError as error:
        raise missing(path, "the data set has not been preprocessed") from error
    except OSError as error:
        raise missing(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise missing(path, f"it is damaged ({type(error).__name__}: {error})") from error


def is_current(out: Path, squad_json: Path, vocab: Path, settings: Mapping[str, Any]) -> bool:
    """Whether `out` holds the complete and unchanged output of these inputs and settings.

    Takes milliseconds as long as nothing was touched; a touched file with the recorded content is noted in the manifest, so
    that the next check is cheap again. Raises MissingError if an input is missing.
    """
    try:
        manifest = read(out)
    except HarnessError:
        return False
    if manifest.settings != dict(settings):
        return False
    inputs = {}
    for name, path in (("squad", squad_json), ("vocabulary", vocab)):
        try:
            stamp = _confirmed(manifest.inputs.get(name), path)
        except OSError as error:
            raise _unreadable(path, error) from error
        if stamp is None:
            return False
        inputs[name] = stamp
    files = {}
    for name, record in manifest.files.items():
        try:
            stamp = _confirmed(record.stamp, out / name)
        except OSError:
            return False
        if stamp is None:
            return False
        files[name] = dataclasses.replace(record, stamp=stamp)
    confirmed = dataclasses.replace(manifest, inputs=inputs, files=files)
    if confirmed != manifest:
        confirmed.write(out)
    return True


def stamp_input(path: Path) -> Stamp:
    """The stamp of an input file. Raises MissingError when it cannot be read."""
    try:
        return Stamp.of(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def missing(path: Path, why: str) -> MissingError:
    """The error for unusable preprocessed data."""
    return MissingError(f"preprocessed data cannot be used: {path}", why, f"run `{REPAIR}`")


def _unreadable(path: Path, error: OSError) -> MissingError:
    return MissingError(
        f"cannot read {path}",
        error.strerror or str(error),
        "run `make download_data download_model BENCHMARKS=bert`, or pass the path of an existing file",
    )


def _confirmed(stamp: Stamp | None, path: Path) -> Stamp | None:
    """`Stamp.confirmed` for an optional stamp."""
    return None if stamp is None else stamp.confirmed(path)


def _record(entry: Any) -> ArrayRecord:
    return ArrayRecord(Stamp(**entry["stamp"]), str(entry["dtype"]), tuple(int(n) for n in entry["shape"]))
