"""Files and folders that are not what a command line says: one message, the right status, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.machine.detect import forget
from tests.faults.files import CAPTURES, MISSING, RESULTS, TABLES, UNREADABLE, WAITING
from tests.faults.rows import Fault, tried


@pytest.mark.parametrize("fault", [*CAPTURES, *UNREADABLE, *TABLES, *MISSING, *RESULTS, *WAITING], ids=str)
def test_a_file_that_is_not_what_it_should_be(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget()
    tried(fault, tmp_path, monkeypatch, capsys)
    forget()
