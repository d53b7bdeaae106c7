"""What a folder of preprocessed cases holds: which files made each case, and what its own files must look like.

<case>.json is next to a case's arrays and is written after them, so that an interrupted preprocessing resumes where it stopped.
manifest.json gathers them and is written last, so that a folder without it is not whole. A warm check costs a few `stat` calls a case:
a file whose size and time of change are those of the record is taken to have the recorded digest; one that was copied or touched
is read again and compared.
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
REPAIR = "make preprocess_data BENCHMARKS=3d-unet"


@dataclass(frozen=True)
class Case:
    """A case's name and files."""

    name: str
    imaging: Path
    segmentation: Path

    @property
    def inputs(self) -> dict[str, Path]:
        """Role → file."""
        return {"imaging": self.imaging, "segmentation": self.segmentation}


@dataclass(frozen=True)
class CaseRecord:
    """One preprocessed case.

    Attributes:
        inputs: stamps of the scanner's files by their role, 'imaging' and 'segmentation'.
        files: stamps of <case>.npy and <case>_label.npy by name.
        settings: everything else that determines the arrays.
        geometry: of `code.benchmarks.unet3d.volume.Geometry`, and the affines of both spaces.
        windows: of the padded volume.
        voxels: of each class.
    """

    inputs: dict[str, Stamp]
    files: dict[str, Stamp]
    settings: dict[str, Any]
    geometry: dict[str, Any]
    windows: int
    voxels: list[int]

    def confirmed(self, inputs: Mapping[str, Path], folder: Path, settings: Mapping[str, Any]) -> CaseRecord | None:
        """The record with current stamps if everything is as recorded, else None."""
        if self.settings != dict(settings) or set(inputs) != set(self.inputs):
            return None
        of_inputs = _confirmed({path: self.inputs[role] for role, path in inputs.items()})
        of_files = _confirmed({folder / name: stamp for name, stamp in self.files.items()})
        if of_inputs is None or of_files is None:
            return None
        return dataclasses.replace(
            self,
            inputs=dict(zip(inputs, of_inputs, strict=True)),
            files=dict(zip(self.files, of_files, strict=True)),
        )


@dataclass(frozen=True)
class Manifest:
    """The folder: its cases in the order of LoadGen's sample indices, their records, and the time taken to make it."""

    settings: dict[str, Any]
    cases: dict[str, CaseRecord]
    seconds: float = 0.0
    schema: int = SCHEMA

    def write(self, folder: Path) -> None:
        """Write it into `folder` atomically."""
        content = asdict(self)
        content["cases"] = [{"case": name, **record} for name, record in content["cases"].items()]
        write_json(folder / FILE_NAME, content)


def read(folder: Path) -> Manifest:
    """Read a folder's manifest. Raises MissingError when it is absent, damaged or of another schema."""
    path = folder / FILE_NAME
    try:
        content = jsonfile.read(path)
        if content["schema"] != SCHEMA:
            raise missing(path, f"it has schema {content['schema']}; this version reads {SCHEMA}")
        cases = {str(entry["case"]): _record(entry) for entry in content["cases"]}
        return Manifest(dict(content["settings"]), cases, float(content["seconds"]))
    except FileNotFoundError as error:
        raise missing(path, "the data set has not been preprocessed, or not every case of it could be") from error
    except OSError as error:
        raise missing(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise missing(path, f"it is damaged ({type(error).__name__}: {error})") from error


def read_case(folder: Path, case: str) -> CaseRecord | None:
    """The record beside a case's arrays, None where there is no readable one."""
    try:
        return _record(jsonfile.read(folder / f"{case}.json"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_current(out: Path, inputs: Mapping[str, Mapping[str, Path]], settings: Mapping[str, Any]) -> bool:
    """Whether `out` holds the complete and unchanged output of these cases (name → role → file) and settings."""
    try:
        manifest = read(out)
    except HarnessError:
        return False
    if manifest.settings != dict(settings) or list(manifest.cases) != list(inputs):
        return False
    confirmed = {name: record.confirmed(inputs[name], out, settings) for name, record in manifest.cases.items()}
    whole = {name: record for name, record in confirmed.items() if record is not None}
    if len(whole) != len(confirmed):
        return False
    if whole != manifest.cases:
        dataclasses.replace(manifest, cases=whole).write(out)
    return True


def missing(path: Path, why: str) -> MissingError:
    """The error for unusable preprocessed data."""
    return MissingError(f"preprocessed data cannot be used: {path}", why, f"run `{REPAIR}`")


def _confirmed(stamps: Mapping[Path, Stamp]) -> list[Stamp] | None:
    """The current stamps if all files are as recorded, else None."""
    found = []
    for path, stamp in stamps.items():
        try:
            now = stamp.confirmed(path)
        except OSError:
            return None
        if now is None:
            return None
        found.append(now)
    return found


def _record(entry: Mapping[str, Any]) -> CaseRecord:
    return CaseRecord(
        inputs={name: Stamp(**stamp) for name, stamp in entry["inputs"].items()},
        files={name: Stamp(**stamp) for name, stamp in entry["files"].items()},
        settings=dict(entry["settings"]),
        geometry=dict(entry["geometry"]),
        windows=int(entry["windows"]),
        voxels=[int(n) for n in entry["voxels"]],
    )
