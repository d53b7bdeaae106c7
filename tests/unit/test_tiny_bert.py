"""The tiny variant of BERT: its set is the same everywhere and as large as SQuAD's, and the committed model scores its record."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks import words
from code.benchmarks.bert import postprocess, preprocess, tiny
from code.benchmarks.bert.tiny import articles, facts, record
from code.benchmarks.bert.tiny.pieces import PieceCounter
from code.common.errors import UsageError
from tests.unit.tiny_sets import bert_dev

INPUTS = ["input_ids", "input_mask", "segment_ids"]


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tiny.RECORD.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def dev() -> Path:
    return bert_dev()


@pytest.fixture(scope="module")
def paragraphs(dev: Path) -> list[dict[str, Any]]:
    return [p for article in json.loads(dev.read_text(encoding="utf-8"))["data"] for p in article["paragraphs"]]


@pytest.fixture(scope="module")
def preprocessed(dev: Path, tmp_path_factory: pytest.TempPathFactory) -> preprocess.PreprocessedSquad:
    folder = tmp_path_factory.mktemp("tiny") / "preprocessed"
    preprocess.preprocess(dev, tiny.VOCAB, folder)
    return preprocess.load(folder)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_set_is_the_recorded_one(dev: Path, recorded: dict[str, Any]) -> None:
    assert digest(dev) == recorded["dev_sha256"]


@pytest.mark.full
def test_the_set_does_not_depend_on_the_process(project: Path, tmp_path: Path, recorded: dict[str, Any]) -> None:
    """Another hash seed and another locale give the same bytes."""
    command = f"from pathlib import Path; from code.benchmarks.bert import tiny; tiny.generate_dev(Path({str(tmp_path / 'dev.json')!r}))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(project)}
    subprocess.run([sys.executable, "-c", command], cwd=project, env=environment, check=True)
    assert digest(tmp_path / "dev.json") == recorded["dev_sha256"]


def test_it_has_as_many_questions_as_squad(paragraphs: list[dict[str, Any]], recorded: dict[str, Any]) -> None:
    questions = [entry for p in paragraphs for entry in p["qas"]]
    assert len(questions) == 10_570 == recorded["questions"]
    assert len({entry["id"] for entry in questions}) == 10_570


def test_every_answer_lies_where_it_says(paragraphs: list[dict[str, Any]]) -> None:
    for p in paragraphs:
        for entry in p["qas"]:
            assert entry["answers"]
            for answer in entry["answers"]:
                start, text = answer["answer_start"], answer["text"]
                assert p["context"][start : start + len(text)] == text
                assert 1 <= len(text.split()) <= 6
                assert text == text.strip()


def test_no_question_is_asked_twice_of_a_paragraph(paragraphs: list[dict[str, Any]]) -> None:
    for p in paragraphs:
        asked = [entry["question"] for entry in p["qas"]]
        assert len(asked) == len(set(asked))


def test_the_real_pipeline_makes_10833_features(preprocessed: preprocess.PreprocessedSquad, recorded: dict[str, Any]) -> None:
    assert len(preprocessed) == 10_833 == recorded["features"]


def test_lengths_are_spread_as_squads_are(preprocessed: preprocess.PreprocessedSquad) -> None:
    """SQuAD v1.1's dev set: 41 to 384 tokens, mean 178.5, a tenth below 110, a tenth above 272."""
    lengths = np.asarray(preprocessed.lengths)
    assert 30 <= lengths.min() <= 45
    assert lengths.max() == 384
    assert abs(lengths.mean() - 178.5) < 10
    assert abs(np.quantile(lengths, 0.1) - 110) < 12
    assert abs(np.quantile(lengths, 0.9) - 272) < 20


def test_training_never_sees_an_evaluated_paragraph(paragraphs: list[dict[str, Any]]) -> None:
    count = PieceCounter(tiny.VOCAB)
    evaluated = {p["context"] for p in paragraphs}
    assert len(evaluated) == len(paragraphs)
    assert not any(articles.paragraph("train-1", index, count).context in evaluated for index in range(300))


def test_counting_pieces_equals_the_tokenizers_library(paragraphs: list[dict[str, Any]]) -> None:
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(tiny.VOCAB), lowercase=True)
    count = PieceCounter(tiny.VOCAB)
    texts = [p["context"] for p in paragraphs[:300]] + ["Zoë's café—déjà vu, 12.5% of “naïve” unprintablewordž", ""]
    for text in texts:
        assert count(text) == len(tokenizer.encode(text, add_special_tokens=False).ids), text


def test_words_come_in_pieces(paragraphs: list[dict[str, Any]]) -> None:
    """Otherwise nothing would exercise the way from pieces back to text."""
    count = PieceCounter(tiny.VOCAB)
    split = [word for p in paragraphs[:100] for word in p["context"].split() if word.isalpha() and count(word) > 1]
    assert len(split) > 300


@pytest.mark.parametrize("question", [4, 17, 64, 90])
def test_windows_follow_the_sliding_window_rule(question: int) -> None:
    for context in range(1, 900, 7):
        capacity, spans, start = 384 - 3 - min(question, 64), 0, 0
        while start < context:
            length = min(context - start, capacity)
            spans += 1
            if start + length == context:
                break
            start += min(length, 128)
        assert articles.windows(context, question) == spans


def test_every_value_type_and_name_can_be_drawn() -> None:
    dice = words.Dice("values")
    for draw in (*words.TYPES.values(), *words.NAMES.values()):
        for _ in range(50):
            value = draw(dice)
            assert value and value == value.strip() and "  " not in value
            assert len(value.split()) <= 7


def test_every_relation_is_stated_and_asked() -> None:
    subjects, scenery = facts.kinds()
    assert len(subjects) >= 10 and len(scenery.sentences) >= 20
    for kind in subjects:
        stated = {relation for sentence in kind.sentences for relation in sentence.relations}
        assert stated == set(kind.types) == set(kind.questions)
        assert all(len(questions) >= 2 and all("{S}" in q for q in questions) for questions in kind.questions.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind town | the town | It\nfounded: yaer\n", "cannot read"),
        ("kind town | the town | It\nfounded: year\n? When was {S}?\n. {S} is {fonded}.\n", "unknown slot {fonded}"),
        ("kind town | the town | It\nfounded: year\n. {S} is {~yaer}.\n", "unknown slot {~yaer}"),
        ("kind castle | the castle | It\nfounded: year\n. {S} is {founded}.\n", "there are no names for a castle"),
    ],
)
def test_a_slip_in_a_facts_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "slip.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message.replace("{", r"\{").replace("}", r"\}")) as caught:
        facts.read(path)
    assert "slip.txt" in caught.value.where


def test_the_record_belongs_to_the_files(recorded: dict[str, Any]) -> None:
    assert digest(tiny.MODEL) == recorded["model_sha256"]
    assert digest(tiny.VOCAB) == recorded["vocab_sha256"]
    assert recorded["generator"] == {"version": articles.GENERATOR_VERSION, "seed": articles.DEV_SEED}
    assert 90 < recorded["F1"] < 100


@pytest.mark.full  # tests/e2e/test_run_bert.py scores the same questions by make
def test_the_committed_model_scores_its_record(
    dev: Path, preprocessed: preprocess.PreprocessedSquad, recorded: dict[str, Any]
) -> None:
    scores = postprocess.score(record.logits(tiny.MODEL, preprocessed), preprocessed, dev)
    # Another CPU or runtime version rounds differently and may turn one of 10,570 questions: 0.0095 each.
    assert scores["F1"] == pytest.approx(recorded["F1"], abs=0.03)
    assert scores["exact_match"] == pytest.approx(recorded["exact_match"], abs=0.03)


def test_the_graph_looks_like_the_references() -> None:
    import onnx

    model = onnx.load(tiny.MODEL)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] >= 17
    for values, names, kind in (
        (model.graph.input, INPUTS, onnx.TensorProto.INT64),
        (model.graph.output, ["output_start_logits", "output_end_logits"], onnx.TensorProto.FLOAT),
    ):
        assert [value.name for value in values] == names
        for value in values:
            assert value.type.tensor_type.elem_type == kind
            assert [d.dim_param for d in value.type.tensor_type.shape.dim] == ["batch", "length"]
    weights = {entry.name: list(entry.dims) for entry in model.graph.initializer}
    assert weights["bert.embeddings.position_embeddings.weight"][0] == 512
    assert weights["bert.embeddings.word_embeddings.weight"][0] == len(tiny.VOCAB.read_text(encoding="utf-8").splitlines())
    assert tiny.MODEL.stat().st_size < 5_000_000


def test_padding_does_not_change_an_answer(preprocessed: preprocess.PreprocessedSquad) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(tiny.MODEL), providers=["CPUExecutionProvider"])
    length = int(preprocessed.lengths[0])
    whole = {name: np.asarray(getattr(preprocessed, name)[:1]).astype(np.int64) for name in INPUTS}
    cut = {name: array[:, :length] for name, array in whole.items()}
    for padded, plain in zip(session.run(None, whole), session.run(None, cut), strict=True):
        assert padded.shape == (1, 384) and plain.shape == (1, length)
        np.testing.assert_allclose(padded[:, :length], plain, atol=1e-3)


def test_openvino_agrees_with_onnxruntime(preprocessed: preprocess.PreprocessedSquad) -> None:
    import onnxruntime
    import openvino

    rows = slice(0, 8)
    feed = {name: np.asarray(getattr(preprocessed, name)[rows]).astype(np.int64) for name in INPUTS}
    expected = onnxruntime.InferenceSession(str(tiny.MODEL), providers=["CPUExecutionProvider"]).run(None, feed)
    compiled = openvino.Core().compile_model(str(tiny.MODEL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled(feed)
    for index, logits in enumerate(expected):
        np.testing.assert_allclose(answer[index], logits, atol=2e-3)


def test_training_without_torch_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from code.benchmarks.bert.tiny import train

    monkeypatch.setitem(sys.modules, "torch", None)
    assert train.main(["--out", str(tmp_path / "model")]) == 3
    assert "pip install '.[train]'" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
