"""A SQuAD file is read whole or refused with the file and the place that is wrong."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.bert import squad
from code.common.errors import MissingError, UsageError

CONTEXT = "The Normans gave their\tname to\u202fNormandy, a region."
GOOD: dict[str, Any] = {
    "version": "1.1",
    "data": [
        {
            "title": "Normans",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "Who gave it?",
                            "answers": [
                                {"text": "Normans", "answer_start": 4},
                                {"text": "The Normans", "answer_start": 0},
                                {"text": "Normans", "answer_start": 4},
                            ],
                        },
                        {"id": "q2", "question": "What?", "answers": [{"text": "a region", "answer_start": 41}]},
                    ],
                }
            ],
        }
    ],
}
QUESTION = ("data", 0, "paragraphs", 0, "qas", 0)


def written(folder: Path, content: Any) -> Path:
    path = folder / "dev.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_reads_questions_in_order_with_all_their_answers(tmp_path: Path) -> None:
    data = squad.read(written(tmp_path, GOOD))
    assert data.contexts == (CONTEXT,)
    assert [question.identity for question in data.questions] == ["q1", "q2"]
    assert data.questions[0].answers == ("Normans", "The Normans", "Normans")
    assert {question.paragraph for question in data.questions} == {0}


def test_words_end_at_the_reference_s_white_space_only() -> None:
    assert squad.words(CONTEXT) == ["The", "Normans", "gave", "their", "name", "to", "Normandy,", "a", "region."]
    assert squad.words("no\u00a0break\u2003em \n\r\t x") == ["no\u00a0break\u2003em", "x"]
    assert squad.words(" \n") == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("version",), "2.0", "'2.0'"),
        (("version",), None, "version"),
        (("data",), {}, "an object instead of a list"),
        (("data", 0, "paragraphs"), ..., "data[0]"),
        (("data", 0, "paragraphs", 0, "context"), " ", "data[0].paragraphs[0].context"),
        ((*QUESTION, "question"), 7, "data[0].paragraphs[0].qas[0].question"),
        ((*QUESTION, "id"), "q2", "is already the id of data[0].paragraphs[0].qas[0]"),
        ((*QUESTION, "answers"), [], "data[0].paragraphs[0].qas[0].answers"),
        ((*QUESTION, "answers", 1, "answer_start"), 1, "data[0].paragraphs[0].qas[0].answers[1]"),
        ((*QUESTION, "answers", 1, "answer_start"), -11, "is not at -11"),
        ((*QUESTION, "answers", 1, "answer_start"), True, "true or false instead of a whole number"),
    ],
)
def test_names_the_place_that_is_wrong(tmp_path: Path, place: tuple[Any, ...], value: Any, said: str) -> None:
    content = copy.deepcopy(GOOD)
    holder: Any = content
    for step in place[:-1]:
        holder = holder[step]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        squad.read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_names_line_and_column_of_broken_json(tmp_path: Path) -> None:
    path = written(tmp_path, '{"version": "1.1",\n "data": nothing}')
    with pytest.raises(UsageError, match="not valid JSON") as caught:
        squad.read(path)
    assert caught.value.where == f"{path}:2"
    assert "column 10" in caught.value.why


def test_says_that_a_file_is_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(GOOD)[:200])
    with pytest.raises(UsageError, match="truncated"):
        squad.read(path)


def test_a_file_without_questions_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question"):
        squad.read(written(tmp_path, {"version": "1.1", "data": []}))


def test_an_archive_is_not_taken_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dev.json", json.dumps(GOOD) * 20)
    with pytest.raises(UsageError, match="archive"):
        squad.read(path)


def test_a_missing_file_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        squad.read(tmp_path / "none.json")
    assert "make download_data BENCHMARKS=bert" in caught.value.next_step


def test_the_published_dev_set(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data/squad/dev-v1.1.json.zip") as archive:
        archive.extract("dev-v1.1.json", tmp_path)
    data = squad.read(tmp_path / "dev-v1.1.json")
    assert (len(data.contexts), len(data.questions)) == (2067, 10570)
