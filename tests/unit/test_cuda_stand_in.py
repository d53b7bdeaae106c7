"""Every rule of tests/cuda_stand_in is in its README, and every message of every rule has a program that breaks it."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest

STAND_IN = Path(__file__).parents[1] / "cuda_stand_in"
INTERNAL = "internal"
"""Faults of the stand-in itself, such as no address space: no program can cause them."""
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def calls(text: str, function: str) -> list[str]:
    """The arguments of each call of a function, whose parentheses balance outside strings."""
    found = []
    for match in re.finditer(rf"\b{function}\(", text):
        depth, at = 1, match.end()
        while depth:
            string = STRING.match(text, at)
            if string:
                at = string.end()
                continue
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        found.append(text[match.end() : at - 1])
    return found


def messages() -> list[tuple[str, tuple[str, ...], str]]:
    """(rule, the literal parts of its message, file) of each place that names a rule."""
    found = []
    for file in sorted((*STAND_IN.glob("*.cc"), *STAND_IN.glob("*/*.cc"))):
        if file.parent.name != "tests":
            for arguments in calls(file.read_text(), "violation"):
                strings = STRING.findall(arguments)
                if strings:  # not its definition
                    found.append((strings[0], tuple(strings[1:]), str(file.relative_to(STAND_IN))))
    return found


def broken() -> list[tuple[str, str]]:
    """(rule, words of the message) of each program that must abort."""
    found = []
    for file in sorted((STAND_IN / "tests").glob("*.cc")):
        for arguments in calls(file.read_text(), "EXPECT_VIOLATION"):
            *_, rule, words = STRING.findall(arguments)
            found.append((rule, words))
    return found


LEAST = 10
"""Characters in a row that a test's words share with the message that they name."""


def is_broken(parts: tuple[str, ...], words: str) -> bool:
    """Whether a test's words name this message."""
    words = words.replace("\\", "")
    common = [SequenceMatcher(None, part, words, autojunk=False).find_longest_match().size for part in parts]
    return max(common, default=0) >= min(LEAST, max(map(len, parts), default=LEAST))


@pytest.mark.parametrize("rule, parts, file", [one for one in messages() if one[0] != INTERNAL])
def test_every_message_has_a_program_that_breaks_its_rule(rule: str, parts: tuple[str, ...], file: str) -> None:
    assert any(rule == of and is_broken(parts, words) for of, words in broken()), f"{file}: [{rule}] {' … '.join(parts)}"


def test_the_readme_lists_every_rule() -> None:
    table = (STAND_IN / "README.md").read_text().split("| rule | what aborts |")[1].split("## ")[0]
    listed = {
        name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    }
    assert listed == {rule for rule, _, _ in messages()} - {INTERNAL}


def test_the_search_for_messages_finds_one_without_a_test() -> None:
    assert len(messages()) > 40
    assert not any(is_broken(("flies backwards through time",), words) for _, words in broken())
