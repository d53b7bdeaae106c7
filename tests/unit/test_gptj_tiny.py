"""The tiny variant of GPT-J: its set is the same everywhere and as large as CNN/DailyMail's, and what is committed belongs together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks.gptj import bpe, cnndm, facts, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.tiny import record
from code.benchmarks.text import preprocess
from code.benchmarks.text.tiny import articles
from code.common.errors import UsageError
from code.common.files import sha256
from tests.empty import some


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tiny.RECORD.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "cnn_eval.json"
    tiny.generate_eval(path)
    return path


@pytest.mark.full
def test_the_set_is_the_recorded_one_with_as_many_samples_as_cnn_dailymail(made: Path, recorded: dict[str, Any]) -> None:
    assert len(cnndm.read(made)) == facts.DATASET_SAMPLES == recorded["samples"]
    assert sha256(made) == recorded["eval_sha256"]


def test_the_set_does_not_depend_on_the_process(project: Path, tmp_path: Path) -> None:
    """Another hash seed and another locale give the same bytes."""
    tiny.generate_eval(tmp_path / "a.json", 200)
    other = f"tiny.generate_eval(Path({str(tmp_path / 'b.json')!r}), 200)"
    command = f"from pathlib import Path; from code.benchmarks.gptj import tiny; {other}"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", command], cwd=project, env=environment, check=True, timeout=120)
    assert len(cnndm.read(tmp_path / "a.json")) == 200 and sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")


@pytest.mark.full
def test_prompts_are_of_varied_length(made: Path, tmp_path: Path, recorded: dict[str, Any]) -> None:
    opened = preprocess.preprocess(BENCHMARK, made, tiny.MODEL, tmp_path / "out")
    lengths = np.asarray(opened.lengths)
    assert opened.truncated == 0 and lengths.max() > 3 * lengths.min()
    assert (int(lengths.min()), int(lengths.max())) == (recorded["prompt_tokens"]["least"], recorded["prompt_tokens"]["most"])


def test_training_and_evaluation_articles_are_different() -> None:
    seen = {articles.article("train-1", index).text for index in range(2000)}
    assert not any(articles.article(articles.EVAL_SEED, index).text in seen for index in range(2000))


def test_every_fact_of_the_highlights_stands_in_the_article() -> None:
    import re

    words = re.compile(r"[A-Z][a-z]+[a-z]{3}|\d+")
    fixed = {w for story in articles.stories() for h in story.highlights for part in h.parts[::2] for w in words.findall(part)}
    every = (articles.article(articles.EVAL_SEED, index) for index in range(500))
    for word, one in some((word, each) for each in every for word in set(words.findall(each.highlights)) - fixed):
        assert word.lower() in one.text.lower(), (word, one)


def test_the_record_speaks_of_what_is_committed(recorded: dict[str, Any]) -> None:
    assert recorded["files"] == {str(path.relative_to(tiny.MODEL)): sha256(path) for path in record.committed(tiny.MODEL)}
    for beams in ("beams_4", "beams_1"):
        scores = recorded["scores"][beams]
        assert scores["ROUGE1"] > 60 and scores["ROUGEL"] > scores["ROUGE2"] > 40 and scores["GEN_NUM"] == facts.DATASET_SAMPLES


@pytest.mark.full
def test_the_vocabulary_is_learnt_anew_to_the_same_entries(tmp_path: Path) -> None:
    from code.benchmarks.gptj.tiny import vocabulary

    vocabulary.learn(vocabulary.corpus(), tmp_path)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / name).read_bytes() == (tiny.MODEL / name).read_bytes()
    assert bpe.read(tmp_path).end == vocabulary.SIZE - 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("what is this\n", "cannot read"),
        ("place: nowhere\n", "cannot read"),
        ("place: town\n| A fire in {plaec}.\n> Fire in {place}.\n", "unknown slot {plaec}"),
        ("place: town\nday: day\n| A fire in {place}.\n> Fire in {place} on {day}.\n", "nothing states day"),
    ],
)
def test_a_wrong_story_is_told_with_its_file(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        articles.read(path)
    assert str(path) in caught.value.where
