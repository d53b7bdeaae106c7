"""Llama 3.1 8B's data: the prompt's words, the tokenizer's ids, local files, and token ids on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from code.benchmarks.benchmark import definition_of
from code.benchmarks.llama3_1_8b import checkpoint, data, facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.benchmark import BENCHMARK
from code.benchmarks.llama3_1_8b.prompt import INSTRUCTION, prompt
from code.benchmarks.text import cnndm, preprocess
from code.benchmarks.text.checkpoint import require_fit
from code.common.errors import MissingError, UsageError

ARTICLES = "data/cnndm/cnn_dailymail_v3_validation_first64.csv"
NAME = facts.NAME


def samples(*articles: str) -> list[cnndm.Sample]:
    return [cnndm.Sample(INSTRUCTION, article, f"About {number}.") for number, article in enumerate(articles)]


def test_the_prompt_is_the_references() -> None:
    assert prompt("A cat {input} sat.") == (
        "Summarize the following news article in 128 tokens. Please output the summary only, without any other text.\n\n"
        "Article:\nA cat {input} sat.\n\nSummary:"
    )


def test_a_prompt_begins_with_the_begin_of_text_and_numbers_are_split_by_threes() -> None:
    opened = tokenizer.read(tiny.MODEL)
    (ids,), (plain,) = opened.encode(["In 1234567 towns"]), opened.encode(["In 1234567 towns"], special=False)
    assert ids[1:] == plain and opened.decode([ids]) == ["In 1234567 towns"]
    pieces = [piece for piece, _ in opened.tokenizer.pre_tokenizer.pre_tokenize_str("He'll say 1234567 times!\n\n  Yes")]
    assert [piece.replace("Ġ", " ").replace("Ċ", "\n") for piece in pieces] == [
        *("He", "'ll", " say", " ", "123", "456", "7", " times", "!\n\n", " ", " Yes"),
    ]
    assert opened.ends == (opened.tokenizer.token_to_id("<|eot_id|>"), opened.tokenizer.token_to_id("<|end_of_text|>"))


def test_token_ids_are_those_of_the_installed_transformers(shared: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: make test_all_extras")
    theirs = transformers.AutoTokenizer.from_pretrained(str(tiny.MODEL))
    texts = [prompt(one.article) for one in cnndm.from_file(shared / ARTICLES, INSTRUCTION, NAME)]
    assert tokenizer.read(tiny.MODEL).encode(texts) == [theirs.encode(text) for text in texts]


def test_real_articles_go_through_prompts_and_tokenizer_and_back(shared: Path, tmp_path: Path) -> None:
    read = cnndm.from_file(shared / ARTICLES, INSTRUCTION, NAME)
    cnndm.write(read, tmp_path / "cnn_eval.json")
    made = preprocess.preprocess(BENCHMARK, tmp_path / "cnn_eval.json", tiny.MODEL, tmp_path / "out")
    opened = tokenizer.read(tiny.MODEL)
    assert len(made) == 64 and made.truncated == 0 and made.end == opened.ends[0]
    for index, sample in enumerate(read[:8]):
        (text,) = (opened.tokenizer.decode_batch([made.prompt(index).tolist()]),)
        assert text[0] == prompt(sample.article)


def test_token_ids_of_the_references_file_are_kept_and_compared_with_the_tokenizers(tmp_path: Path) -> None:
    opened, path = tokenizer.read(tiny.MODEL), tmp_path / "cnn_eval.json"
    (ids,) = opened.encode([prompt("A fire.")])
    given = {"instruction": {"llama": INSTRUCTION}, "input": "A fire.", "tok_input": ids, "output": "Fire."}
    path.write_text(json.dumps([given, {**given, "tok_input": [1, 2, 3]}]))
    made = preprocess.preprocess(BENCHMARK, path, tiny.MODEL, tmp_path / "out")
    assert made.prompt(0).tolist() == ids and made.prompt(1).tolist() == [1, 2, 3]
    assert preprocess.is_current(BENCHMARK, tmp_path / "out", path, tiny.MODEL)
    path.write_text(json.dumps([{**given, "tok_input": ids[:-1]}]))
    with pytest.raises(UsageError, match=r"are not those of .*tokenizer\.json"):
        preprocess.preprocess(BENCHMARK, path, tiny.MODEL, tmp_path / "out")


def test_a_tokenizer_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no tokenizer"):
        tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a tokenizer"):
        tokenizer.read(tmp_path)
    shutil.copy(tiny.MODEL / "tokenizer.json", tmp_path)
    with pytest.raises(UsageError, match="has an eos_token_id"):
        tokenizer.read(tmp_path)


def test_a_tokenizer_of_another_model_is_refused() -> None:
    opened = checkpoint.open_checkpoint(tiny.MODEL)
    with pytest.raises(UsageError, match="is the wrong tokenizer") as caught:
        require_fit(tiny.MODEL / "tokenizer.json", 128_256, 128_009, opened)
    assert "128,256 entries, and the model knows 1,024" in caught.value.why
    with pytest.raises(UsageError, match="is the wrong tokenizer"):
        require_fit(tiny.MODEL / "tokenizer.json", 1024, 7, opened)


def test_a_missing_model_is_an_error_with_the_steps_of_its_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    with pytest.raises(MissingError, match=r"Llama 3\.1 8B Instruct is not there") as caught:
        data.download_model(facts.FACTS, "reference")
    assert "Community License" in caught.value.why
    assert facts.HUB_REVISION in caught.value.next_step and "your own token" in caught.value.next_step


def test_a_part_of_the_data_set_does_not_pass_for_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "articles.csv"
    path.write_text("article,highlights\nOne.,1\n")
    for name, count in (("llama3.1-8b", "13,368"), ("llama3.1-8b-edge", "5,000")):
        with pytest.raises(UsageError, match=f"it has 1 articles, not {count}"):
            definition_of(name).import_data(path)


def test_the_8bs_own_dimensions_are_counted() -> None:
    config = {
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
    }
    assert checkpoint.ARCHITECTURE.parameters(config) == pytest.approx(8.03e9, rel=0.001)
    assert checkpoint.ARCHITECTURE.kv_numbers(config) == 2 * 32 * 8 * 128
    assert checkpoint.ARCHITECTURE.positions({**config, "max_position_embeddings": 131_072}) == 131_072
