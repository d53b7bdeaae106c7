"""Scores by hand: SQuAD's over a few questions, and what a run of summaries can still reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.benchmarks.bert import evaluate
from code.benchmarks.bert.squad import Question, Squad
from code.benchmarks.text import sentences
from code.benchmarks.text.bound import RougeBound, Texts
from code.benchmarks.text.printed import as_printed
from code.results.accuracy_bound import SLACK, best_mean, mean

SQUAD = Squad(
    ("x",),
    (
        Question("a", "?", ("Paris", "the city of Paris"), 0),
        Question("b", "?", ("two old ships",), 0),
        Question("c", "?", ("no", "never"), 0),
        Question("d", "?", ("in 1998", "1998"), 0),
    ),
)


def test_the_best_reference_counts_and_a_question_without_an_answer_is_wrong() -> None:
    """Two of three words are found and all that is given is right: precision 1, recall 2/3, F1 0.8."""
    found = evaluate.evaluate(SQUAD, {"a": "paris!", "b": "old ships", "d": "The 1998"})
    assert found == {"F1": pytest.approx(100 * (1 + 0.8 + 0 + 1) / 4), "exact_match": 50.0}
    assert evaluate.evaluate(SQUAD, {}) == {"F1": 0.0, "exact_match": 0.0}
    assert evaluate.evaluate(SQUAD, {"d": "1998"}) == {"F1": 25.0, "exact_match": 25.0}, "the first ones have none"


def test_only_the_questions_that_are_asked_for_count() -> None:
    answers = {"a": "Paris", "b": "two old ships", "c": "yes", "d": "1998"}
    assert evaluate.evaluate(SQUAD, answers) == {"F1": 75.0, "exact_match": 75.0}
    assert evaluate.evaluate(SQUAD, answers, ("b", "c")) == {"F1": 50.0, "exact_match": 50.0}
    assert evaluate.question_f1(SQUAD, answers, ("c", "d", "a")) == {"a": 100.0, "c": 0.0, "d": 100.0}
    assert evaluate.question_f1(SQUAD, {"b": "old ships", "d": "in"}, {"b", "d"}) == {
        "b": pytest.approx(80.0),
        "d": pytest.approx(200 / 3),
    }


@pytest.mark.parametrize(
    ("prediction", "truth", "f1", "exact"),
    [
        ("a b c", "b c d e", 2 * (2 / 2) * (2 / 4) / (2 / 2 + 2 / 4), False),
        ("x", "x y", 2 / 3, False),
        ("x y", "x", 2 / 3, False),
        ("The", "a", 0.0, True),
        ("x x", "x", 2 / 3, False),
        ("x", "y", 0.0, False),
        ("An X.", "x", 1.0, True),
    ],
)
def test_f1_of_two_answers(prediction: str, truth: str, f1: float, exact: bool) -> None:
    """Articles and marks do not count; of two empty answers no word is shared."""
    assert evaluate.f1(prediction, truth) == pytest.approx(f1) and evaluate.exact_match(prediction, truth) is exact


# ── What a run of summaries can still reach ─────────────────────────────────────────────────────────────


def bound(*pieces: Texts, count: int = 3, **limits: float) -> RougeBound:
    """The bound after these pieces of a log, which is to keep ROUGE1 at 50 and the length at 20."""
    left = list(pieces)
    one = RougeBound(lambda _: left.pop(0), sentences.lines, count, {"ROUGE1": 50.0, "GEN_LEN": 5.0}, {"GEN_LEN": 20.0, **limits})
    for _ in pieces:
        one.add(Path("log"))
    return one


def test_summaries_left_are_as_good_as_their_references_and_empty() -> None:
    """ROUGE-1 of 'a b c' and 'a x y' is a third."""
    found, words = bound({0: ("a b c", "a x y")}).best(0)
    assert [(one.name, one.value, one.threshold, one.passed) for one in found] == [
        ("ROUGE1", 77.7778, 50.0, True),
        ("GEN_LEN", 5.0, 20.0, True),
    ]
    assert words == "1 of 3 summaries are there, with ROUGE1 33.3333 and 5 characters"
    (rouge, length), _ = bound({0: ("a b c", "a x y"), 1: ("p", "q")}, {2: ("long words that nobody wrote", "z")}).best(0)
    assert (rouge.value, rouge.passed, length.value, length.passed) == (11.1111, False, 34.0, False)


def test_the_first_answer_counts_and_unknown_metrics_are_no_bounds() -> None:
    (rouge, length), words = bound({0: ("a", "a")}, {0: ("b b", "a"), 1: ("c", "c")}, ROUGE9=1.0).best(5)
    assert (rouge.value, length.value) == (100.0, 2.0), "no answer is replaced by a later one"
    assert words == "2 of 3 summaries are there, with ROUGE1 100.0000 and 2 characters"
    (only, _), words = bound().best(0)
    assert only.value == 100.0 and words == "0 of 3 summaries are there, with ROUGE1 0.0000 and 0 characters"


def test_lengths_and_counts_are_printed_as_whole_numbers() -> None:
    scores = {"ROUGE1": 1.25, "ROUGE2": 2.0, "ROUGEL": 3.0, "ROUGELSUM": 4.0, "GEN_LEN": 8_167_644.0, "GEN_NUM": 13_368.0}
    assert as_printed(scores).splitlines()[-1].endswith("'rougeLsum': '4.0', 'gen_len': 8167644, 'gen_num': 13368}")


@pytest.mark.parametrize(
    ("scores", "count", "most", "repeated", "best"),
    [
        ([], 4, 1.0, 0, 1.0),
        ([0.5], 4, 1.0, 0, 0.875),
        ([0.5, 0.25], 4, 1.0, 0, 0.6875),
        ([0.5, 0.25], 4, 1.0, 1, 0.875),
        ([0.25, 0.5, 0.0], 4, 1.0, 2, 0.875),
        ([50.0, 0.0], 2, 100.0, 0, 25.0),
        ([50.0, 0.0], 2, 100.0, 5, 100.0),
        ([1.0, 1.0], 2, 1.0, 0, 1.0),
    ],
)
def test_the_best_mean_that_is_left(scores: list[float], count: int, most: float, repeated: int, best: float) -> None:
    """What is not known has full marks, and so has the lowest of what may be replaced; never more than full marks."""
    found = best_mean(scores, count, most, repeated)
    assert best <= found <= min(best + 1.5 * SLACK, most) and SLACK == 1e-9


def test_a_mean_of_nothing_is_zero() -> None:
    assert mean([]) == 0.0 and mean(iter([1.0, 2.0])) == 1.5
