"""BERT's scores of a part of the data set: what counts as wrong, what does not count, and each question's own score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks.bert import accuracy, postprocess
from code.common.errors import UsageError
from tests.unit.accuracy_data import PIECES, bert_set
from tests.unit.test_bert_accuracy import write_log

QUESTIONS = 30


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Any]:
    """A data set, and logits that find the answer of every question in its first feature."""
    arrays, dev, _ = bert_set(tmp_path_factory.mktemp("bert"))  # its vocabulary lies beside
    logits = np.full((*arrays.input_ids.shape, 2), -5.0, dtype=np.float32)
    answer = PIECES.index("steve")
    for feature, ids in enumerate(arrays.input_ids):
        places = np.flatnonzero(np.asarray(ids) == answer)
        if len(places):
            logits[feature, places[0]] = 9.0
    return arrays, dev, logits


def features(arrays: Any, question: int) -> Any:
    return np.flatnonzero(arrays.spans["question"].astype(int) == question)


def test_a_question_without_features_is_wrong_unless_a_subset_is_scored(whole: tuple[Any, Path, Any]) -> None:
    arrays, dev, logits = whole
    assert postprocess.score(logits, arrays, dev) == {"F1": 100.0, "exact_match": 100.0}
    present = np.ones(len(arrays), dtype=bool)
    present[features(arrays, 4)] = False
    missed = postprocess.score(logits, arrays, dev, present=present)
    assert missed["F1"] == pytest.approx(100 * (QUESTIONS - 1) / QUESTIONS) == missed["exact_match"]
    assert postprocess.score(logits, arrays, dev, present=present, subset=True)["F1"] == 100.0


def test_a_subset_is_of_questions_whose_features_are_all_there(whole: tuple[Any, Path, Any]) -> None:
    arrays, dev, logits = whole
    several = features(arrays, 0)
    assert len(several) > 1 and len(features(arrays, 4)) == 1
    present = np.zeros(len(arrays), dtype=bool)
    present[[several[1], *features(arrays, 4)]] = True  # the answer is in the first feature of question 0
    assert postprocess.score(logits, arrays, dev, present=present, subset=True)["F1"] == 100.0
    assert postprocess.score(logits, arrays, dev, present=present)["F1"] == pytest.approx(100 / QUESTIONS)
    present[features(arrays, 4)] = False
    assert postprocess.score(logits, arrays, dev, present=present, subset=True)["F1"] == 0.0, "no question is whole: any counts"


def test_each_whole_question_has_its_own_score(whole: tuple[Any, Path, Any]) -> None:
    arrays, dev, logits = whole
    present = np.ones(len(arrays), dtype=bool)
    found = postprocess.question_scores(logits, arrays, dev, present)
    assert len(found) == QUESTIONS and set(found.values()) == {100.0}
    present[features(arrays, 0)[1]] = False
    present[features(arrays, 4)] = False
    wrong = logits.copy()
    other = features(arrays, 5)[0]
    wrong[other] = -5.0
    wrong[other, np.flatnonzero(np.asarray(arrays.input_ids[other]) == PIECES.index("the"))[0]] = 9.0
    found = postprocess.question_scores(wrong, arrays, dev, present)
    assert len(found) == QUESTIONS - 2 and sorted(set(found.values())) == [0.0, 100.0]
    assert list(found.values()).count(0.0) == 1


def logged(folder: Path, arrays: Any, logits: Any, without: int) -> Path:
    """The log of a run without the features of one question."""
    kept = [n for n in range(len(arrays)) if n not in features(arrays, without)]
    return write_log(folder, {n: logits[n, : int(arrays.lengths[n])].astype("<f4") for n in kept})


def test_samples_that_a_log_lacks_are_wrong_unless_a_subset_is_asked_for(whole: tuple[Any, Path, Any], tmp_path: Path) -> None:
    arrays, dev, logits = whole
    log = logged(tmp_path / "log", arrays, logits, 4)
    given = (log, arrays.folder, dev, dev.with_name("vocab.txt"))
    missed = pytest.approx(100 * (QUESTIONS - 1) / QUESTIONS)
    assert accuracy.check(*given, complete=False) == [("F1", missed), ("exact_match", missed)]
    assert accuracy.check(*given, complete=False, subset=True) == [("F1", 100.0), ("exact_match", 100.0)]
    with pytest.raises(UsageError, match="accuracy logs of type int8 are not supported") as caught:
        accuracy.check(*given, dtype="int8")
    assert "float16" in caught.value.next_step


def test_the_best_that_a_run_can_still_reach(whole: tuple[Any, Path, Any], tmp_path: Path) -> None:
    arrays, dev, logits = whole
    wrong = logits.copy()
    for feature in features(arrays, 5):
        wrong[feature] = -5.0
        wrong[feature, np.flatnonzero(np.asarray(arrays.input_ids[feature]) == PIECES.index("the"))[0]] = 9.0
    bound = accuracy.F1Bound(arrays.folder, dev, 97.5)
    bound.add(logged(tmp_path / "log", arrays, wrong, 4))
    [one], words = bound.best(0)
    assert (one.name, one.threshold, one.value) == ("F1", 97.5, pytest.approx(100 * (QUESTIONS - 1) / QUESTIONS))
    assert words == f"29 of 30 questions are answered, with F1 {100 * 28 / 29:.3f}"
    [again], _ = bound.best(1)
    assert again.value == 100.0, "the wrong one may be asked again"
    assert accuracy.F1Bound(arrays.folder, dev, 97.5).best(0)[1] == "0 of 30 questions are answered, with F1 0.000"
