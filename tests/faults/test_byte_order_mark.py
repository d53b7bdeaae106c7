"""A byte order mark, which some editors put before a text, changes nothing that is read from a person or another program."""

from __future__ import annotations

import ast
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.bert import squad, vocabulary
from code.benchmarks.gptj import cnndm
from code.common import jsonfile
from code.plan import conf_files
from code.precision import samples
from code.results.loadgen_log import read_detail
from code.submission.check import accuracy_text, summary_log
from code.submission.stage import identity
from code.systems import custom
from tests.faults import made

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word", "##s"]
QUESTION = {"id": "q", "question": "Which word?", "answers": [{"text": "word", "answer_start": 2}]}
SQUAD = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "a word here", "qas": [QUESTION]}]}]}


def calibration_list(path: Path) -> Any:
    return samples._indices(path.read_text(encoding="utf-8-sig").splitlines(), 10, path)


READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "SQuAD": ("dev.json", json.dumps(SQUAD), squad.read),
    "vocabulary": ("vocab.txt", "\n".join(PIECES) + "\n", vocabulary.read),
    "CNN/DailyMail as CSV": ("a.csv", "article,highlights\nA text.,A sum.\n", cnndm.from_file),
    "CNN/DailyMail as JSON": ("a.json", json.dumps([{"article": "A text.", "highlights": "A sum."}]), cnndm.from_file),
    "CNN/DailyMail as lines": ("a.jsonl", json.dumps({"article": "A text.", "highlights": "A sum."}), cnndm.from_file),
    "user.conf": (
        "user.conf",
        "*.Offline.target_qps = 3\n",
        lambda path: [one.key for one in conf_files.read(path, "user_conf_path")],
    ),
    "submission.toml": ("submission.toml", 'submitter = "Me"\n', lambda path: identity.read_file(path)[0]),
    "calibration list": ("list.txt", "3\n5\n", calibration_list),
    "custom_list.py": ("custom_list.py", "X = 1\n", lambda path: custom.read_custom_list(path)[1]),
    "custom_list.json": ("custom_list.json", "{}", lambda path: custom.read_custom_list(path)[1]),
    "accuracy.txt": ("accuracy.txt", '{"exact_match": 80.0, "f1": 90.5}\n', lambda path: accuracy_text.scores(path, ("F1",))),
    "summary": ("mlperf_log_summary.txt", "Result is : VALID\n", summary_log.has_result),
    "JSON": ("capture.json", '{"a": 1}', jsonfile.read_object),
}


@pytest.mark.parametrize("name", READERS)
def test_a_mark_changes_nothing(name: str, tmp_path: Path) -> None:
    file, text, read = READERS[name]
    plain, marked = tmp_path / "plain" / file, tmp_path / "marked" / file
    for path, head in ((plain, b""), (marked, BOM_UTF8)):
        path.parent.mkdir()
        path.write_bytes(head + text.encode())
    expected = repr(read(plain)).replace(str(plain), str(marked))
    assert repr(read(marked)) == expected


def test_a_detail_log(tmp_path: Path) -> None:
    path = made.detail(tmp_path)
    plain = read_detail(path)
    path.write_bytes(BOM_UTF8 + path.read_bytes())
    assert [entry.value for entry in read_detail(path).entries] == [entry.value for entry in plain.entries]


def test_config_files_of_either_layout(tmp_path: Path) -> None:
    """Python reads the mark itself, where it is given bytes."""
    path = tmp_path / "a.py"
    path.write_bytes(BOM_UTF8 + b"EXPORTS = {}\n")
    ast.parse(path.read_bytes())


def test_no_source_is_parsed_from_decoded_text(project: Path) -> None:
    found = [
        path
        for folder in ("code", "configs", "scripts")
        for path in (project / folder).rglob("*.py")
        if re.search(r"ast\.parse\([^()]*read_text\(encoding=.utf-8.\)", path.read_text(encoding="utf-8"))
    ]
    assert not found
