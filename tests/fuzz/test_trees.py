"""Submission trees whose files hold anything, are missing, or lie elsewhere: they are checked and packed, or refused in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
from hypothesis import given
from hypothesis import strategies as st

from code.common.errors import HarnessError
from code.rules.rounds import round_named
from code.submission.check import report_columns, tree_checks
from code.submission.stage import candidates, record
from tests.fuzz.examples import THROUGH_MAIN, each, fuzzed, said
from tests.fuzz.kept import Kept, harmed

V61 = round_named("v6.1")
NAMES = st.one_of(
    st.sampled_from(
        [
            "offline",
            "Server",
            "run_1",
            "run_2",
            "bert-99.9",
            "gptj",
            "TEST01",
            "power",
            "a b",
            "é",
            "\udcff",
            "x" * 200,
            "-",
            "a\nb",
        ]
    ),
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12),
)
"""Of files and folders."""


@pytest.fixture(scope="module")
def kept(tree: Path) -> Kept:
    return Kept(tree.parent)


def moved(draw: Callable[..., object], kept: Kept, tree: Path) -> None:
    """Something of the tree is missing, has another name, or is something else."""
    every = sorted(path for path in tree.rglob("*"))
    path = draw(st.sampled_from(every))
    name = str(draw(NAMES))
    assert isinstance(path, Path)
    try:
        how = draw(st.sampled_from(["remove", "rename", "pipe", "link", "folder", "extra"]))
        if how == "rename":
            path.rename(path.with_name(name))
        elif how == "extra":
            path.with_name(name).write_bytes(b"x")
        elif path.is_file():
            path.unlink()
            if how == "pipe":
                os.mkfifo(path)
            elif how == "link":
                path.symlink_to(name)
            elif how == "folder":
                path.mkdir()
    except (OSError, ValueError):  # a name that is taken, too long, or no name
        return


@pytest.mark.full
@fuzzed
@given(data=st.data(), whole=each(THROUGH_MAIN), known=st.booleans(), places=st.integers(0, 9))
def test_trees(data: st.DataObject, whole: bool, known: bool, places: int, kept: Kept, tree: Path) -> None:
    paths = [path for path in kept.paths() if path.is_relative_to(tree)] + [record.record_path(tree)]
    path = data.draw(st.sampled_from(paths))
    try:
        if places:
            path.write_bytes(data.draw(harmed(path.name, kept.good(path))))
        if places < 3:
            moved(data.draw, kept, tree)
        if not known:
            record.record_path(tree).unlink(missing_ok=True)
        read(tree)
        if whole:
            commands(tree)
    finally:
        kept.restore()


def read(tree: Path) -> None:
    """All that a tree is read for, in the functions that commands call."""
    for reads in (
        lambda: tree_checks.preflight(tree, V61),
        lambda: tree_checks.preflight(tree, round_named("v5.1"), "Example"),
        lambda: report_columns.rows(tree, V61),
        lambda: candidates.from_tree(tree),
    ):
        try:
            reads()
        except HarnessError as error:
            assert error.what


def commands(tree: Path) -> None:
    """What a user calls."""
    where = f"--submission_dir={tree}"
    said(["--action=check_submission", "--preflight=only", where])
    said(["--action=populate_readme", where])
    said(["--action=truncate_results", where])
    said(["--action=pack_submission", "--preflight=off", where])
    said(["--action=reproduce", "--benchmarks=bert", f"--from_tree={tree}"])
