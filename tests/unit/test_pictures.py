"""The recorded terminal: what a run printed, without what was drawn over it, and without anything from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from scripts.pictures import recorded, svg


def test_a_command_is_recorded_and_drawn() -> None:
    drawn = svg("make something", recorded("printf 'first\\r\\033[32mVALID\\033[0m\\n\\n\\342\\224\\201 bar\\nend\\n'"))
    ElementTree.fromstring(drawn)
    text = re.sub(r"<[^>]*>", " ", drawn)
    assert "VALID" in text and "end" in text and "first" not in text and "━" not in text


def test_the_picture_of_the_readme_fetches_nothing_and_shows_the_verdict(project: Path) -> None:
    drawn = (project / "documentation" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"]+", drawn)) == {"http://www.w3.org/2000/svg"} and "@import" not in drawn
    assert "VALID" in drawn and "Report:&#160;make&#160;report" in drawn
