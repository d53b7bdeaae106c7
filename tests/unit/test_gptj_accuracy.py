"""GPT-J's score: ROUGE as the reference computes it, sentences, and LoadGen's accuracy log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from code.benchmarks.gptj import bpe, cnndm, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.prompt import INSTRUCTION
from code.benchmarks.text import accuracy, preprocess, rouge, sentences
from code.common.errors import MissingError, RunError, UsageError

ARTICLES = "data/cnndm/cnn_dailymail_v3_validation_first64.csv"


def reference_steps(predictions: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """The reference's evaluation with rouge-score itself: strip, one sentence a line, stemming, means rounded to four digits."""
    from rouge_score import rouge_scorer

    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
    lines = [
        ("\n".join(sentences.lines(p.strip())), "\n".join(sentences.lines(t.strip())))
        for p, t in zip(predictions, targets, strict=True)
    ]
    found = [scorer.score(target, prediction) for prediction, target in lines]
    out = {kind.upper(): round(float(np.mean([one[kind].fmeasure for one in found])) * 100, 4) for kind in kinds}
    return {**out, "GEN_LEN": float(sum(len(p) for p, _ in lines)), "GEN_NUM": float(len(lines))}


def write_log(path: Path, responses: Mapping[int, Sequence[int]], dtype: str = "<i4") -> Path:
    lines = [
        json.dumps({"seq_id": n, "qsl_idx": index, "data": np.asarray(tokens, dtype=dtype).tobytes().hex()})
        for n, (index, tokens) in enumerate(responses.items())
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("gptj")
    tiny.generate_eval(place / "cnn_eval.json", 6)
    preprocess.preprocess(BENCHMARK, place / "cnn_eval.json", tiny.MODEL, place / "preprocessed")
    return place


def check(folder: Path, **options: bool) -> dict[str, float]:
    return accuracy.check(
        BENCHMARK, folder, folder / "preprocessed", folder / "cnn_eval.json", tiny.MODEL, sentences.lines, **options
    )


@pytest.mark.parametrize("count", [16, pytest.param(64, marks=pytest.mark.full)])
def test_rouge_on_real_articles_is_the_references_in_one_process_and_in_two(count: int, shared: Path) -> None:
    read = cnndm.from_file(shared / ARTICLES)[:count]
    assert len(read) == count
    predictions = [". ".join(sample.article.split(". ")[:3]) for sample in read]
    targets = [sample.highlights for sample in read]
    expected = reference_steps(predictions, targets)
    assert rouge.score(predictions, targets, sentences.lines, processes=1) == expected
    assert rouge.score(predictions * 3, targets * 3, sentences.lines, processes=2)["ROUGE1"] == expected["ROUGE1"]
    assert 20 < expected["ROUGE1"] < 60


def test_a_decoded_text_is_tidied_as_the_reference_does() -> None:
    assert rouge.tidied("He did n't go , she 's there . Why ? I 've") == "He didn't go, she's there. Why? I've"


def test_sentences_end_at_marks_and_lines_and_not_at_titles() -> None:
    text = 'Mr. Smith said "No." He left the U.S. in May.\nThen J. Doe came! 5 men? (Yes.) end'
    assert sentences.lines(text) == [
        'Mr. Smith said "No."',
        "He left the U.S. in May.",
        "Then J. Doe came!",
        "5 men?",
        "(Yes.) end",
    ]
    assert sentences.lines("") == []


def test_the_tiny_sets_highlights_are_one_sentence_a_line() -> None:
    from code.benchmarks.text.tiny.articles import EVAL_SEED, article

    for index in range(400):
        highlights = article(EVAL_SEED, index).highlights
        assert sentences.lines(highlights) == highlights.split("\n"), highlights


def test_punkts_model_is_read_from_where_download_data_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model of one abbreviation: the published one cannot be fetched by a test."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    with pytest.raises(MissingError, match="sentence model does not exist") as caught:
        sentences.splitter("gptj", True)
    assert "make download_data" in caught.value.next_step
    assert sentences.splitter("gptj", False)[1] == "lines"
    sentences.model_folder().mkdir(parents=True)
    for name, text in (
        ("collocations.tab", ""),
        ("sent_starters.txt", ""),
        ("abbrev_types.txt", "mr\n"),
        ("ortho_context.tab", ""),
    ):
        (sentences.model_folder() / name).write_text(text)
    split, name = sentences.splitter("gptj", True)
    assert name == "punkt" and split("Mr. Smith left. He came back.") == ["Mr. Smith left.", "He came back."]


def test_perfect_answers_score_100_and_the_first_response_counts(folder: Path) -> None:
    samples, opened = cnndm.read(folder / "cnn_eval.json"), bpe.read(tiny.MODEL)
    answers = {i: [*ids, opened.end] for i, ids in enumerate(opened.encode([s.highlights for s in samples]))}
    log = write_log(folder / accuracy.LOG_NAME, answers)
    scores = check(folder)
    assert scores["ROUGE1"] == scores["ROUGE2"] == scores["ROUGEL"] == 100.0
    assert scores["GEN_LEN"] == sum(len(s.highlights) for s in samples)
    again = log.read_text().replace("\n]", ',\n{"seq_id": 9, "qsl_idx": 0, "data": "01000000"}\n]')
    log.write_text(again)
    assert check(folder) == scores


def test_a_log_that_is_not_whole_is_an_error(folder: Path) -> None:
    write_log(folder / accuracy.LOG_NAME, {0: [1, 2], 3: [4]})
    with pytest.raises(RunError, match="lacks 4 of 6 samples: 1, 2, 4, 5"):
        check(folder)
    assert check(folder, complete=False)["GEN_NUM"] == 2.0
    (folder / accuracy.LOG_NAME).write_text('[\n{"seq_id": 0, "qsl_idx": 0, "data": "01000000"},\n')
    with pytest.raises(RunError, match="is incomplete"):
        check(folder)


@pytest.mark.parametrize(
    ("responses", "words"),
    [
        ({9: [1]}, "sample 9 is unknown"),
        ({0: []}, "has 0 bytes"),
        ({0: [1279, 1280]}, "has a token that the vocabulary of 1,280 entries lacks"),
        ({0: [50_000]}, "has a token that the vocabulary of 1,280 entries lacks"),
        ({0: [-1]}, "has a token that the vocabulary"),
    ],
)
def test_a_response_that_cannot_be_is_told_with_its_line(folder: Path, responses: dict[int, list[int]], words: str) -> None:
    log = write_log(folder / accuracy.LOG_NAME, responses)
    with pytest.raises(RunError, match=words) as caught:
        check(folder)
    assert caught.value.where == f"{log}:2"


def test_other_inputs_than_the_runs_are_refused(folder: Path, tmp_path: Path) -> None:
    write_log(folder / accuracy.LOG_NAME, {0: [1]})
    cnndm.write([cnndm.Sample(INSTRUCTION, "Other.", "Other.")], tmp_path / "cnn_eval.json")
    with pytest.raises(UsageError, match="was not made from"):
        accuracy.check(BENCHMARK, folder, folder / "preprocessed", tmp_path / "cnn_eval.json", tiny.MODEL, sentences.lines)


def test_int64_logs_are_read_too(folder: Path) -> None:
    log = write_log(folder / accuracy.LOG_NAME, {0: [1, 2]}, "<i8")
    found = accuracy.read_log(log, 6, 1280, dtype="int64", complete=False)
    assert found[0].tolist() == [1, 2]
    write_log(folder / accuracy.LOG_NAME, {0: [0, 1279]}, "<i8")
    assert accuracy.read_log(log, 6, 1280, dtype="int64", complete=False)[0].tolist() == [0, 1279], "both ends of the vocabulary"
    with pytest.raises(UsageError, match="float32"):
        accuracy.read_log(log, 6, 1280, dtype="float32")
