"""Selects the samples for calibration and for scoring a graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.benchmark import BenchmarkDefinition
from code.common import paths
from code.common.errors import MissingError, UsageError
from code.common.files import require_regular
from code.common.typed import natural
from code.fields.consumer import Consumer
from code.harness.python.datasets import Dataset, open_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 20250

CALIBRATION = Consumer(
    "calibration",
    ("calib_batch_size", "calib_max_batches", "calib_data_map", "calib_score_samples"),
    precisions=("int8", "fp8"),
    graphs=True,
)
SOURCE = Consumer(
    "calibration", ("model_path", "data_path", "model_variant", "data_dir"), precisions=("int8", "fp8"), graphs=True
)


@dataclass(frozen=True)
class Samples:
    """A data set, the samples to calibrate with and the samples to score on.

    Args:
        calibration: batches of sample indices, each int64 [n]; samples of a batch are of nearly one length.
        scoring: sample indices, int64 [m], none of which calibrates where the data set is large enough.
        origin: source of the calibration samples, for the report.
        digest: of the inputs of all of them.
        apart: the data set that `calibration` counts in where that is another one than is scored on.
    """

    dataset: Dataset
    calibration: list[NDArray[np.int64]]
    scoring: NDArray[np.int64]
    origin: str
    digest: str
    apart: Dataset | None = None

    @property
    def source(self) -> Dataset:
        """The calibration data set."""
        return self.apart or self.dataset

    @property
    def count(self) -> int:
        """Number of calibration samples."""
        return sum(len(batch) for batch in self.calibration)


def open_samples(definition: BenchmarkDefinition, values: Mapping[str, Any]) -> Samples:
    """The samples of a workload.

    Raises MissingError if the data set or the list is missing, UsageError for a list that does not match it.
    """
    read = CALIBRATION.of(values)
    dataset = open_dataset(definition.dataset(values))
    size = max(1, int(read["calib_batch_size"] or 1))
    own = definition.calibration_dataset(values)
    apart = None if own is None or read["calib_data_map"] else open_dataset(own)
    source = apart or dataset
    wanted = min(size * max(1, int(read["calib_max_batches"] or 1)), source.count)
    listed, origin = _listed(definition, values, source.count)
    if apart is not None:
        listed, origin = np.arange(wanted), f"{wanted} of the benchmark's {source.count} calibration samples"
    elif listed is None:
        rest = max(1, min(wanted, dataset.count // 2 or 1))
        listed = np.sort(np.random.default_rng(SEED).choice(dataset.count, rest, replace=False))
        origin = f"{rest} of the data set's {dataset.count} samples, drawn with seed {SEED}"
    chosen = np.asarray(listed[:wanted], dtype=np.int64)
    by_length = chosen[np.argsort(source.lengths[chosen], kind="stable")]
    batches = [by_length[i : i + size] for i in range(0, len(by_length), size)]
    free = np.arange(dataset.count) if apart is not None else np.setdiff1d(np.arange(dataset.count), chosen)
    scoring = _spread(free, int(read["calib_score_samples"] or 0), dataset.count)
    return Samples(dataset, batches, scoring, origin, _digest([(source, batches), (dataset, [scoring])]), apart)


def _spread(free: NDArray[np.int64], wanted: int, count: int) -> NDArray[np.int64]:
    pool = free if len(free) else np.arange(count)
    if wanted >= len(pool):
        return pool
    return pool[np.linspace(0, len(pool) - 1, wanted).astype(np.int64)] if wanted else pool[:0]


def _listed(definition: BenchmarkDefinition, values: Mapping[str, Any], count: int) -> tuple[NDArray[np.int64] | None, str]:
    read = CALIBRATION.of(values)
    given = read["calib_data_map"]
    source = SOURCE.of(values)
    own = source["model_path"] or source["data_path"] or source["model_variant"] != "reference"
    name = definition.facts.calibration_list
    usual = None if own or not name else Path(source["data_dir"] or paths.data_dir()) / name
    if not given and (usual is None or not usual.is_file()):
        return None, ""
    file = Path(given) if given else Path(str(usual))
    try:
        lines = require_regular(file).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise MissingError(
            f"the list of calibration samples {file} does not exist",
            error.strerror or "",
            "pass another with --calib_data_map, or leave it out",
        ) from error
    return np.unique(np.asarray(_indices(lines, count, file), dtype=np.int64)), f"the list {file.name}"


def _indices(lines: Sequence[str], count: int, file: Path) -> list[int]:
    """The sample indices in the lines of a list."""
    found = []
    for number, line in enumerate(lines, 1):
        word = line.split("#")[0].strip()
        if not word:
            continue
        index = natural(word, count - 1)
        if index is None:
            raise UsageError(
                f"{word[:60]!r} is not a sample of the data set",
                f"a list of calibration samples holds sample indices from 0 to {count - 1}, one a line",
                "correct it, or leave --calib_data_map out",
                f"{file}:{number}",
            )
        found.append(index)
    if not found:
        raise UsageError(f"{file} does not name a sample", "it is empty", "fill it, or leave --calib_data_map out")
    return found


def _digest(parts: Sequence[tuple[Dataset, Sequence[NDArray[np.int64]]]]) -> str:
    digest = hashlib.sha256()
    for dataset, group in ((dataset, group) for dataset, groups in parts for group in groups):
        digest.update(group.tobytes())
        for start in range(0, len(group), 256):
            for name, array in sorted(dataset.inputs(group[start : start + 256]).items()):
                digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()
