"""Trees that others made or damaged: every file may hold anything, and nothing is an unforeseen exception."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from code.actions.check_submission import subject
from code.common.errors import HarnessError
from code.plan.request import parse
from code.rules.rounds import round_named
from code.submission.check import report_columns, tree_checks
from code.submission.stage import candidates, record
from tests.empty import some
from tests.faults.test_foreign import WRONG, changed, places

V61 = round_named("v6.1")


def read(tree: Path) -> None:
    """All that a tree is read for."""
    try:
        assert all(finding.what for finding in tree_checks.preflight(tree, V61))
        report_columns.rows(tree, V61)
        subject(parse(["--action=check_submission"], {}), tree)
        candidates.from_tree(tree)
    except HarnessError as error:
        assert error.what


@pytest.fixture
def tree(staged: Path) -> Path:
    """A tree of one result."""
    for folder in (staged / "open/Example/results").glob("*/bert-99/*"):
        if folder.name != "Offline":
            shutil.rmtree(folder)
    shutil.rmtree(staged / "open/Example/src")
    return staged


def test_json_of_a_tree_with_other_types(tree: Path) -> None:
    one = tree / "open/Example/results"
    (measured,) = one.glob("*/bert-99/Offline/measurements.json")
    (system,) = (tree / "open/Example/systems").glob("*.json")
    for path in (measured, system, record.record_path(tree)):
        text = path.read_text()
        content = json.loads(text)
        for turn, at in enumerate(places(content)):
            for value in WRONG[turn % len(WRONG) :][:1]:
                path.write_text(json.dumps(changed(content, at, value)))
                read(tree)
        for damaged in ("", "[", "5", "[]", "[" * 100_000):
            path.write_text(damaged)
            read(tree)
        path.write_text(text)


def test_texts_of_a_tree_that_are_damaged(tree: Path) -> None:
    folder = next((tree / "open/Example/results").glob("*/bert-99/Offline"))
    for path in some(sorted(p for p in folder.rglob("*") if p.suffix in (".txt", ".conf"))):
        data = path.read_bytes()
        for damaged in (b"", b"\xff\xfe\0", b"x" * 99, data[: len(data) // 2], b"\0" * 50, data[::-1]):
            path.write_bytes(damaged)
            read(tree)
        path.write_bytes(data)
