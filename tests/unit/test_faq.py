"""The FAQ: at least forty questions, each with a message that the harness prints as it is written there, and a command."""

from __future__ import annotations

import re

import pytest

from tests.unit.messages import is_printed
from tests.unit.pages import ROOT, Page

LEAST = 40
PAGE = Page(ROOT / "documentation" / "FAQ.md")


def questions() -> dict[str, str]:
    """Question → its section."""
    parts = re.split(r"^### (.*)$", PAGE.text, flags=re.MULTILINE)
    return {title: re.split(r"^## ", text, flags=re.MULTILINE)[0] for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_there_are_enough_questions() -> None:
    assert len(questions()) >= LEAST


@pytest.mark.parametrize("question", questions())
def test_each_has_a_message_of_the_harness_and_a_command(question: str) -> None:
    section = questions()[question]
    message = re.search(r"```text\n(.*?)\n```", section, re.DOTALL)
    assert message, "a message"
    foreign = [line for line in message[1].splitlines() if not is_printed(line)]
    assert not foreign, "no source prints this"
    assert re.search(r"^    (make|sudo|export|mkdir|rm) ", section, re.MULTILINE), "a command"


def test_a_line_that_no_source_prints_is_seen() -> None:
    for line in ("error: the moon is not full", "  why:  nobody knows what went wrong here", "error: no such thing"):
        assert not is_printed(line)
