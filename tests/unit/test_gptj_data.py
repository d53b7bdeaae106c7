"""GPT-J's data: the prompt's words, the vocabulary's ids, local files, and token ids on disk."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from code.benchmarks.gptj import bpe, cnndm, facts, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.prompt import INSTRUCTION, prompt
from code.benchmarks.text import preprocess
from code.benchmarks.text.cnndm import HUB_REVISION
from code.common.errors import MissingError, UsageError

ARTICLES = "data/cnndm/cnn_dailymail_v3_validation_first64.csv"
# SHA-256 of the JSON list of ids that transformers 5.5.4's GPT-2 tokeniser gives the prompts and the highlights of those 64 articles.
REFERENCE_IDS = "a566cabb7c30e71fd9f9f4cc1205cff434821f2672215948853ffe84ca017f0f"


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def samples(*articles: str) -> list[cnndm.Sample]:
    return [cnndm.Sample(INSTRUCTION, article, f"About {number}.") for number, article in enumerate(articles)]


def test_the_prompt_is_the_references() -> None:
    made = prompt("A cat {input} sat.")
    assert made == (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that "
        "appropriately completes the request.\n\n### Instruction:\nSummarize the following news article:\n\n### Input:\nA cat {input} "
        "sat.\n\n### Response:"
    )


def test_token_ids_are_those_of_hugging_faces_tokeniser(shared: Path) -> None:
    read = cnndm.from_file(shared / ARTICLES)
    texts = [prompt(sample.article) for sample in read] + [sample.highlights for sample in read]
    ids = bpe.read(shared / "data/gpt2_bpe").encode(texts)
    assert hashlib.sha256(json.dumps(ids).encode()).hexdigest() == REFERENCE_IDS


def test_token_ids_are_those_of_the_installed_transformers(shared: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: make test_all_extras")
    for name, source in (("vocab.json", "encoder.json"), ("merges.txt", "vocab.bpe")):
        (tmp_path / name).write_bytes((shared / "data/gpt2_bpe" / source).read_bytes())
    theirs = transformers.GPT2Tokenizer.from_pretrained(str(tmp_path))
    texts = [prompt(sample.article) for sample in cnndm.from_file(shared / ARTICLES)]
    assert bpe.read(tmp_path).encode(texts) == [theirs(text)["input_ids"] for text in texts]


def test_a_vocabulary_is_the_same_in_all_three_forms(tmp_path: Path) -> None:
    opened = bpe.read(tiny.MODEL)
    old, whole = tmp_path / "old", tmp_path / "whole"
    old.mkdir()
    whole.mkdir()
    (old / "encoder.json").write_bytes((tiny.MODEL / "vocab.json").read_bytes())
    (old / "vocab.bpe").write_bytes((tiny.MODEL / "merges.txt").read_bytes())
    opened.tokenizer.save(str(whole / "tokenizer.json"))
    text = prompt("Café owners in Wenbridge, 42 of them: “no”.\n\tYes<|endoftext|>")
    ids = opened.encode([text])
    assert opened.end in ids[0] and max(ids[0]) < opened.size
    for place in (old, whole, old / "vocab.bpe", whole / "tokenizer.json"):
        other = bpe.read(place)
        assert (other.encode([text]), other.end, other.size) == (ids, opened.end, opened.size)
    assert opened.decode(ids) == [text.replace("<|endoftext|>", "")]


def test_what_is_no_vocabulary_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no BPE vocabulary"):
        bpe.read(tmp_path)
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(UsageError, match="is not a BPE vocabulary"):
        bpe.read(tmp_path)
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    with pytest.raises(UsageError, match=r"has no <\|endoftext\|>"):
        bpe.read(tmp_path)


def test_every_kind_of_local_file_gives_the_same_samples(tmp_path: Path) -> None:
    rows = [{"article": 'Said "no",\nthen left.', "highlights": "No .\nLeft ."}, {"article": "Zwei.", "highlights": "2"}]
    places = [write_csv(tmp_path / "a.csv", [{"id": "1", **row} for row in rows]), tmp_path / "a.json", tmp_path / "a.jsonl"]
    places[1].write_text(json.dumps(rows))
    places[2].write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [cnndm.from_file(place) for place in places]
    assert found[0] == found[1] == found[2]
    assert (found[0][0].article, found[0][0].highlights) == (rows[0]["article"], rows[0]["highlights"])
    cnndm.write(found[0], tmp_path / "cnn_eval.json")
    assert cnndm.read(tmp_path / "cnn_eval.json") == found[0] == cnndm.from_file(tmp_path / "cnn_eval.json")


def test_parquet_gives_the_same_samples(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: make test_all_extras")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"article": ["A."], "highlights": ["B."]}), tmp_path / "a.parquet")
    assert cnndm.from_file(tmp_path / "a.parquet") == [cnndm.Sample(INSTRUCTION, "A.", "B.")]


def test_an_empty_article_is_said_with_its_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"article": "One.", "highlights": "1"}, {"article": " ", "highlights": "2"}])
    with pytest.raises(UsageError, match="empty article") as caught:
        cnndm.from_file(path)
    assert caught.value.where == f"{path}:3"
    cnndm.write(samples("One.", ""), tmp_path / "cnn_eval.json")
    with pytest.raises(UsageError, match=r"entry 1 of .*empty article"):
        cnndm.read(tmp_path / "cnn_eval.json")


def test_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"articel": "One.", "highlights": "1"}])
    with pytest.raises(UsageError, match="column article is missing") as caught:
        cnndm.from_file(path)
    assert "'articel'" in caught.value.why and caught.value.where == f"{path}:2"


@pytest.mark.parametrize(
    ("name", "text"), [("a.xml", "<a/>"), ("a.json", "[1"), ("a.json", "[1]"), ("a.csv", "article,highlights\n")]
)
def test_what_cannot_be_read_is_a_clear_error(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError):
        cnndm.from_file(tmp_path / name)


def test_a_part_of_the_data_set_does_not_pass_for_the_whole(tmp_path: Path) -> None:
    cnndm.write(samples("One."), tmp_path / "cnn_eval.json")
    with pytest.raises(UsageError, match=r"validation split: it has 1 articles, not 13,368"):
        BENCHMARK.import_data(tmp_path / "cnn_eval.json")


def test_without_network_the_manual_steps_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingError) as caught:
        cnndm.from_hub()
    assert "--cnndm_source=FILE" in caught.value.next_step and "pip install" in caught.value.next_step


def test_the_data_set_comes_from_a_pinned_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    asked: dict[str, object] = {}
    rows = [{"article": "A fire.", "highlights": "Fire."}]
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda *_, **named: asked.update(named) or rows))
    assert [sample.article for sample in cnndm.from_hub()] == ["A fire."]
    assert asked == {"split": "validation", "revision": HUB_REVISION} and len(HUB_REVISION) == 40


def test_arrays_hold_the_prompts_and_long_ones_lose_their_end(tmp_path: Path) -> None:
    long = "The fire in Wenbridge. " * 600
    cnndm.write(samples("A fire.", long, "Two fires."), tmp_path / "cnn_eval.json")
    said: list[str] = []
    made = preprocess.preprocess(BENCHMARK, tmp_path / "cnn_eval.json", tiny.MODEL, tmp_path / "out", said.append)
    opened = bpe.read(tiny.MODEL)
    expected = opened.encode([prompt("A fire."), prompt(long), prompt("Two fires.")])
    assert made.truncated == 1 and any("1 prompts are truncated to 1,919 tokens" in line for line in said)
    for index, ids in enumerate(expected):
        assert made.prompt(index).tolist() == ids[: facts.MAX_INPUT_TOKENS]
    assert made.lengths.tolist() == [len(expected[0]), facts.MAX_INPUT_TOKENS, len(expected[2])]
    assert made.tokens.dtype == np.int32 and not made.tokens.flags.writeable and made.end == opened.end


def test_arrays_are_made_again_only_when_an_input_changed(tmp_path: Path) -> None:
    path, out = tmp_path / "cnn_eval.json", tmp_path / "out"
    cnndm.write(samples("A fire."), path)
    assert not preprocess.is_current(BENCHMARK, out, path, tiny.MODEL)
    preprocess.preprocess(BENCHMARK, path, tiny.MODEL, out)
    assert preprocess.is_current(BENCHMARK, out, path, tiny.MODEL)
    path.touch()
    assert preprocess.is_current(BENCHMARK, out, path, tiny.MODEL), "the same content with another time"
    cnndm.write(samples("Another fire."), path)
    assert not preprocess.is_current(BENCHMARK, out, path, tiny.MODEL)


def test_damaged_arrays_are_told_by_name(tmp_path: Path) -> None:
    cnndm.write(samples("A fire."), tmp_path / "cnn_eval.json")
    preprocess.preprocess(BENCHMARK, tmp_path / "cnn_eval.json", tiny.MODEL, tmp_path / "out")
    tokens = tmp_path / "out/tokens.npy"
    tokens.write_bytes(tokens.read_bytes()[:-4])
    with pytest.raises(MissingError, match=r"tokens\.npy is damaged") as caught:
        preprocess.load(BENCHMARK, tmp_path / "out")
    assert "make preprocess_data BENCHMARKS=gptj" in caught.value.next_step
    assert not preprocess.is_current(BENCHMARK, tmp_path / "out", tmp_path / "cnn_eval.json", tiny.MODEL)
    (tmp_path / "out/manifest.json").unlink()
    with pytest.raises(MissingError, match="does not exist"):
        preprocess.load(BENCHMARK, tmp_path / "out")
