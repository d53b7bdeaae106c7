"""Scores of a tiny model's texts by the paths of a workload: its arrays, its vocabulary, and what a run can still reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from code.benchmarks.gptj import bpe, cnndm, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.text import accuracy, inputs, preprocess, rouge, scores, sentences
from code.common.constants import AccuracyTarget
from code.common.errors import RunError
from tests.unit.test_gptj_accuracy import write_log
from tests.unit.test_text_scores import values

COUNT = 6
TINY = values(model_variant="tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first samples of the tiny model's evaluation set, and their arrays."""
    folder = tmp_path_factory.mktemp("gptj")
    tiny.generate_eval(folder / "cnn_eval.json", COUNT)
    preprocess.preprocess(BENCHMARK, folder / "cnn_eval.json", tiny.MODEL, folder / "preprocessed")
    return folder


@pytest.fixture
def workload(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workload of these samples."""
    sources = SimpleNamespace(data=made / "cnn_eval.json", vocabulary=tiny.MODEL, model=tiny.MODEL)
    monkeypatch.setattr(inputs, "sources", lambda *_: sources)
    monkeypatch.setattr(inputs, "preprocessed", lambda *_: made / "preprocessed")
    return made


def answered(folder: Path, made: Path, indices: list[int]) -> tuple[Path, int]:
    """The log of a run that answered these samples with their references, and how many characters they have."""
    samples, opened = cnndm.read(made / "cnn_eval.json"), bpe.read(tiny.MODEL)
    folder.mkdir()
    ids = opened.encode([samples[index].highlights for index in indices])
    write_log(folder / accuracy.LOG_NAME, {index: [*one, opened.end] for index, one in zip(indices, ids, strict=True)})
    return folder, sum(len(samples[index].highlights) for index in indices)


def test_what_a_run_can_still_score_is_read_from_its_log(workload: Path, tmp_path: Path) -> None:
    bound = scores.bound(BENCHMARK, TINY, AccuracyTarget.k_99, COUNT)
    log, characters = answered(tmp_path / "log", workload, [4, 1])
    bound.add(log)
    found, words = bound.best(0)
    assert [(one.name, one.value) for one in found] == [("ROUGE1", 100.0), ("ROUGE2", 100.0), ("ROUGEL", 100.0)]
    assert all(one.passed for one in found)
    expected = (
        f"2 of {COUNT} summaries are there, with ROUGE1 100.0000, ROUGE2 100.0000, ROUGEL 100.0000 and {characters:,} characters"
    )
    assert words == expected


def test_summaries_that_are_wrong_lower_what_can_be_scored(workload: Path) -> None:
    texts = {0: ("a b", "c d"), 1: ("a b", "a b"), 2: ("a b", "a c")}
    bound = scores.bound(BENCHMARK, TINY, AccuracyTarget.k_99, 4)
    bound._texts = lambda _: texts
    bound.add(workload)
    bound.add(workload)
    values_of = {one.name: (one.value, one.passed) for one in bound.best(0)[0]}
    assert values_of["ROUGE1"] == (62.5, False), "0, 100, 50, and 100 for the one that is left"
    assert values_of["ROUGE2"] == (50.0, False)


def test_the_scores_of_an_audit_are_those_of_the_samples_that_it_logged(workload: Path, tmp_path: Path) -> None:
    log, characters = answered(tmp_path / "log", workload, [2, 0, 5])
    found, text = scores.partial(BENCHMARK, log, TINY)
    assert found == {"ROUGE1": 100.0, "ROUGE2": 100.0, "ROUGEL": 100.0, "GEN_LEN": float(characters)}
    assert f"'gen_len': {characters}" in text and "'gen_num': 3" in text


def test_tokens_are_scored_without_a_log(made: Path) -> None:
    samples, opened = cnndm.read(made / "cnn_eval.json"), bpe.read(tiny.MODEL)
    first, second = opened.encode([samples[index].highlights for index in (3, 1)])
    found = accuracy.score(BENCHMARK, {3: np.array([*first, opened.end]), 1: np.array(second)}, samples, opened, sentences.lines)
    length = float(len(samples[3].highlights) + len(samples[1].highlights))
    assert (found["ROUGE1"], found["ROUGELSUM"], found["GEN_LEN"], found["GEN_NUM"]) == (100.0, 100.0, length, 2.0)


def test_tokens_that_the_model_has_and_the_vocabulary_lacks_have_no_text(made: Path, tmp_path: Path) -> None:
    samples, opened = cnndm.read(made / "cnn_eval.json"), bpe.read(tiny.MODEL)
    (ids,) = opened.encode([samples[2].highlights])
    write_log(tmp_path / accuracy.LOG_NAME, {2: [ids[0], 1299, *ids[1:], opened.end]})
    given = (BENCHMARK, tmp_path, made / "preprocessed", made / "cnn_eval.json", tiny.MODEL)
    found = accuracy.texts(*given, entries_of_model=1300, complete=False)
    assert found == {2: (samples[2].highlights, samples[2].highlights)}
    for entries, complete, words in ((1299, False, "the vocabulary of 1,299 entries"), (1300, True, "lacks 5 of 6 samples")):
        with pytest.raises(RunError, match=words):
            accuracy.texts(*given, entries_of_model=entries, complete=complete)
    with pytest.raises(RunError, match="lacks 5 of 6 samples"):
        accuracy.texts(*given, entries_of_model=1300)


def test_the_size_of_the_output_layer_is_the_models_and_unknown_without_it(workload: Path, tmp_path: Path) -> None:
    assert scores._entries(BENCHMARK, TINY) == BENCHMARK.open_model(tiny.MODEL).config["vocab_size"] > 1000
    inputs.sources(BENCHMARK, TINY).model = tmp_path / "none"
    assert scores._entries(BENCHMARK, TINY) == 0


class Pool:
    """What stands for a pool of processes: it says how many were asked for, and computes here."""

    asked: ClassVar[list[int]] = []

    def __init__(self, count: int) -> None:
        self.asked.append(count)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[[Any], Any], parts: list[Any]) -> list[Any]:
        return [function(part) for part in parts]


@pytest.mark.parametrize(
    ("summaries", "processes", "cores", "asked", "parts"),
    [
        (300, 2, 8, [2], [128, 128, 44]),
        (300, None, 2, [2], [128, 128, 44]),
        (300, None, 64, [3], [128, 128, 44]),
        (129, 1, 8, [], [128, 1]),
        (128, None, 8, [], [128]),
        (0, None, 8, [], []),
    ],
)
def test_summaries_are_scored_in_parts_by_as_many_processes_as_cores(
    summaries: int, processes: int | None, cores: int, asked: list[int], parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def measured(pairs: list[Any]) -> dict[str, list[float]]:
        seen.append(len(pairs))
        return {kind: [0.5] * len(pairs) for kind in rouge.KINDS}

    monkeypatch.setattr(Pool, "asked", [])
    monkeypatch.setattr(rouge, "f_measures", measured)
    monkeypatch.setattr("multiprocessing.get_context", lambda method: {"spawn": SimpleNamespace(Pool=Pool)}[method])
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0: set(range(cores))}[process])
    found = rouge.each(["a b"] * summaries, ["a"] * summaries, sentences.lines, processes)
    assert Pool.asked == asked and seen == parts and found.lengths == [3] * summaries
    assert found.scores == {name: [0.5] * summaries for name in rouge.NAMES.values()}


@pytest.mark.full
def test_two_processes_score_as_one_and_keep_the_order() -> None:
    predictions = [f"w{number} x y z" for number in range(130)]
    references = [f"w{number} x" if number % 3 else "q" for number in range(130)]
    one, two = (rouge.each(predictions, references, sentences.lines, processes=count) for count in (1, 2))
    assert two == one and one.scores["ROUGE1"][0] == 0.0 < one.scores["ROUGE1"][1] and one.lengths[-1] == len("w129 x y z")


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("so . what ? oh ! yes , no", "so. what? oh! yes, no"),
        ("the ' a", "the'a"),
        ("do n't I 'm it 's I 've we 're", "don't I'm it's I've we're"),
        ("plain", "plain"),
    ],
)
def test_spaces_before_marks_and_contractions_go(text: str, tidy: str) -> None:
    assert rouge.tidied(text) == tidy


def test_a_summary_has_a_line_for_each_sentence() -> None:
    assert rouge.prepared("  One. Two \n", sentences.lines) == "One.\nTwo"
