"""BERT's score is the official one to the last digit, and a log that cannot be trusted is refused with the sample's number."""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from code.benchmarks.bert import accuracy, answer_text, evaluate, facts, postprocess, preprocess, squad
from code.benchmarks.bert.preprocess import PreprocessedSquad
from code.common.errors import MissingError, RunError, UsageError
from tests.unit.accuracy_data import bert_set

# ── F1 and exact match ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("prediction", "truth", "f1", "exact"),
    [
        ("The Normans!", "normans", 1.0, True),
        ("an apple a day", "apple day", 1.0, True),
        ("north of France", "in France", 0.4, False),
        ("red red blue", "red red red", 2 / 3, False),
        ("Paris", "London", 0.0, False),
        ("the", "a", 0.0, True),  # nothing is left of either: equal, but without a shared word
        ("U.S.", "US", 1.0, True),
        ("theory", "the ory", 0.0, False),
    ],
)
def test_f1_and_exact_match(prediction: str, truth: str, f1: float, exact: bool) -> None:
    assert evaluate.f1(prediction, truth) == f1
    assert evaluate.exact_match(prediction, truth) is exact


def test_the_best_answer_counts_and_a_missing_one_is_wrong() -> None:
    questions = (
        squad.Question("a", "?", ("Paris", "the city of Paris"), 0),
        squad.Question("b", "?", ("London",), 0),
        squad.Question("c", "?", ("Rome",), 0),
    )
    scores = evaluate.evaluate(squad.Squad(("x",), questions), {"a": "Paris", "b": "in London"})
    assert scores == {"F1": 100.0 * (1.0 + 2 / 3) / 3, "exact_match": 100.0 / 3}


# ── the answer in the original text ───────────────────────────────────────────


@pytest.mark.parametrize(
    ("predicted", "words", "answer"),
    [
        ("steve smith", "Steve Smith's", "Steve Smith"),
        ("1895", "(1895-1943).", "1895"),
        ("cafe", "Café,", "Café"),
        ("smith ' s", "Smith's", "Smith's"),
        ("a b", "a\u00a0b", "a\u00a0b"),  # not aligned: the words hold a character that the tokens lost
        ("paris", "London", "London"),  # not found
        ("", "(", "("),
        ("東 京", "東京", "東京"),
        ("b", "a\u0301 b", "a\u0301 b"),  # a combining accent is a character of its own
        ("10 , 000", "$10,000", "10,000"),
    ],
)
def test_the_answer_is_taken_from_the_original(predicted: str, words: str, answer: str) -> None:
    assert answer_text.original(predicted, words) == answer


def test_word_pieces_are_joined() -> None:
    assert answer_text.joined(["un", "##aff", "##able", ",", "no"]) == "unaffable , no"


def test_basic_tokens() -> None:
    text = "Ünder\u200bground—№5\u2028x\ufffd 東京 \ue000 $a=b~ ΟΔΟΣ"
    assert answer_text.basic_tokens(text) == (["underground", "—", "№5", "x", "東", "京", "$", "a", "=", "b", "~", "οδος"])


def test_white_space_separates_and_controls_do_not() -> None:
    assert answer_text.basic_tokens("a\tb\nc\rd\u00a0e\u3000f") == list("abcdef")
    assert answer_text.basic_tokens("a\u0000b\u200bc\ufffdd") == ["abcd"]


@pytest.mark.parametrize(
    ("code", "alone"),
    [
        *((code, True) for code in (0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAD9, 0x20000, 0x2A6D6)),
        *((code, True) for code in (0x2A700, 0x2B734, 0x2B740, 0x2B81D, 0x2B820, 0x2CEA1, 0x2F800, 0x2FA1D)),
        *((code, False) for code in (0x33FF, 0x4DC0, 0xA000, 0xFB00, 0x2CEB0, 0x30000)),
    ],
)
def test_ideographs_of_the_blocks_that_bert_knows_are_words(code: int, alone: bool) -> None:
    """Those of later blocks are not: BERT's tokenisation is of 2018."""
    assert len(answer_text.basic_tokens(f"a{chr(code)}b")) == (3 if alone else 1)


# ── from logits to answers ────────────────────────────────────────────────────


@pytest.fixture
def small(tmp_path: Path) -> tuple[PreprocessedSquad, Path, Path]:
    """A data set of 30 questions, a third of them on paragraphs of several windows."""
    return bert_set(tmp_path)


def plain_answers(logits: npt.NDArray[Any], arrays: PreprocessedSquad, data: squad.Squad) -> dict[str, str]:
    """The rule as it is written down, with lists, loops and Python's own stable sort."""
    pieces = arrays.pieces()
    candidates: dict[int, list[tuple[float, int, int, int]]] = {}
    for feature in range(len(arrays)):
        span = arrays.spans[feature]
        first, count = int(span["sequence_first"]), int(span["tokens"])
        best = np.unpackbits(arrays.max_context[feature])
        columns = (logits[feature, :, 0].tolist(), logits[feature, :, 1].tolist())
        starts, ends = (
            [place for place, _ in sorted(enumerate(column), key=lambda entry: entry[1], reverse=True)[:20]] for column in columns
        )
        for start in starts:
            for end in ends:
                inside = first <= start < first + count and first <= end < first + count
                if inside and best[start] and start <= end < start + 30:
                    total = float(logits[feature, start, 0]) + float(logits[feature, end, 1])
                    candidates.setdefault(int(span["question"]), []).append((total, feature, start, end))
    out = {}
    for number, question in enumerate(data.questions):
        ranked = sorted(candidates.get(number, []), key=lambda entry: entry[0], reverse=True)
        if not ranked:
            out[question.identity] = "empty"
            continue
        _, feature, start, end = ranked[0]
        span = arrays.spans[feature]
        shift = int(arrays.document_offsets[span["paragraph"]] + span["document_first"] - span["sequence_first"])
        words = squad.words(data.contexts[question.paragraph])
        stretch = words[arrays.document_words[shift + start] : arrays.document_words[shift + end] + 1]
        predicted = answer_text.joined([pieces[i] for i in arrays.input_ids[feature, start : end + 1]])
        out[question.identity] = answer_text.original(predicted, " ".join(stretch))
    return out


@pytest.mark.parametrize("step", [0.0, 1.0, 0.01])
def test_draws_are_broken_as_the_rule_says(small: tuple[PreprocessedSquad, Path, Path], step: float) -> None:
    arrays, dev, _ = small
    data = squad.read(dev)
    noise = np.random.default_rng(1).normal(0, 3, (len(arrays), 384, 2))
    logits = (np.round(noise / step) * step if step else np.zeros_like(noise)).astype(np.float32)
    assert len(arrays) > len(data.questions)
    assert postprocess.answers(logits, arrays, data) == plain_answers(logits, arrays, data)


def test_no_allowed_span_gives_the_reference_s_nonce(small: tuple[PreprocessedSquad, Path, Path]) -> None:
    arrays, dev, _ = small
    logits = np.zeros((len(arrays), 384, 2), np.float32)
    logits[:, :4] = 5 - np.arange(4)[:, None]  # the best places are all in the question or behind the text
    logits[:, 360:] = 3
    answers = postprocess.answers(logits, arrays, squad.read(dev))
    assert answers["1-0"] == "empty"


def test_logits_may_come_from_a_function(small: tuple[PreprocessedSquad, Path, Path]) -> None:
    arrays, dev, _ = small
    logits = np.random.default_rng(2).normal(0, 3, (len(arrays), 384, 2)).astype(np.float32)
    full = np.where(np.arange(384)[None, :, None] < arrays.lengths[:, None, None], logits, np.float32(-10000))
    assert postprocess.score(lambda n: logits[n, : arrays.lengths[n]], arrays, dev) == postprocess.score(full, arrays, dev)


def test_minus_infinity_is_only_the_worst(small: tuple[PreprocessedSquad, Path, Path]) -> None:
    arrays, dev, _ = small
    logits = np.full((len(arrays), 384, 2), -np.inf, np.float32)
    answers = postprocess.answers(logits, arrays, squad.read(dev))
    assert answers == plain_answers(logits, arrays, squad.read(dev))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_an_error(small: tuple[PreprocessedSquad, Path, Path], value: float) -> None:
    arrays, dev, _ = small
    logits = np.zeros((len(arrays), 384, 2), np.float32)
    logits[7, 3, 1] = value
    with pytest.raises(RunError, match="sample 7"):
        postprocess.score(logits, arrays, dev)


@pytest.mark.parametrize("shape", [(3, 384, 2), (None, 385, 2), (None, 384, 3), (None, 384, 1), (None, 384)])
def test_logits_of_another_shape_are_refused(small: tuple[PreprocessedSquad, Path, Path], shape: tuple[int | None, ...]) -> None:
    arrays, dev, _ = small
    with pytest.raises(UsageError, match="shape"):
        postprocess.score(np.zeros([len(arrays) if size is None else size for size in shape], np.float32), arrays, dev)


def test_data_of_another_squad_file_is_refused(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, _ = small
    content = json.loads(dev.read_text(encoding="utf-8"))
    paragraphs = content["data"][0]["paragraphs"]
    logits, other = np.zeros((len(arrays), 384, 2), np.float32), tmp_path / "other.json"
    more = {**paragraphs[0], "qas": [{**paragraphs[0]["qas"][0], "id": "new"}]}
    for changed in (paragraphs[:-1], [*paragraphs, more], paragraphs[::-1]):
        content["data"][0]["paragraphs"] = changed
        other.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(UsageError, match="was made from another SQuAD file"):
            postprocess.score(logits, arrays, other)


# ── LoadGen's log ─────────────────────────────────────────────────────────────


def write_log(folder: Path, responses: dict[int, npt.NDArray[Any]], change: Callable[[str], str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [
        f'{{ "seq_id" : {n}, "qsl_idx" : {index}, "data" : "{data.tobytes().hex().upper()}" }}'
        for n, (index, data) in enumerate(responses.items())
    ]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    (folder / accuracy.LOG_NAME).write_text(change(text) if change else text, encoding="utf-8")
    return folder


def responses_of(arrays: PreprocessedSquad, kind: str = "<f4") -> dict[int, npt.NDArray[Any]]:
    draw = np.random.default_rng(4)
    order = draw.permutation(len(arrays)).tolist()
    return {n: draw.normal(0, 3, (int(arrays.lengths[n]), 2)).astype(kind) for n in order}


def test_a_log_is_scored_as_its_logits(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, vocab = small
    for dtype in accuracy.DTYPES:
        responses = responses_of(arrays, {"float32": "<f4", "float16": "<f2"}[dtype])
        log = write_log(tmp_path / dtype, responses)
        scores = postprocess.score(lambda n, given=responses: given[n], arrays, dev)
        assert accuracy.check(log, arrays.folder, dev, vocab, dtype=dtype) == list(scores.items())


def test_token_counts_and_one_long_line_are_read_too(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, vocab = small
    responses = responses_of(arrays)
    usual = accuracy.check(write_log(tmp_path / "a", responses), arrays.folder, dev, vocab)
    counted = write_log(tmp_path / "b", responses, lambda text: text.replace('" }', '", "token_count" : 0 }'))
    assert accuracy.check(counted, arrays.folder, dev, vocab) == usual
    one_line = write_log(tmp_path / "c", responses, lambda text: text.replace("\n", ""))
    assert accuracy.check(one_line, arrays.folder, dev, vocab) == usual


def test_a_part_of_the_samples_counts_where_that_is_meant(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, vocab = small
    responses = dict(list(responses_of(arrays).items())[:5])
    log = write_log(tmp_path / "log", responses)
    with pytest.raises(RunError, match="lacks"):
        accuracy.check(log, arrays.folder, dev, vocab)
    present = np.isin(np.arange(len(arrays)), list(responses))
    logits, found = accuracy.read_log(log / accuracy.LOG_NAME, arrays, complete=False)
    assert found.tolist() == present.tolist()
    answers = postprocess.answers(logits, arrays, squad.read(dev), present=present)
    answered = {int(arrays.spans["question"][n]) for n in responses}
    identities = arrays.question_ids()
    assert all(answers[identities[n]] == "empty" for n in set(range(30)) - answered)


def test_positions_without_a_logit_count_as_minus_ten_thousand(
    small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path
) -> None:
    """Those of padding and of samples that the log lacks: the reference's value, which float16 holds, too."""
    arrays, _, _ = small
    (first, whole), (second, _) = list(responses_of(arrays).items())[:2]
    log = write_log(tmp_path / "log", {first: whole[:-1]})
    logits, _ = accuracy.read_log(log / accuracy.LOG_NAME, arrays, complete=False)
    assert np.array_equal(logits[first, : len(whole) - 1], whole[:-1])
    assert set(logits[first, len(whole) - 1 :].ravel()) == {-10000.0} == set(logits[second].ravel())


def test_a_log_without_any_response_is_an_error(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", {}, lambda _: "[\n]\n")
    with pytest.raises(RunError, match="contains no responses"):
        accuracy.read_log(log / accuracy.LOG_NAME, small[0], complete=False)


def without(index: int) -> Callable[[dict[int, Any]], dict[int, Any]]:
    return lambda responses: {n: data for n, data in responses.items() if n != index}


def with_sample(index: int, pairs: int) -> Callable[[dict[int, Any]], dict[int, Any]]:
    return lambda responses: {**responses, index: np.zeros((pairs, 2), "<f4")}


@pytest.mark.parametrize(
    ("harm", "change", "said"),
    [
        (without(3), str, "lacks 1 of"),
        (with_sample(999, 4), str, "sample 999 is unknown"),
        (with_sample(3, 0), str, "sample 3 has 0 bytes"),
        (with_sample(3, 385), str, "sample 3 has 3,080 bytes"),
        (with_sample(3, 1), lambda text: text.replace('"0000000000000000"', '"00000000000000"'), "sample 3 has 7 bytes"),
        (dict, lambda text: text[: len(text) // 2], "not a response"),
        (dict, lambda text: text.rstrip()[:-1], "is incomplete"),
        (dict, lambda text: text.replace('"qsl_idx" : 3,', '"qsl_idx" : 4,', 1), "sample 4 occurs twice"),
        (dict, lambda text: "garbage\n" + text, "not an accuracy log"),
        (dict, lambda text: "[\n]\n", "lacks"),
        (dict, lambda text: "", "is incomplete"),
    ],
)
def test_a_log_that_cannot_be_trusted_is_refused(
    small: tuple[PreprocessedSquad, Path, Path],
    tmp_path: Path,
    harm: Callable[[dict[int, Any]], dict[int, Any]],
    change: Callable[[str], str],
    said: str,
) -> None:
    arrays, dev, vocab = small
    log = write_log(tmp_path / "log", harm(responses_of(arrays)), change)
    with pytest.raises(RunError) as caught:
        accuracy.check(log, arrays.folder, dev, vocab)
    assert said in str(caught.value)
    assert str(log / accuracy.LOG_NAME) in str(caught.value)


def test_missing_files_are_named(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, vocab = small
    with pytest.raises(MissingError, match=accuracy.LOG_NAME):
        accuracy.check(tmp_path, arrays.folder, dev, vocab)
    with pytest.raises(MissingError, match="nowhere"):
        accuracy.check(tmp_path, tmp_path / "nowhere", dev, vocab)


def test_arrays_of_another_data_set_are_refused(small: tuple[PreprocessedSquad, Path, Path], tmp_path: Path) -> None:
    arrays, dev, vocab = small
    log = write_log(tmp_path / "log", responses_of(arrays))
    other = tmp_path / "other.json"
    other.write_text(dev.read_text(encoding="utf-8").replace("Who?", "Why?"), encoding="utf-8")
    with pytest.raises(UsageError, match="was not made from"):
        accuracy.check(log, arrays.folder, other, vocab)


# ── the whole dev set ─────────────────────────────────────────────────────────


def hashed_logits(count: int) -> npt.NDArray[np.float32]:
    """Logits [count, 384, 2] in steps of a quarter, so that draws abound, from integer arithmetic alone."""
    n = np.arange(count * 768, dtype=np.uint64)
    n = (n ^ (n >> np.uint64(15))) * np.uint64(0x9E3779B97F4A7C15)
    n = (n ^ (n >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    n ^= n >> np.uint64(32)
    return ((n % np.uint64(41)).astype(np.float32) / 4 - 5).reshape(count, 384, 2)


@pytest.mark.full
def test_the_dev_set_scores_what_the_official_scripts_say(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/squad/dev-v1.1.json.zip") as archive:
        archive.extract("dev-v1.1.json", tmp_path)
    dev, vocab = tmp_path / "dev-v1.1.json", shared / "data/bert_vocab/vocab.txt"
    preprocess.preprocess(dev, vocab, tmp_path / "arrays")
    arrays = preprocess.load(tmp_path / "arrays")
    logits = hashed_logits(len(arrays))
    log = write_log(tmp_path / "log", {n: logits[n, : arrays.lengths[n]] for n in range(len(arrays))})
    # accuracy-squad.py and evaluate_v1.1.py of MLPerf Inference printed these for the same log.
    assert accuracy.check(log, arrays.folder, dev, vocab) == [("F1", 7.2715929087957445), ("exact_match", 0.10406811731315042)]


def test_f1_of_counted_words_is_that_of_the_definition() -> None:
    draw = random.Random(8)
    for _ in range(300):
        first, second = (
            " ".join(draw.choices(["the", "a", "red", "blue", "Red.", "x-y", "!"], k=draw.randint(0, 6))) for _ in (0, 1)
        )
        a, b = evaluate.normalised(first), evaluate.normalised(second)
        shared_words = sum((Counter(a) & Counter(b)).values())
        expected = (
            2 * (shared_words / len(a)) * (shared_words / len(b)) / (shared_words / len(a) + shared_words / len(b))
            if shared_words
            else 0.0
        )
        assert evaluate.f1(first, second) == expected


def test_the_facts_are_the_published_ones(shared: Path) -> None:
    published = json.loads((shared / "facts/benchmarks.json").read_text(encoding="utf-8"))["bert"]
    assert published["full_names"] == facts.FULL_NAMES
    assert list(facts.ALIASES) == published["aliases"]
    assert list(facts.SCENARIOS) == published["scenarios"]
    assert list(facts.COMPLIANCE_TESTS) == published["compliance"]
    assert (10570, published["dataset_samples"]) == (facts.QUESTIONS, facts.DATASET_SAMPLES)
    assert published["performance_sample_count"] == facts.PERFORMANCE_SAMPLE_COUNT
    metric = published["metric"]
    assert (facts.METRIC, facts.REFERENCE_F1, list(facts.ALSO_REPORTS)) == ("F1", metric["reference"], metric["also_reports"])
    assert {name: metric[name] for name in facts.TARGET_F1} == facts.TARGET_F1
    assert {name: facts.REFERENCE_F1 * share for name, share in facts.TARGET_SHARES.items()} == pytest.approx(facts.TARGET_F1)
    assert published["server_target_latency_ms"] == facts.SERVER_LATENCY_MS
    assert {"inputs": list(facts.INPUT_NAMES), "outputs": list(facts.OUTPUT_NAMES)} == published["onnx_names"]
    files = {(entry["path"], entry["url"]) for entry in published["data"] + published["models"]}
    ours = (facts.DEV_SET, facts.MODEL, facts.MODEL_INT8, facts.VOCABULARY)
    assert {(file.path, file.url) for file in ours} == files
    assert facts.DEV_SET.size == published["data"][0]["bytes"]
