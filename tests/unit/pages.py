"""The pages of the documentation as their reader has them: headings, links, code blocks, code spans and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"(`+)(.+?)\1")
HTML_LINK = re.compile(r"(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^ {0,3}(```|~~~)\s*(\S*)")
PROMPT = re.compile(r"^\s*(?:\$ )?((?:[A-Z_]+=\S* )*(?:make|\.venv/bin/python|python3|scripts/\S+|docker/\S+)\b.*)$")


@dataclass(frozen=True)
class Block:
    """A code block: its first line's number, its language as written ('' if none), its text."""

    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command line of a page, continuation lines joined."""

    where: str
    text: str


class Page:
    """One Markdown page.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def _parts(self) -> tuple[list[Block], list[tuple[int, str]]]:
        """(code blocks, the other lines with their numbers)."""
        blocks: list[Block] = []
        prose: list[tuple[int, str]] = []
        lines = self.text.splitlines()
        number = 0
        while number < len(lines):
            line = lines[number]
            start = number
            if fence := FENCE.match(line):
                number += 1
                while number < len(lines) and not lines[number].lstrip().startswith(fence[1]):
                    number += 1
                blocks.append(Block(start + 2, fence[2], "\n".join(lines[start + 1 : number])))
                number += 1
            elif line.startswith("    ") and (start == 0 or not lines[start - 1].strip() or lines[start - 1].startswith("    ")):
                while number < len(lines) and (lines[number].startswith("    ") or not lines[number].strip()):
                    number += 1
                text = "\n".join(one[4:] for one in lines[start:number]).rstrip()
                blocks.append(Block(start + 1, "", text))
            else:
                prose.append((number + 1, line))
                number += 1
        return blocks, prose

    @property
    def blocks(self) -> list[Block]:
        """Its code blocks, fenced and indented."""
        return self._parts[0]

    @property
    def prose(self) -> list[tuple[int, str]]:
        """Its other lines, with their numbers."""
        return self._parts[1]

    def spans(self) -> Iterator[tuple[int, str]]:
        """(line, text) of each code span."""
        for number, line in self.prose:
            for match in SPAN.finditer(line):
                yield number, match[2].strip().replace("\\|", "|")

    def links(self) -> Iterator[tuple[int, str]]:
        """(line, target) of each link and picture."""
        for number, line in self.prose:
            plain = SPAN.sub("", line) if "](" not in line else line
            for match in LINK.finditer(plain):
                yield number, match[1] or match[2]
            for match in HTML_LINK.finditer(plain):
                yield number, match[1]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link's #… may name: the headings as forges write them."""
        found: set[str] = set()
        for _, line in self.prose:
            if heading := re.match(r"#+ +(.*)", line):
                slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading[1]).lower()).strip().replace(" ", "-")
                number = 1
                unique = slug
                while unique in found:
                    unique, number = f"{slug}-{number}", number + 1
                found.add(unique)
        return found

    def commands(self) -> Iterator[Command]:
        """The commands of its code blocks, and the code spans that are one."""
        for block in self.blocks:
            if block.language not in ("", "sh", "bash", "console"):
                continue
            joined = ""
            for number, line in enumerate(block.text.splitlines(), start=block.line):
                joined += line
                if joined.endswith("\\"):
                    joined = joined[:-1]
                    continue
                if (match := PROMPT.match(joined)) and "─▶" not in joined:
                    yield Command(f"{self.name}:{number}", match[1])
                joined = ""
        for number, text in self.spans():
            if PROMPT.match(text) and "`" not in text:
                yield Command(f"{self.name}:{number}", text)


def pages() -> list[Page]:
    """Every page that a reader of the project opens, but for the history."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [Page(path) for path in (*top, *sorted((ROOT / "documentation").rglob("*.md")))]


def words(text: str) -> list[str] | None:
    """A command's words as the shell has them, without a comment; None where its quotes do not match."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return None


def is_placeholder(text: str) -> bool:
    """Whether a reader puts something of their own there: FILE, <name>, …, $VARIABLE, USER@HOST."""
    return bool(re.search(r"[…<>$*{}]|\.\.\.", text)) or bool(re.fullmatch(r"[A-Z][A-Z_0-9]*(/.*)?", text))
