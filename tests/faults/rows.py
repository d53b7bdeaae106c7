"""The type of the table's rows, and how one is tried in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from code import main
from code.plan.request import ENVIRONMENT_PREFIX

MOST_LINES = 3
Prepare = Callable[[Path], None]


@dataclass(frozen=True)
class Fault:
    """One fault and the right outcome.

    Args:
        name: of the test.
        words: the command line; '{tmp}' is a folder of the test's own.
        status: the exit status.
        expected: words that the message contains.
        environment: variables besides the usual ones, with '{tmp}' too.
        prepare: called with the folder first.
        lines: most lines of the message.
        absent: what may not exist in the folder afterwards, as a pattern.
    """

    name: str
    words: tuple[str, ...]
    status: int
    expected: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None
    lines: int = MOST_LINES
    absent: str = "logs"

    def __str__(self) -> str:
        return self.name


def tried(fault: Fault, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Try a row in this process and check its outcome; returns what was printed on standard error."""
    for variable in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("BUILD_DIR", str(folder / "build"))
    monkeypatch.setenv("LOG_DIR", str(folder / "logs"))
    for name, text in fault.environment.items():
        monkeypatch.setenv(name, text.replace("{tmp}", str(folder)))
    if fault.prepare is not None:
        fault.prepare(folder)
    words = [word.replace("{tmp}", str(folder)) for word in fault.words]
    monkeypatch.setattr("sys.argv", ["main", *words])
    capsys.readouterr()
    status = main.main(words)
    printed = capsys.readouterr()
    said = printed.err
    assert status == fault.status, said + printed.out
    assert "internal error" not in said and "Traceback" not in said + printed.out
    if fault.status:
        message = said[said.index("error: ") :]
        assert len(message.strip().splitlines()) <= fault.lines, said
    for word in fault.expected:
        assert word in said + printed.out, f"{word!r} is not in: {said}{printed.out}"
    assert not list(folder.glob(fault.absent)), f"{fault.absent} exists"
    return said
