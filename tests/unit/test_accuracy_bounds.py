"""Bounds of accuracy runs under way: never worse than the score in the end, for every benchmark, whatever order its answers come in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from code.benchmarks.benchmark import definition_of
from code.benchmarks.bert import accuracy as bert_accuracy
from code.benchmarks.text import accuracy, sentences
from code.benchmarks.text.bound import RougeBound
from code.benchmarks.unet3d import accuracy as unet3d_accuracy
from code.results.accuracy import AccuracyBound, AccuracyResult
from code.results.accuracy_bound import best_mean
from code.results.accuracy_log import LOG_NAME
from tests.unit.accuracy_data import PROMPTS, bert_set, prompts_of, unet3d_set

SEEDS = range(5)
"""A few in each run; tests/fuzz/test_bounds.py draws many."""


class Case(NamedTuple):
    """A benchmark's small data set with answers.

    Args:
        responses: bytes of the answer to each sample.
        scored: the scores of a whole log in a directory, by metric.
        bound: of a run with these least and these highest values that pass.
        last: whether a later answer to a sample replaces an earlier one.
    """

    responses: Sequence[bytes]
    scored: Callable[[Path], dict[str, float]]
    bound: Callable[[dict[str, float], dict[str, float]], AccuracyBound]
    last: bool


def bert(folder: Path) -> Case:
    arrays, dev, vocab = bert_set(folder)
    logits = np.random.default_rng(5).normal(0, 3, (len(arrays), 384, 2)).astype(np.float32)
    return Case(
        [logits[index, : arrays.lengths[index]].tobytes() for index in range(len(arrays))],
        lambda log: {"F1": dict(bert_accuracy.check(log, arrays.folder, dev, vocab))["F1"]},
        lambda least, _: bert_accuracy.F1Bound(arrays.folder, dev, least["F1"]),
        True,
    )


def unet3d(folder: Path) -> Case:
    made, shapes = unet3d_set(folder)
    draw = np.random.default_rng(9)
    return Case(
        [draw.integers(0, 3, shape).astype(np.uint8).tobytes() for shape in shapes],
        lambda log: {"DICE": unet3d_accuracy.check(log, made, workers=1).mean},
        lambda least, _: unet3d_accuracy.DiceBound(made, len(shapes), least["DICE"]),
        True,
    )


def text(name: str, folder: Path) -> Case:
    definition: Any = definition_of(name)
    made, data, model, size = prompts_of(name, folder)
    draw = np.random.default_rng(3)

    def scored(log: Path) -> dict[str, float]:
        found = accuracy.check(definition, log, made, data, model, sentences.lines)
        return {metric: found[metric] for metric in ("ROUGE1", "ROUGE2", "ROUGEL", "GEN_LEN")}

    def bound(least: dict[str, float], most: dict[str, float]) -> AccuracyBound:
        def texts(log: Path) -> Any:
            return accuracy.texts(definition, log, made, data, model, entries_of_model=0, complete=False)

        return RougeBound(texts, sentences.lines, PROMPTS, least, most)

    return Case([draw.integers(0, size, 20).astype("<i4").tobytes() for _ in range(PROMPTS)], scored, bound, False)


@pytest.fixture(scope="module", params=["bert", "3d-unet", "gptj", "llama3.1-8b"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp(request.param)
    make = {"bert": bert, "3d-unet": unet3d}.get(request.param, lambda place: text(request.param, place))
    return make(folder)


def write_log(folder: Path, answers: Sequence[tuple[int, bytes]]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"seq_id": n, "qsl_idx": index, "data": data.hex()}) for n, (index, data) in enumerate(answers)]
    (folder / LOG_NAME).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return folder


def pieces(answers: list[tuple[int, bytes]], draw: random.Random) -> Iterator[list[tuple[int, bytes]]]:
    cuts = sorted(draw.sample(range(1, len(answers)), min(3, len(answers) - 1)))
    for begin, end in zip([0, *cuts], [*cuts, len(answers)], strict=True):
        yield answers[begin:end]


def kept(bound: AccuracyResult, final: float) -> bool:
    """Whether a bound is no worse than the score in the end."""
    return bound.value >= final if bound.higher_is_better else bound.value <= final


def keeps_what_passes(seed: int, again: int, case: Case, folder: Path) -> None:
    """Check that no run is ended that passes: the least that passes is just what it reaches. Some samples are answered twice."""
    draw = random.Random(seed)
    answers = [(index, case.responses[index]) for index in draw.sample(range(len(case.responses)), len(case.responses))]
    others = [(index, case.responses[index][::-1] if case.last else data) for index, data in draw.sample(answers, again)]
    if case.last:  # any bytes are logits or classes of some kind, but not all are finite or known
        others = [(index, bytes(len(data))) for index, data in others]
    final = case.scored(write_log(folder / "whole", [*answers, *others]))
    length = {"GEN_LEN": final.pop("GEN_LEN")} if "GEN_LEN" in final else {}
    bound = case.bound(final, length)
    for piece in pieces([*answers, *others], draw):
        bound.add(write_log(folder / "piece", piece))
        best, words = bound.best(again if case.last else 0)
        assert {one.name for one in best} == {*final, *length} and words
        assert all(one.passed and kept(one, {**final, **length}[one.name]) for one in best), (best, final, length)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_run_that_passes_is_ended(seed: int, case: Case, tmp_path: Path) -> None:
    keeps_what_passes(seed, seed % 4, case, tmp_path)


def only_closes(seed: int, case: Case, folder: Path) -> None:
    """Check that a bound never opens again, and ends at the score."""
    draw = random.Random(seed)
    answers = [(index, case.responses[index]) for index in draw.sample(range(len(case.responses)), len(case.responses))]
    final = case.scored(write_log(folder / "whole", answers))
    length = {"GEN_LEN": final.pop("GEN_LEN")} if "GEN_LEN" in final else {}
    bound, before = case.bound(final, length), dict.fromkeys(final, 100.0)
    for piece in pieces(answers, draw):
        bound.add(write_log(folder / "piece", piece))
        best = {one.name: one.value for one in bound.best(0)[0]}
        assert all(best[name] <= before[name] for name in final)
        before = best
    assert before == pytest.approx({**final, **length}, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bound_only_closes_and_ends_at_the_score(seed: int, case: Case, tmp_path: Path) -> None:
    only_closes(seed, case, tmp_path)


def test_a_run_without_a_right_answer_cannot_pass_once_enough_of_it_is_known(case: Case, tmp_path: Path) -> None:
    """Half of the samples are answered at random, and nearly full marks are required."""
    bound = case.bound({name: (0.95 if name == "DICE" else 95.0) for name in ("F1", "DICE", "ROUGE1")}, {})
    half = len(case.responses) // 2 + 1
    bound.add(write_log(tmp_path / "log", list(enumerate(case.responses))[:half]))
    best, words = bound.best(0)
    assert not all(one.passed for one in best)
    assert any(character.isdigit() for character in words)


def bounds_a_mean(scores: list[float], known: int, replaced: list[float]) -> None:
    """Check the bound of a mean of which so many scores are known, the first of them to be replaced."""
    known = min(known, len(scores))
    final = list(scores)
    for place, value in enumerate(replaced[:known]):
        final[place] = value
    assert best_mean(scores[:known], len(scores), 1.0, len(replaced)) >= sum(final) / len(final)
    assert best_mean(scores, len(scores), 1.0) == pytest.approx(sum(scores) / len(scores), abs=1e-8)


@pytest.mark.parametrize("seed", range(100))
def test_a_mean_never_exceeds_its_bound(seed: int) -> None:
    draw = random.Random(seed)
    score = (lambda: draw.choice((0.0, 1.0))) if seed % 2 else draw.random
    bounds_a_mean(
        [score() for _ in range(draw.randint(1, 60))], draw.randint(0, 60), [score() for _ in range(draw.randint(0, 5))]
    )
