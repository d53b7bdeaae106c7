"""Scores LoadGen's accuracy log with DICE, identical to the reference's accuracy_kits.py to the last digit.

mlperf_log_accuracy.json is a JSON list with one response a line: {"seq_id", "qsl_idx", "data"}, where `data` is the response's bytes in
hex: uint8 [D, H, W], the class of each voxel of the preprocessed case.

DICE of a class in a case is (2 · |P ∩ T| + 1e-6) / (|P| + |T| + 1e-6), where P are its predicted and T its labelled voxels; the data
set's is the mean over its cases, and the score is the mean over kidney and tumour of each case, averaged over cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.unet3d import facts, manifest, processes
from code.common import jsonfile, npyfile
from code.common.errors import RunError
from code.results.accuracy import AccuracyResult
from code.results.accuracy_bound import best_mean, mean
from code.results.accuracy_log import AGAIN, LOG_NAME, bad_line, index_of, opened, require_closed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTH = 1e-6
_NAMED = 5


@dataclass(frozen=True)
class Scores:
    """DICE from 0 to 1.

    Attributes:
        mean: the composite, MLPerf's score.
        kidney, tumor: over the cases.
        cases: case → (kidney, tumor).
    """

    mean: float
    kidney: float
    tumor: float
    cases: dict[str, tuple[float, float]]

    def text(self) -> str:
        """The official script's line."""
        return f"Accuracy: mean = {self.mean:.5f}, kidney = {self.kidney:.4f}, tumor = {self.tumor:.4f}\n"


def dice(predicted: NDArray[np.uint8], labelled: NDArray[np.uint8]) -> tuple[float, float]:
    """DICE of kidney and tumour in one case; both arrays uint8 [D, H, W]."""
    values = []
    for kind in range(1, len(facts.CLASSES)):
        of_prediction, of_label = predicted == kind, labelled == kind
        both = float(np.count_nonzero(of_prediction & of_label))
        total = float(np.count_nonzero(of_label)) + float(np.count_nonzero(of_prediction))
        values.append((2.0 * both + SMOOTH) / (total + SMOOTH))
    return values[0], values[1]


def mean_of(cases: dict[str, tuple[float, float]]) -> Scores:
    """The data set's scores from its cases', summed as pandas sums them (pairwise, by NumPy)."""
    pairs = np.array(list(cases.values()), dtype=np.float64)
    composite = np.array([np.mean(pair) for pair in pairs])
    return Scores(_mean(composite), _mean(pairs[:, 0]), _mean(pairs[:, 1]), cases)


def check(log_dir: Path, preprocessed: Path, *, complete: bool = True, workers: int | None = None) -> Scores:
    """The scores of the accuracy log in `log_dir`.

    Args:
        preprocessed: the arrays that the run read.
        complete: whether every case must be present; a compliance run logs only some of them, and only those count.
        workers: processes; None for every core.

    Raises:
        MissingError: the log or the arrays are missing.
        RunError: the log is cut off, or a case is missing, unknown or of another size.
    """
    data = manifest.read(preprocessed)
    names = list(data.cases)
    path = log_dir / LOG_NAME
    last = dict(_places(path, len(names)))
    absent = [name for index, name in enumerate(names) if index not in last]
    if complete and absent:
        listed = ", ".join(absent[:_NAMED]) + (", …" if len(absent) > _NAMED else "")
        raise RunError(
            f"{path} lacks {len(absent)} of {len(names)} cases: {listed}",
            "the run ended early, or it was not an accuracy run over the whole data set",
            AGAIN,
        )
    if not last:
        raise RunError(f"{path} contains no responses", "the run logged nothing", AGAIN)
    jobs = [(path, last[i], str(preprocessed / f"{name}_label.npy")) for i, name in enumerate(names) if i in last]
    scored = [name for i, name in enumerate(names) if i in last]
    count = max(1, min(workers or processes.cores(), len(jobs)))
    if count == 1:
        found = [_score(job) for job in jobs]
    else:
        with processes.pool(count) as pool:
            found = list(pool.map(_score, jobs))
    return mean_of(dict(zip(scored, found, strict=True)))


class DiceBound:
    """The highest mean DICE that a run can still reach: each case without a response counts as 1.

    Args:
        preprocessed: the arrays that the run reads.
        count: cases of the data set.
        threshold: the least mean that passes.
    """

    def __init__(self, preprocessed: Path, count: int, threshold: float) -> None:
        self._preprocessed, self._count, self._threshold = preprocessed, count, threshold
        self._scores: dict[str, float] = {}

    def add(self, log_dir: Path) -> None:
        """Score the cases of more of the log in one process, beside the run; the last response to a case counts."""
        found = check(log_dir, self._preprocessed, complete=False, workers=1).cases
        self._scores.update({name: (kidney + tumor) / 2 for name, (kidney, tumor) in found.items()})

    def best(self, repeated: int) -> tuple[list[AccuracyResult], str]:
        """The mean DICE of all cases."""
        scores = self._scores.values()
        words = f"{len(scores)} of {self._count} cases are answered, with a mean DICE of {mean(scores):.5f}"
        return [AccuracyResult(facts.METRIC, best_mean(scores, self._count, 1.0, repeated), self._threshold)], words


@dataclass(frozen=True)
class _Place:
    """Position of a response in the log: byte range and line number."""

    line: int
    begin: int
    length: int


def _places(path: Path, count: int) -> Iterator[tuple[int, _Place]]:
    """(sample index, position of its response) of every entry, with one line of the log in memory at a time."""
    begin, closed = 0, False
    with opened(path) as source:
        for number, raw in enumerate(source, 1):
            line = raw.strip()
            if number == 1 and not line.startswith(b"["):
                raise bad_line(path, number, "this is not an accuracy log", "it does not begin with '['")
            closed = line.endswith(b"]")
            place = raw.find(b"{")
            while place >= 0:
                end = raw.find(b"}", place)
                if end < 0:
                    raise bad_line(path, number, "the line is not a response", "its '{' is not closed")
                yield _index(path, number, raw[place : end + 1], count), _Place(number, begin + place, end + 1 - place)
                place = raw.find(b"{", end)
            begin += len(raw)
    require_closed(path, closed)


def _index(path: Path, line: int, entry: bytes, count: int) -> int:
    index = index_of(_entry(path, line, entry))
    if not 0 <= index < count:
        raise bad_line(path, line, f"sample {index} is unknown", f"the data set has the samples 0 to {count - 1}")
    return index


def _entry(path: Path, line: int, entry: bytes) -> dict[str, Any]:
    try:
        content = jsonfile.parse(entry)
        if not {"qsl_idx", "data"} <= set(content):
            raise KeyError("qsl_idx or data")
        index_of(content)
        return dict(content)
    except (ValueError, KeyError, TypeError) as error:
        raise bad_line(path, line, "the line is not a response", f"{type(error).__name__}: {error}") from error


def _score(job: tuple[Path, _Place, str]) -> tuple[float, float]:
    path, place, label_path = job
    try:
        labelled = npyfile.read(Path(label_path), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise manifest.missing(Path(label_path), str(error)) from error
    with path.open("rb") as source:
        source.seek(place.begin)
        entry = _entry(path, place.line, source.read(place.length))
    try:
        answer = np.frombuffer(bytes.fromhex(entry["data"]), dtype=np.uint8)
    except (ValueError, TypeError) as error:
        raise bad_line(path, place.line, "the line is not a response", str(error)) from error
    if answer.size != labelled.size:
        raise bad_line(
            path,
            place.line,
            f"the response for sample {entry['qsl_idx']} has {answer.size:,} bytes",
            f"the case has {list(labelled.shape)} voxels, one byte each",
        )
    return dice(answer.reshape(labelled.shape), np.asarray(labelled))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.sum() / len(values))
