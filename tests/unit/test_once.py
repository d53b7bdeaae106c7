"""What tests share is made by one process, once."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.surroundings import SHARED, once


def fill(folder: Path) -> None:
    with (folder / "made").open("a") as file:
        file.write("once\n")


def ask(root: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SHARED, root)
        return (once("thing", fill) / "made").read_text()


def test_processes_that_ask_at_once_get_one_folder(tmp_path: Path) -> None:
    with get_context("fork").Pool(4) as pool:
        assert pool.map(ask, [str(tmp_path / "shared")] * 8) == ["once\n"] * 8


def test_what_was_not_made_completely_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(folder: Path) -> None:
        fill(folder)
        raise RuntimeError("stopped")

    monkeypatch.setenv(SHARED, str(tmp_path))
    with pytest.raises(RuntimeError):
        once("thing", stopped)
    assert (once("thing", fill) / "made").read_text() == "once\n"
