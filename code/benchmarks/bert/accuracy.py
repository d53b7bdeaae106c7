"""Scores LoadGen's accuracy log of BERT.

mlperf_log_accuracy.json is a JSON list with one response a line: {"seq_id", "qsl_idx", "data"}, where `data` is the response's
bytes in hex. BERT's response is [length, 2], start and end logits token by token, at most 384 tokens; missing positions count
as -10000. The log of a whole run is more than 100 MB, so it is read line by line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from code.benchmarks.bert import manifest, postprocess
from code.benchmarks.bert.preprocess import MLPERF_SETTINGS, PreprocessedSquad, load
from code.common.errors import RunError, UsageError
from code.results.accuracy import AccuracyResult
from code.results.accuracy_bound import best_mean, mean
from code.results.accuracy_log import AGAIN, LOG_NAME, bad_line, entries, incomplete

NOT_GIVEN = -10000.0
DTYPES = ("float32", "float16")


def check(
    log_dir: Path,
    preprocessed_dir: Path,
    squad_json: Path,
    vocab: Path,
    *,
    dtype: str = "float32",
    complete: bool = True,
    subset: bool = False,
) -> list[tuple[str, float]]:
    """F1 and exact match, in percent, of the accuracy log in `log_dir`.

    Args:
        preprocessed_dir: the arrays that the run read (code/benchmarks/bert/preprocess.py).
        squad_json, vocab: the files they were made from.
        dtype: of the logits in the log, one of `DTYPES`.
        complete: whether every sample must be present; a compliance run logs only some of them.
        subset: whether questions without a sample are left out instead of counted as wrong.

    Returns:
        [("F1", percent), ("exact_match", percent)]

    Raises:
        MissingError: the log, the arrays or an input is missing.
        UsageError: the arrays were made from other inputs.
        RunError: the log is cut off, or a sample is missing, unknown or of the wrong size.
    """
    if not manifest.is_current(Path(preprocessed_dir), Path(squad_json), Path(vocab), MLPERF_SETTINGS):
        # Absent or broken arrays get the clearer error of opening them.
        load(Path(preprocessed_dir), thorough=True)
        raise UsageError(
            f"{preprocessed_dir} was not made from {squad_json} and {vocab}",
            "the digests of the inputs differ from those in its manifest, so sample indices do not correspond",
            f"run `{manifest.REPAIR}`, then the accuracy run again",
        )
    data = load(Path(preprocessed_dir))
    logits, present = read_log(Path(log_dir) / LOG_NAME, data, dtype=dtype, complete=complete)
    scores = postprocess.score(logits, data, Path(squad_json), present=present, subset=subset)
    return [("F1", scores["F1"]), ("exact_match", scores["exact_match"])]


class F1Bound:
    """The highest F1 that a run can still reach: questions that are not answered completely count as right.

    Args:
        preprocessed_dir, squad_json: as for `check`.
        threshold: the least F1 that passes, in percent.
    """

    def __init__(self, preprocessed_dir: Path, squad_json: Path, threshold: float) -> None:
        self._squad_json, self._threshold = squad_json, threshold
        self._data = load(Path(preprocessed_dir))
        self._logits: npt.NDArray[Any] | None = None
        self._present = np.zeros(len(self._data), np.bool_)
        self._scores: dict[str, float] = {}

    def add(self, log_dir: Path) -> None:
        """Score the questions that more of the log completes."""
        logits, present = read_log(Path(log_dir) / LOG_NAME, self._data, complete=False)
        if self._logits is None:
            self._logits = logits
        self._logits[present] = logits[present]
        self._present |= present
        of_feature = self._data.spans["question"].astype(np.int64)
        touched = np.isin(of_feature, of_feature[present])
        found = postprocess.question_scores(self._logits, self._data, self._squad_json, self._present & touched)
        self._scores.update(found)

    def best(self, repeated: int) -> tuple[list[AccuracyResult], str]:
        """F1 of all questions."""
        scores, count = self._scores.values(), len(self._data.question_ids())
        words = f"{len(scores):,} of {count:,} questions are answered, with F1 {mean(scores):.3f}"
        return [AccuracyResult("F1", best_mean(scores, count, 100.0, repeated), self._threshold)], words


def read_log(
    path: Path, data: PreprocessedSquad, *, dtype: str = "float32", complete: bool = True
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The logits of an accuracy log. The last response to a sample counts: LoadGen repeats samples to fill MultiStream's last
    query, and a compliance run draws them repeatedly.

    Returns:
        Logits `dtype` [N, 384, 2], filled with -10000 (float16: its nearest, -1e4 as well), and which samples are present,
        bool [N].

    Raises:
        MissingError, UsageError, RunError: as for `check`.
    """
    if dtype not in DTYPES:
        raise UsageError(f"accuracy logs of type {dtype} are not supported", "", f"choose one of {', '.join(DTYPES)}")
    count, width = data.input_ids.shape
    kind = np.dtype(dtype).newbyteorder("<")
    logits = np.full((count, width, 2), NOT_GIVEN, dtype=kind)
    line_of = np.zeros(count, dtype=np.int64)
    repeated: tuple[int, int] | None = None
    for line, index, raw in entries(path):
        if not 0 <= index < count:
            raise bad_line(path, line, f"sample {index} is unknown", f"the data set has the samples 0 to {count - 1}")
        if line_of[index] and repeated is None:
            repeated = line, index
        pairs, rest = divmod(len(raw), 2 * kind.itemsize)
        if rest or not 0 < pairs <= width:
            why = f"{dtype} start and end logits of 1 to {width} tokens take {2 * kind.itemsize} bytes per token"
            raise bad_line(path, line, f"the response for sample {index} has {len(raw):,} bytes", why)
        logits[index, :pairs] = np.frombuffer(raw, dtype=kind).reshape(pairs, 2)
        logits[index, pairs:] = NOT_GIVEN
        line_of[index] = line
    present = line_of > 0
    absent = np.flatnonzero(~present)
    if complete and len(absent):
        if repeated is None:
            raise incomplete(path, absent.tolist(), count)
        line, index = repeated
        raise bad_line(path, line, f"sample {index} occurs twice", f"{len(absent):,} other samples are missing")
    if not present.any():
        raise RunError(f"{path} contains no responses", "the run logged nothing", AGAIN)
    return logits, present
