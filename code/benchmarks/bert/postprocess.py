"""From logits to answers: the best span among the 20 best starts and 20 best ends of every window of a question.

The rule is that of the MLPerf reference (language/bert/accuracy-squad.py): a span begins and ends in the window's part of the
paragraph, begins where the window shows the token with the most context, ends no earlier than it begins and holds at most 30
tokens; the highest sum of both logits wins. Ties go to the earlier window, then the better start, then the better end, and
among equal logits to the earlier position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from code.benchmarks.bert import answer_text, squad
from code.benchmarks.bert.evaluate import evaluate, question_f1
from code.benchmarks.bert.preprocess import PreprocessedSquad
from code.common.errors import RunError, UsageError

Logits = npt.NDArray[Any]

N_BEST = 20
MAX_ANSWER_LENGTH = 30
NO_ANSWER = "empty"  # the reference's answer when no span is allowed
_BLOCK = 1024


def score(
    logits: Logits | Callable[[int], Logits],
    preprocessed: PreprocessedSquad,
    squad_json: Path,
    *,
    present: npt.NDArray[np.bool_] | None = None,
    subset: bool = False,
) -> dict[str, float]:
    """F1 and exact match, in percent, of a model's logits.

    Args:
        logits: start and end logits of every feature: an array [N, S, 2], or a function from a feature's index to its
            [length, 2], positions beyond `length` count as -10000.
        present: bool [N]; features that are False are ignored, as if the model had never seen them.
        subset: score only the questions whose features are all present, instead of counting the others as wrong.

    Returns:
        {"F1": percent, "exact_match": percent}

    Raises:
        UsageError: `squad_json` is not the file that was preprocessed.
        RunError: a logit is not a number.
    """
    data = squad.read(squad_json)
    among = _complete_questions(preprocessed, data, present) if subset and present is not None else None
    return evaluate(data, answers(logits, preprocessed, data, present=present), among)


def question_scores(
    logits: Logits, preprocessed: PreprocessedSquad, squad_json: Path, present: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """F1 in percent of every question of which each feature is present, by its id; arguments and errors as for `score`."""
    of_feature = preprocessed.spans["question"].astype(np.int64)
    data = squad.read(squad_json)
    seen = np.bincount(of_feature[present], minlength=len(data.questions))
    whole = np.bincount(of_feature, minlength=len(data.questions))
    complete = {data.questions[i].identity for i in np.flatnonzero((seen > 0) & (seen == whole))}
    return question_f1(data, answers(logits, preprocessed, data, present=present), complete)


def _complete_questions(preprocessed: PreprocessedSquad, data: squad.Squad, present: npt.NDArray[np.bool_]) -> set[str]:
    """Ids of the questions of which every feature is present; where there is none, of those with any."""
    of_feature = preprocessed.spans["question"].astype(np.int64)
    seen = np.bincount(of_feature[present], minlength=len(data.questions))
    whole = np.bincount(of_feature, minlength=len(data.questions))
    chosen = (seen > 0) & (seen == whole)
    return {data.questions[i].identity for i in np.flatnonzero(chosen if chosen.any() else seen > 0)}


def answers(
    logits: Logits | Callable[[int], Logits],
    preprocessed: PreprocessedSquad,
    data: squad.Squad,
    *,
    present: npt.NDArray[np.bool_] | None = None,
) -> dict[str, str]:
    """The answer to every question, by its id; arguments and errors as for `score`."""
    identities = preprocessed.question_ids()
    if identities != [question.identity for question in data.questions]:
        raise UsageError(
            f"{preprocessed.folder} was made from another SQuAD file",
            "its questions differ from those of the file to score with",
            "run `make preprocess_data BENCHMARKS=bert`, or give the file that it was made from",
        )
    chosen = _best_per_question(logits, preprocessed, len(identities), present)
    pieces = preprocessed.pieces()
    split: dict[int, list[str]] = {}
    out = {}
    for identity, (feature, start, end) in zip(identities, chosen, strict=True):
        if feature < 0:
            out[identity] = NO_ANSWER
            continue
        span = preprocessed.spans[feature]
        paragraph = int(span["paragraph"])
        if paragraph not in split:
            split[paragraph] = squad.words(data.contexts[paragraph])
        token = int(preprocessed.document_offsets[paragraph]) + int(span["document_first"]) - int(span["sequence_first"])
        first, last = preprocessed.document_words[token + start], preprocessed.document_words[token + end]
        ids = preprocessed.input_ids[feature, start : end + 1]
        out[identity] = answer_text.original(
            answer_text.joined([pieces[piece] for piece in ids]), " ".join(split[paragraph][first : last + 1])
        )
    return out


def _best_per_question(
    logits: Logits | Callable[[int], Logits],
    preprocessed: PreprocessedSquad,
    questions: int,
    present: npt.NDArray[np.bool_] | None,
) -> list[tuple[int, int, int]]:
    """(feature, start place, end place) of every question's best span, or (-1, 0, 0)."""
    best = [(-1, 0, 0)] * questions
    sums = [-np.inf] * questions
    for block, values in _blocks(logits, preprocessed, present):
        allowed, total, start, end = _best_spans(values, preprocessed, block)
        for row, feature in enumerate(block):
            question = int(preprocessed.spans["question"][feature])
            if allowed[row] and (best[question][0] < 0 or total[row] > sums[question]):
                best[question] = (int(feature), int(start[row]), int(end[row]))
                sums[question] = total[row]
    return best


def _blocks(
    logits: Logits | Callable[[int], Logits], preprocessed: PreprocessedSquad, present: npt.NDArray[np.bool_] | None
) -> Iterator[tuple[npt.NDArray[np.int64], Logits]]:
    """The features in order, in blocks, each with its logits as float64 [n, S, 2]."""
    count, width = preprocessed.input_ids.shape
    if not callable(logits) and (logits.ndim != 3 or len(logits) != count or logits.shape[1] > width or logits.shape[2] != 2):
        raise UsageError(
            f"these logits do not fit the data set: their shape is {list(logits.shape)}",
            f"{count} features of {width} tokens need [{count}, {width}, 2]",
            "give one start and one end logit for every token of every feature",
        )
    wanted = np.arange(count) if present is None else np.flatnonzero(present)
    for first in range(0, len(wanted), _BLOCK):
        block = wanted[first : first + _BLOCK]
        values = np.full((len(block), width, 2), -10000.0)
        if callable(logits):
            for row, feature in enumerate(block):
                given = logits(int(feature))
                values[row, : len(given)] = given
        else:
            values[:, : logits.shape[1]] = logits[block]
        undefined = np.isnan(values).any(axis=(1, 2)) | np.isposinf(values).any(axis=(1, 2))
        if undefined.any():
            raise RunError(
                f"the model's output for sample {block[undefined.argmax()]} is not a number",
                f"{int(undefined.sum())} of the samples {block[0]} to {block[-1]} hold NaN or infinity",
                "run the engine with precision=fp32; if that works, this precision overflows in the model",
            )
        yield block, values


def _best_spans(values: Logits, preprocessed: PreprocessedSquad, block: npt.NDArray[np.int64]) -> tuple[Any, Any, Any, Any]:
    """Each feature's best span: whether there is one [n], its sum of logits [n], its start [n] and its end [n]."""
    spans = preprocessed.spans[block]
    first = spans["sequence_first"][:, None, None]
    beyond = first + spans["tokens"][:, None, None]
    with_context = np.unpackbits(preprocessed.max_context[block], axis=1, count=values.shape[1]).astype(bool)

    # A stable sort of the negated logits keeps equal ones in the order of their positions.
    ranked = np.argsort(-values, axis=1, kind="stable")[:, :N_BEST]
    starts, ends = ranked[:, :, 0], ranked[:, :, 1]
    start_logits = np.take_along_axis(values[:, :, 0], starts, axis=1)
    end_logits = np.take_along_axis(values[:, :, 1], ends, axis=1)

    start, end = starts[:, :, None], ends[:, None, :]
    inside = (start >= first) & (start < beyond) & (end >= first) & (end < beyond)
    allowed = inside & (end >= start) & (end - start < MAX_ANSWER_LENGTH)
    allowed &= np.take_along_axis(with_context, starts, axis=1)[:, :, None]
    total = np.where(allowed, start_logits[:, :, None] + end_logits[:, None, :], -np.inf)

    rows = np.arange(len(block))
    flat, flat_allowed = total.reshape(len(block), -1), allowed.reshape(len(block), -1)
    winner = flat.argmax(axis=1)
    # Where every allowed sum is -inf, the first maximum may be a span that is not allowed.
    winner = np.where(flat_allowed[rows, winner], winner, flat_allowed.argmax(axis=1))
    by_start, by_end = np.divmod(winner, ends.shape[1])
    return flat_allowed[rows, winner], flat[rows, winner], starts[rows, by_start], ends[rows, by_end]
