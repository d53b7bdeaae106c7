"""Scores LoadGen's accuracy log of BERT.

mlperf_log_accuracy.json is a JSON list with one response a line: {"seq_id", "qsl_idx", "data"}, where `data` is the response's
bytes in hex. BERT's response is [length, 2], start and end logits token by token, at most 384 tokens; missing positions count
as -10000. The log of a whole run is more than 100 MB, so it is read line by line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from code.benchmarks.bert import manifest, postprocess
from code.benchmarks.bert.preprocess import MLPERF_SETTINGS, PreprocessedSquad, load
from code.common.errors import RunError, UsageError
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


class Bound(NamedTuple):
    """What a run that is under way can reach.

    Args:
        questions, answered: how many there are, and of how many every sample is in the log.
        score: F1 of those in percent; 0 for none.
        best: F1 of all in percent if the others were right.
    """

    questions: int
    answered: int
    score: float
    best: float


def best_possible(log_dir: Path, preprocessed_dir: Path, squad_json: Path, repeated: int = 0) -> Bound:
    """The highest F1 that a run can reach whose accuracy log so far is in `log_dir`.

    Args:
        repeated: samples whose answer may still be replaced by another one.

    Raises as `check`.
    """
    data = load(Path(preprocessed_dir))
    logits, present = read_log(Path(log_dir) / LOG_NAME, data, complete=False)
    of_feature = data.spans["question"].astype(np.int64)
    questions = len(data.question_ids())
    whole = np.bincount(of_feature, minlength=questions)
    answered = int(np.sum(np.bincount(of_feature[present], minlength=questions) == whole))
    score = postprocess.score(logits, data, Path(squad_json), present=present, subset=True)["F1"] if answered else 0.0
    best = (score * answered + 100.0 * (questions - answered + min(repeated, answered))) / questions
    return Bound(questions, answered, score, min(best, 100.0))


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
