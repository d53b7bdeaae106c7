"""What every unit test may use."""

from __future__ import annotations

import sys

import pytest

from code.main import main
from tests.unit.acting import Act


@pytest.fixture
def act(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Act:
    """Call an action with options; returns its exit status and everything that it printed."""
    monkeypatch.setattr(sys, "argv", ["code.main"])

    def call(action: str, *options: str) -> tuple[int, str]:
        status = main([f"--action={action}", *options])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return call
