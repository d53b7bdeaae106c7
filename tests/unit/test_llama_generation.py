"""Llama 3.1 8B's generation and scores: tokens equal to Hugging Face's, the reference's ROUGE, and both bounds of the length."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from code.actions import Context
from code.benchmarks.benchmark import definition_of
from code.benchmarks.llama3_1_8b import facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.benchmark import BENCHMARK
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text import accuracy, cnndm, scores, sentences
from code.benchmarks.text.generating import generation
from code.common.constants import AccuracyTarget
from code.common.errors import UsageError
from code.common.files import sha256
from code.plan.request import parse
from code.plan.workload import build
from code.rules.benchmark_facts import Target
from code.run import loadgen_run
from tests.unit.test_gptj_accuracy import reference_steps, write_log


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return record.evaluation_set(tiny.MODEL, tmp_path_factory.mktemp("tiny"), record.FIRST)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tiny.RECORD.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def answers(prompts: Any) -> list[Any]:
    """To the first prompts."""
    return generated(prompts, record.EXPECTED)


@pytest.fixture(scope="module")
def every_answer(prompts: Any) -> list[Any]:
    return generated(prompts, record.FIRST)


def generated(prompts: Any, count: int) -> list[Any]:
    opened, _ = prompts
    assert len(opened) == record.FIRST
    return record.generated(tiny.MODEL, [np.array(opened.prompt(index)) for index in range(count)])


def test_tokens_are_hugging_faces(answers: list[Any]) -> None:
    """Against the committed answers of transformers' greedy generate."""
    expected = json.loads((tiny.MODEL / record.EXPECTED_FILE).read_text(encoding="utf-8"))
    assert expected["count"] == record.EXPECTED == len(expected["greedy"])
    assert [tokens.tolist() for tokens in answers[: record.EXPECTED]] == expected["greedy"]
    for tokens in answers:
        assert tokens.dtype == np.int32 and facts.MIN_NEW_TOKENS <= len(tokens) <= facts.MAX_NEW_TOKENS


def test_the_committed_answers_are_the_installed_transformers(prompts: Any) -> None:
    pytest.importorskip("torch", reason="torch is not installed: make test_all_extras")
    pytest.importorskip("transformers", reason="transformers is not installed: make test_all_extras")
    expected = json.loads((tiny.MODEL / record.EXPECTED_FILE).read_text(encoding="utf-8"))
    wanted = [np.array(prompts[0].prompt(index)) for index in range(8)]
    assert record.hugging_face(tiny.MODEL, wanted) == expected["greedy"][:8]


@pytest.mark.full
def test_the_model_scores_its_record_on_the_first_samples(
    prompts: Any, every_answer: list[Any], recorded: dict[str, Any]
) -> None:
    found = record.scores(every_answer, cnndm.read(prompts[1], facts.NAME), tokenizer.read(tiny.MODEL))
    for name in facts.REFERENCE:
        assert found[name] == pytest.approx(recorded["first"][name], rel=0.003)


def test_the_record_speaks_of_what_is_committed(recorded: dict[str, Any], tmp_path: Path) -> None:
    assert recorded["files"] == {str(path.relative_to(tiny.MODEL)): sha256(path) for path in record.committed(tiny.MODEL)}
    assert recorded["scores"]["GEN_NUM"] == record.MEASURED and recorded["samples"] == facts.SAMPLES
    assert recorded["scores"]["ROUGE1"] > recorded["scores"]["ROUGE2"] > 20
    tiny.generate_eval(tmp_path / "a.json", facts.SAMPLES)
    assert sha256(tmp_path / "a.json") == recorded["eval_sha256"]


def test_the_model_has_what_the_8b_has(recorded: dict[str, Any]) -> None:
    config = json.loads((tiny.MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["num_key_value_heads"] < config["num_attention_heads"] and config["hidden_act"] == "silu"
    assert config["rope_parameters"]["rope_type"] == "llama3" and config["tie_word_embeddings"] is False
    scaled = config["rope_parameters"]["original_max_position_embeddings"]
    assert scaled > recorded["prompt_tokens"]["most"] / 4, "prompts reach positions whose rotations are stretched"
    assert sum(path.stat().st_size for path in tiny.MODEL.rglob("*") if path.is_file()) < 8_000_000


def test_every_end_of_text_is_known_to_the_generator() -> None:
    how = generation(BENCHMARK.text, {}, (1023, 1022))
    assert (how["eos"], how["also_ends"], how["num_beams"], how["min_new_tokens"], how["max_new_tokens"]) == (
        1023,
        [1022],
        1,
        1,
        128,
    )
    with pytest.raises(UsageError, match="max_new_tokens cannot be 0"):
        generation(BENCHMARK.text, {"max_new_tokens": 0}, (1,))
    assert BENCHMARK.open_reason({"max_new_tokens": 64}) == "max_new_tokens is 64, and the benchmark's is 128"
    assert (
        BENCHMARK.open_reason({"precision": "int4"}) == "weights of int4" and BENCHMARK.open_reason({"precision": "bf16"}) == ""
    )


def test_scores_are_the_references_steps(prompts: Any, answers: list[Any]) -> None:
    opened, samples = tokenizer.read(tiny.MODEL), cnndm.read(prompts[1], facts.NAME)
    found = accuracy.score(BENCHMARK, dict(enumerate(answers)), samples, opened, sentences.lines)
    texts = opened.decode([tokens.tolist() for tokens in answers])
    assert found == reference_steps(texts, [sample.highlights for sample in samples[: len(texts)]])


@pytest.mark.official
def test_scores_are_those_of_the_official_evaluation(
    prompts: Any, every_answer: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """language/llama3.1-8b/evaluation.py on the same log, with this project's sentences in place of NLTK's model."""
    import os

    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root:
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout")
    for package in ("torch", "transformers", "pandas"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test_all_extras")
    opened, path = tokenizer.read(tiny.MODEL), tmp_path / "cnn_eval.json"
    samples = cnndm.read(prompts[1], facts.NAME)
    ids = opened.encode(["x" for _ in samples])
    cnndm.write([cnndm.Sample("i", s.article, s.highlights, tuple(i)) for s, i in zip(samples, ids, strict=True)], path)
    log = write_log(tmp_path / "mlperf_log_accuracy.json", {index: tokens.tolist() for index, tokens in enumerate(every_answer)})
    for name, module in official_stand_ins().items():
        monkeypatch.setitem(sys.modules, name, module)
    folder = Path(root) / "language/llama3.1-8b"
    monkeypatch.syspath_prepend(str(folder))
    arguments = ["--mlperf-accuracy-file", str(log), "--dataset-file", str(path), "--dtype", "int32"]
    monkeypatch.setattr(sys, "argv", ["evaluation.py", *arguments, "--model-name", str(tiny.MODEL)])
    runpy.run_path(str(folder / "evaluation.py"), run_name="__main__")
    printed = capsys.readouterr().out.rpartition("Results")[2]
    found = accuracy.score(BENCHMARK, dict(enumerate(every_answer)), samples, opened, sentences.lines)
    for key, name in (("rouge1", "ROUGE1"), ("rouge2", "ROUGE2"), ("rougeL", "ROUGEL"), ("rougeLsum", "ROUGELSUM")):
        assert f"'{key}': '{found[name]}'" in printed
    assert f"{int(found['GEN_LEN'])}" in printed and f"'gen_num': {len(every_answer)}" in printed


def official_stand_ins() -> dict[str, ModuleType]:
    """What the official evaluation imports beside torch and transformers: `evaluate`'s ROUGE, NLTK without its model, and `datasets`."""
    from rouge_score import rouge_scorer

    class Rouge:
        def compute(self, predictions: list[str], references: list[str], **_: Any) -> dict[str, list[float]]:
            kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
            scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
            found = [scorer.score(reference, text) for reference, text in zip(references, predictions, strict=True)]
            return {kind: [one[kind].fmeasure for one in found] for kind in kinds}

    evaluate, nltk, datasets = ModuleType("evaluate"), ModuleType("nltk"), ModuleType("datasets")
    evaluate.load = lambda _: Rouge()  # type: ignore[attr-defined]
    nltk.download = lambda _: None  # type: ignore[attr-defined]
    nltk.sent_tokenize = sentences.lines  # type: ignore[attr-defined]
    datasets.load_dataset = datasets.load_from_disk = None  # type: ignore[attr-defined]
    return {"evaluate": evaluate, "nltk": nltk, "datasets": datasets}


def test_a_text_that_is_too_long_fails_as_one_that_is_too_short_does() -> None:
    target = facts.target("x", {"ROUGE1": 50.0, "GEN_LEN": 1000})
    for length, passed in ((899, [True, False, True]), (1000, [True, True, True]), (1101, [True, True, False])):
        found = scores.judged({"ROUGE1": 49.5, "GEN_LEN": float(length)}, target)
        assert [one.passed for one in found] == passed
    assert isinstance(target, Target) and target.most == {"GEN_LEN": pytest.approx(1100)}


def test_both_forms_share_everything_but_their_facts() -> None:
    ours, edge = definition_of("llama3.1-8b"), definition_of("llama3.1-8b-edge")
    assert type(ours) is type(edge) and (ours.samples, edge.samples) == (13_368, 5_000)
    assert [str(scenario) for scenario in ours.scenarios] == ["Offline", "Server", "Interactive"]
    assert [str(scenario) for scenario in edge.scenarios] == ["Offline", "SingleStream"]
    assert ours.full_name(AccuracyTarget.k_99) == "llama3.1-8b" and edge.full_name(AccuracyTarget.k_99) == "llama3.1-8b-edge"
    assert (ours.facts.loadgen_model("Interactive"), edge.facts.loadgen_model("Offline")) == (
        "llama3_1-8b-interactive",
        "llama3_1-8b-edge",
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--benchmarks=llama3.1-8b --scenarios=server", 2_000_000_000 + 127 * 100_000_000),
        ("--benchmarks=llama3.1-8b --scenarios=interactive", 500_000_000 + 127 * 30_000_000),
        ("--benchmarks=llama3.1-8b --scenarios=offline", 0),
        ("--benchmarks=gptj --scenarios=server", 0),
    ],
)
def test_a_simulation_is_judged_by_whole_texts_within_the_bounds_of_tokens(words: str, expected: int) -> None:
    found, failed = build(parse(["--action=run", "--system=CPU_x86_64", *words.split()], {}))
    assert not failed and loadgen_run.whole_text_ns(Context(parse([], {})).job(found[0])) == expected
