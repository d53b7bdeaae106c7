"""F1 and exact match as SQuAD v1.1 defines them (Rajpurkar et al., 2016), to the last digit of the official script.

Texts are compared after lower-casing, removing ASCII punctuation and the articles a, an and the, and splitting at white space.
A question's score is the best over its reference answers; the data set's is the mean in percent. Sums run in the data
set's order, because the order decides the last digit.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache

from code.benchmarks.bert.squad import Squad

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=1 << 17)
def normalised(answer: str) -> tuple[str, ...]:
    """The words of an answer after normalisation."""
    return tuple(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def f1(prediction: str, truth: str) -> float:
    """The harmonic mean of precision and recall over the words that two answers share, 0 to 1."""
    predicted, true = normalised(prediction), normalised(truth)
    shared = (Counter(predicted) & Counter(true)).total() if predicted != true else len(true)
    if shared == 0:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(true)
    return (2 * precision * recall) / (precision + recall)


def exact_match(prediction: str, truth: str) -> bool:
    """Whether two answers are the same after normalisation."""
    return normalised(prediction) == normalised(truth)


def evaluate(squad: Squad, predictions: Mapping[str, str], among: Collection[str] | None = None) -> dict[str, float]:
    """Score predicted answers.

    Args:
        predictions: the answer per question id; a question without one counts as wrong.
        among: ids of the questions that count; None for all of them.

    Returns:
        {"F1": percent, "exact_match": percent}
    """
    total_f1 = 0.0
    total_exact = 0
    questions = [question for question in squad.questions if among is None or question.identity in among]
    for question in questions:
        prediction = predictions.get(question.identity)
        if prediction is None:
            continue
        truths = dict.fromkeys(question.answers)
        total_exact += any(exact_match(prediction, truth) for truth in truths)
        total_f1 += max(f1(prediction, truth) for truth in truths)
    count = len(questions)
    return {"F1": 100.0 * total_f1 / count, "exact_match": 100.0 * total_exact / count}


def question_f1(squad: Squad, predictions: Mapping[str, str], among: Collection[str]) -> dict[str, float]:
    """F1 in percent of each question of `among`, by its id; `predictions` has an answer to each."""
    chosen = [question for question in squad.questions if question.identity in among]
    return {one.identity: 100.0 * max(f1(predictions[one.identity], truth) for truth in one.answers) for one in chosen}
