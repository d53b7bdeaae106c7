"""Scores of generated texts by their parts: tokens of a log, ROUGE's means, sentences, and the targets of each kind of model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks.gptj import facts as gptj
from code.benchmarks.gptj import tiny as tiny_gptj
from code.benchmarks.gptj.benchmark import BENCHMARK as GPTJ
from code.benchmarks.llama3_1_8b import facts as llama
from code.benchmarks.llama3_1_8b import tiny as tiny_llama
from code.benchmarks.llama3_1_8b.benchmark import BENCHMARK as LLAMA
from code.benchmarks.text import rouge, scores, sentences, token_log
from code.benchmarks.text.printed import as_printed
from code.common.constants import AccuracyTarget
from code.common.errors import MissingError, RunError, UsageError
from code.fields.table import field_table
from code.results.accuracy_log import LOG_NAME

K99, K99_9 = AccuracyTarget.k_99, AccuracyTarget.k_99_9
VOCABULARY = 100


def values(**given: Any) -> dict[str, Any]:
    """Every field without a value, but for these."""
    return {**dict.fromkeys(field_table()), "model_variant": "reference", **given}


# ── Tokens of a log ───────────────────────────────────────────────────────────────────────────────────────


def read(folder: Path, responses: list[tuple[int, list[int]]], count: int = 3, **given: Any) -> Mapping[int, Any]:
    kind = token_log.DTYPES[given.get("dtype", "int32")]
    lines = [json.dumps({"seq_id": 0, "qsl_idx": index, "data": np.array(t, kind).tobytes().hex()}) for index, t in responses]
    (folder / LOG_NAME).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return token_log.read_log(folder / LOG_NAME, count, VOCABULARY, **given)


@pytest.mark.parametrize("dtype", token_log.DTYPES)
def test_the_first_response_to_a_sample_counts(tmp_path: Path, dtype: str) -> None:
    found = read(tmp_path, [(2, [5, 0]), (0, [1]), (2, [7]), (1, [VOCABULARY - 1])], dtype=dtype)
    assert {index: tokens.tolist() for index, tokens in found.items()} == {2: [5, 0], 0: [1], 1: [VOCABULARY - 1]}
    assert all(tokens.dtype == np.int64 for tokens in found.values())


@pytest.mark.parametrize(
    ("responses", "what"),
    [
        ([(3, [1])], "sample 3 is unknown"),
        ([(-1, [1])], "sample -1 is unknown"),
        ([(0, [])], "the response for sample 0 has 0 bytes"),
        ([(0, [VOCABULARY])], "sample 0 has a token that the vocabulary of 100 entries lacks"),
        ([(0, [5, -1])], "sample 0 has a token that"),
        ([(0, [1]), (2, [1])], "lacks 1 of 3 samples: 1"),
        ([(0, [1])], "lacks 2 of 3 samples: 1, 2"),
        ([], "contains no responses"),
    ],
)
def test_a_log_that_cannot_be_is_refused(tmp_path: Path, responses: list[tuple[int, list[int]]], what: str) -> None:
    with pytest.raises(RunError, match=what):
        read(tmp_path, responses)


def test_the_token_that_does_not_fit_is_named_with_its_line(tmp_path: Path) -> None:
    for tokens, named in (([VOCABULARY + 5, 1], 105), ([-7, VOCABULARY], -7)):
        with pytest.raises(RunError) as caught:
            read(tmp_path, [(1, [3]), (0, tokens)])
        assert f"it is {named}:" in caught.value.why and caught.value.where == f"{tmp_path / LOG_NAME}:3"


def test_a_compliance_run_logs_only_some(tmp_path: Path) -> None:
    assert set(read(tmp_path, [(1, [3])], complete=False)) == {1}
    with pytest.raises(RunError, match="contains no responses"):
        read(tmp_path, [], complete=False)


def test_bytes_that_are_no_whole_tokens_and_types_that_are_none(tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_text('[\n{"seq_id": 0, "qsl_idx": 0, "data": "0102030405"}\n]\n')
    with pytest.raises(RunError, match="has 5 bytes"):
        token_log.read_log(tmp_path / LOG_NAME, 3, VOCABULARY)
    with pytest.raises(UsageError, match="type int16 are not supported"):
        token_log.read_log(tmp_path / LOG_NAME, 3, VOCABULARY, dtype="int16")


# ── ROUGE ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_means_in_percent_with_lengths_and_number() -> None:
    """ROUGE-1 of 'a b' against 'a c' is a half; spaces around a text and the places of its lines do not count."""
    found = rouge.score(["the cat sat", "  one two \n"], ["the cat sat", "one four"], sentences.lines, processes=1)
    assert found["ROUGE1"] == pytest.approx(75.0) and found["ROUGELSUM"] == found["ROUGEL"] == 75.0
    assert found["ROUGE2"] == 50.0 and (found["GEN_LEN"], found["GEN_NUM"]) == (18.0, 2.0)
    third = rouge.score(["a b c"], ["a d e"], sentences.lines)
    assert third["ROUGE1"] == 33.3333, "four digits"
    stemmed = rouge.score(["he walks"], ["he walked"], sentences.lines)
    assert stemmed["ROUGE1"] == 100.0
    with pytest.raises(ValueError, match="zip"):
        rouge.score(["a"], [], sentences.lines)


def test_without_texts_there_is_no_mean() -> None:
    found = rouge.score([], [], sentences.lines)
    assert math.isnan(found["ROUGE1"]) and (found["GEN_LEN"], found["GEN_NUM"]) == (0.0, 0.0)


def test_the_text_of_accuracy_txt() -> None:
    text = as_printed({"ROUGE1": 1.5, "ROUGE2": 2.0, "ROUGEL": 3.0, "ROUGELSUM": 4.25, "GEN_LEN": 10.0, "GEN_NUM": 3.0})
    assert text == (
        "\nResults\n\n{'rouge1': '1.5', 'rouge2': '2.0', 'rougeL': '3.0', 'rougeLsum': '4.25', 'gen_len': 10, 'gen_num': 3}\n"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two", ["One.", "Two"]),
        ("One.\nTwo", ["One.", "Two"]),
        ("Mr. Smith came. He left.", ["Mr. Smith came.", "He left."]),
        ("Mr.\nSmith", ["Mr.", "Smith"]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
        ("It is 3. 5 more came.", ["It is 3.", "5 more came."]),
        ("no capital. after", ["no capital. after"]),
        ("\n\nOne\n\n", ["One"]),
        ("", []),
        ("  ", []),
    ],
)
def test_sentences_without_a_model(text: str, found: list[str]) -> None:
    assert sentences.lines(text) == found


def test_the_reference_score_needs_the_references_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences.paths, "data_dir", lambda: tmp_path)
    assert not sentences.have_punkt() and sentences.splitter("gptj", False) == (sentences.lines, "lines")
    with pytest.raises(MissingError, match="sentence model does not exist") as caught:
        sentences.splitter("gptj", True)
    assert "make download_data BENCHMARKS=gptj" in caught.value.next_step
    (sentences.model_folder() / "collocations.tab").mkdir(parents=True)
    assert not sentences.have_punkt()
    (sentences.model_folder() / "collocations.tab").rmdir()
    (sentences.model_folder() / "collocations.tab").write_text("")
    assert sentences.have_punkt() and sentences.splitter("gptj", False)[1] == "punkt" == sentences.splitter("gptj", True)[1]


# ── Targets ───────────────────────────────────────────────────────────────────────────────────────────────


def test_targets_of_gptj() -> None:
    for target in (K99, K99_9):
        assert scores._target(GPTJ, values(), target).least == gptj.TARGETS[target.name]
    recorded = json.loads(tiny_gptj.RECORD.read_text(encoding="utf-8"))["scores"]
    for given, used in ((None, f"beams_{gptj.NUM_BEAMS}"), (1, "beams_1"), (977, f"beams_{gptj.NUM_BEAMS}")):
        found = scores._target(GPTJ, values(model_variant="tiny", num_beams=given), K99).least
        assert found == pytest.approx(
            {
                **{name: recorded[used][name] * 0.99 for name in ("ROUGE1", "ROUGE2", "ROUGEL")},
                "GEN_LEN": recorded[used]["GEN_LEN"] * 0.9,
            }
        )
    own = values(model_path="/mine", accuracy_reference=40.0)
    assert scores._target(GPTJ, own, K99_9).least == {"ROUGE1": pytest.approx(39.96)}
    with pytest.raises(UsageError, match="no reference ROUGE") as caught:
        scores._target(GPTJ, values(model_path="/mine"), K99)
    assert "--accuracy_reference=ROUGE1" in caught.value.next_step


def test_targets_of_llama() -> None:
    assert scores._target(LLAMA, values(), K99) is llama.FACTS.targets["k_99"]
    recorded = json.loads(tiny_llama.RECORD.read_text(encoding="utf-8"))["scores"]
    found = scores._target(LLAMA, values(model_variant="tiny"), K99)
    length = recorded["GEN_LEN"] * llama.FACTS.samples / recorded["GEN_NUM"]
    assert found.least == pytest.approx(
        {**{name: recorded[name] * 0.99 for name in llama.REFERENCE if name != "GEN_LEN"}, "GEN_LEN": 0.9 * length}
    )
    assert found.most == {"GEN_LEN": pytest.approx(1.1 * length)}
    own = scores._target(LLAMA, values(model_path="/mine", accuracy_reference=40.0), K99)
    assert own.least == {"ROUGE1": pytest.approx(39.6)} and own.most == {}
    with pytest.raises(UsageError, match="no reference ROUGE"):
        scores._target(LLAMA, values(model_path="/mine"), K99)


def test_bounds_of_llama_are_judged_on_both_sides() -> None:
    target = llama.target("x", {"ROUGE1": 100.0, "GEN_LEN": 1000.0})
    for length, passed in (
        (899.0, [True, False, True]),
        (900.0, [True] * 3),
        (1100.0, [True] * 3),
        (1101.0, [True, True, False]),
    ):
        found = list(scores.judged({"ROUGE1": 99.0, "GEN_LEN": length}, target))
        assert [one.passed for one in found] == passed and [one.name for one in found] == ["ROUGE1", "GEN_LEN", "GEN_LEN"]


SCORES = {"ROUGE1": 50.0, "ROUGE2": 20.0, "ROUGEL": 30.0, "ROUGELSUM": 40.0, "GEN_LEN": 5e6, "GEN_NUM": 10.0}


def test_a_scored_run_leaves_its_scores_beside_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def scored(*arguments: Any, complete: bool) -> dict[str, float]:
        asked.append(complete)
        return SCORES

    monkeypatch.setattr(scores, "_scores", scored)
    found = scores.check(GPTJ, tmp_path, values(), K99)
    assert [(one.name, one.value, one.threshold) for one in found] == [
        (name, SCORES[name], least) for name, least in gptj.TARGETS["k_99"].items()
    ]
    assert json.loads((tmp_path / "accuracy.json").read_text()) == SCORES
    assert (tmp_path / "accuracy.txt").read_text() == as_printed(SCORES)
    part, text = scores.partial(GPTJ, tmp_path, values())
    assert part == {name: SCORES[name] for name in gptj.METRICS} and text == as_printed(SCORES)
    (tmp_path / "accuracy.txt").unlink()
    every = scores.check(LLAMA, tmp_path, values(), K99)
    assert {one.name for one in every} == set(llama.REFERENCE) and (tmp_path / "accuracy.txt").read_text() == as_printed(SCORES)
    part, _ = scores.partial(LLAMA, tmp_path, values())
    assert set(part) == set(llama.REFERENCE) and asked == [True, False, True, False]
