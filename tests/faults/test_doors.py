"""Foreign data passes the doors: nothing else in the project parses JSON of a file or opens arrays."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from code.common.typed import flag, listing, mapping, natural, real, record, whole, words
from code.submission.check import accuracy_text
from tests.unit.structure import sources

PROJECT = Path(__file__).resolve().parents[2]
OWN_JSON = {
    "code/common/jsonfile.py": "the door",
    "code/harness/schema/run_spec.py": "run.json, whose reader refuses NaN",
    "code/fields/field.py": "a value of the command line, not a file",
    "code/benchmarks/bert/squad.py": "names the line and column of a data set's damage",
    "code/backends/store.py": "what it has just written",
    "code/benchmarks/bert/benchmark.py": "the record of the tiny model, a file of the project",
    "code/benchmarks/unet3d/benchmark.py": "the record of the tiny model, a file of the project",
    "code/benchmarks/gptj/tiny/vocabulary.py": "a tokenizer that it has just made",
    "code/benchmarks/gptj/bpe.py": "a vocabulary, which the tokenizer's own library checks",
    "code/backends/tensorrt/fusion.py": "TensorRT's answer",
    "code/precision/inspection.py": "TensorRT's answer, and a file of an engine whose digests were checked",
    "code/backends/simulated.py": "a file of an engine whose digests were checked",
    "code/backends/tensorrt/runner.py": "a file of an engine whose digests were checked",
    "code/backends/generators/tensorrt_llm.py": "a file of an engine whose digests were checked",
    "code/backends/triton/model.py": "what the harness wrote, read before the project can be imported",
    "code/run/nodes/ray_driver.py": "what its own parent process wrote; it imports nothing of the project",
    "code/run/nodes/ray_node.py": "the output of its own processes, on a node where the project is not imported",
    "scripts/config_load.py": "what its own parent process wrote",
    "scripts/check_configs.py": "the output of its own process",
}
"""Modules that parse JSON themselves, and why they may."""


def calls(path: Path, module: str, names: tuple[str, ...]) -> list[int]:
    """Lines that call module.name."""
    text = path.read_text(encoding="utf-8")
    if not re.search(rf"\b{module}\b", text):
        return []
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == module
    ]


def test_json_is_parsed_at_the_door() -> None:
    found = {str(path.relative_to(PROJECT)): calls(path, "json", ("load", "loads")) for path in sources(PROJECT)}
    assert {name for name, lines in found.items() if lines} == set(OWN_JSON), "read it with code/common/jsonfile.py"


def test_arrays_are_opened_at_the_door() -> None:
    found = [str(path.relative_to(PROJECT)) for path in sources(PROJECT) if calls(path, "np", ("load",))]
    assert found == ["code/common/npyfile.py"], "read it with code/common/npyfile.py"


NOT_NATURAL = ("9" * 5000, "²", "٣", "-1", "+1", "", None, "1.5", " 1")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 15, 10**15 - 1), *((text, None) for text in NOT_NATURAL)],
    ids=lambda v: str(v)[:8],
)
def test_natural_numbers(text: str | None, number: int | None) -> None:
    assert natural(text) == number
    assert natural("11", 10) is None


def test_shapes_keep_what_fits_and_note_the_rest() -> None:
    notes: list[str] = []
    shape = record(
        {"name": words(10)},
        {"count": whole(0, 9), "share": real(0, 1), "on": flag(), "list": listing(whole(0, 9)), "map": mapping(words(5))},
    )
    good = {"name": " a\n b ", "count": 3, "share": 1, "on": True, "list": [1, "x", 2], "map": {"k": "v", "n": 5}, "other": 1}
    assert shape.read(good, "x", notes) == {
        "name": "a b",
        "count": 3,
        "share": 1.0,
        "on": True,
        "list": [1, 2],
        "map": {"k": "v"},
    }
    assert [note.split(" is")[0] for note in notes] == ["x.list[1]", "x.map.n"]
    for bad in ({}, {"name": 5}, {"name": "a" * 11}, [], None, "x"):
        assert shape.read(bad, "x", notes := []) is None and len(notes) == 1
    assert shape.read({"name": "a", "count": True, "share": float("nan"), "on": 1, "list": {}, "map": []}, "x", []) == {
        "name": "a"
    }
    assert listing(whole(0, 9), exactly=2).read([1], "x", notes) is None


@pytest.mark.parametrize("score", ["1.2.3", ".", "..", "1" * 400])
def test_a_score_that_is_no_number(score: str, tmp_path: Path) -> None:
    (tmp_path / "accuracy.txt").write_text(f'{{"exact_match": 1.0, "f1": {score}}}\n')
    found = accuracy_text.scores(tmp_path / "accuracy.txt", ("F1",))["F1"]
    assert found is None or found == float("1" * 400)
    assert accuracy_text.resolution(tmp_path / "accuracy.txt", "F1") >= 0
