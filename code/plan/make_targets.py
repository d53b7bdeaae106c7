"""The targets of the makefiles, read from their text: group, description, the action that each calls, and its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from code.common import paths

TARGET = re.compile(r"([a-z][a-z_0-9]*):.*?## (.*)")
GROUP = re.compile(r"##@ ([^(]*)")
ACTION = re.compile(r"--action=([a-z_]+)")
USED = re.compile(r"@([A-Z][A-Z_]*)|\$\$\{([A-Z][A-Z_]*)|\$\(if \$\(([A-Z][A-Z_]*)\)")
MENTIONED = re.compile(r"\b([A-Z]+_[A-Z_]+|[A-Z]+(?==))")
DEFINED = re.compile(r"([A-Z][A-Z_]*) *=(.*)")
NAMED = re.compile(r"\$\(([A-Z][A-Z_]*)\)")
INTERNAL = ("PYTEST_ADDOPTS", "PROJECT_ROOT", "SHELL")


@dataclass(frozen=True)
class Target:
    """One target of a makefile.

    Args:
        name: as on make's command line.
        group: the heading it stands under, without what is in parentheses.
        text: what it does.
        action: the action of code.main that it calls first; '' for none.
        variables: the variables that it takes, in the order of its recipe and its description.
    """

    name: str
    group: str
    text: str
    action: str = ""
    variables: tuple[str, ...] = ()


def targets(makefile: str = "Makefile") -> dict[str, Target]:
    """The described targets of a makefile, in its order."""
    return dict(_read((paths.project_root() / makefile).read_text(encoding="utf-8")))


@cache
def _read(text: str) -> dict[str, Target]:
    lines = text.splitlines()
    defined = dict(_definitions(lines))
    found: dict[str, Target] = {}
    group = ""
    for number, line in enumerate(lines):
        if heading := GROUP.match(line):
            group = heading[1].strip()
        if (match := TARGET.fullmatch(line)) is None:
            continue
        recipe = _recipe(lines, number + 1)
        for _ in range(3):  # variables of the makefile hold others
            recipe = NAMED.sub(lambda name: defined.get(name[1], name[0]), recipe)
        action = ACTION.search(recipe)
        names = ["".join(one) for one in USED.findall(recipe)] + MENTIONED.findall(match[2])
        kept = tuple(dict.fromkeys(name for name in names if name not in INTERNAL))
        found[match[1]] = Target(match[1], group, match[2], action[1] if action else "", kept)
    return found


def _recipe(lines: list[str], start: int) -> str:
    """The lines after a rule's head that belong to it, its conditional parts included."""
    out = []
    for line in lines[start:]:
        if line and not line.startswith(("\t", " ", "ifneq", "else", "endif")):
            break
        if not line:
            break
        out.append(line)
    return "\n".join(out)


def _definitions(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(name, text) of the makefile's own variables, continued lines joined."""
    text = "\n".join(lines).replace("\\\n", " ")
    for line in text.splitlines():
        if match := DEFINED.fullmatch(line):
            yield match[1], match[2]
