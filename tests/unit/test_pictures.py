"""The recorded terminal: what a run printed, without what was drawn over it, and without anything from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.pictures import recorded, svg


def test_a_command_is_recorded_and_drawn() -> None:
    drawn = svg("make something", recorded("printf 'first\\r\\033[32mVALID\\033[0m\\n\\n\\342\\224\\201 bar\\nend\\n'"))
    ElementTree.fromstring(drawn)
    text = re.sub(r"<[^>]*>", " ", drawn)
    assert "VALID" in text and "end" in text and "first" not in text and "━" not in text


def test_a_make_within_make_names_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Makefile").write_text("all:\n\t@echo done\n")
    for name, value in (("MAKELEVEL", "1"), ("MAKEFLAGS", "w"), ("MFLAGS", "-w")):
        monkeypatch.setenv(name, value)
    assert recorded(f"make -C {tmp_path} --no-print-directory; make -f {tmp_path}/Makefile").split() == ["done", "done"]


def test_the_picture_of_the_readme_fetches_nothing_and_shows_the_verdict(project: Path) -> None:
    drawn = (project / "documentation" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"]+", drawn)) == {"http://www.w3.org/2000/svg"} and "@import" not in drawn
    assert "VALID" in drawn and "directory" not in drawn and "Report:&#160;make&#160;report" in drawn
