"""Reads SQuAD v1.1 files strictly: errors give the file and the position in it.

The format is the one of Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016):
`{"version": "1.1", "data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}]}]}]}]}`. Order matters: the n-th feature of the data set is LoadGen's sample n.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from code.common.errors import MissingError, UsageError

VERSION = "1.1"
# The only characters that separate words; the reference lists them one by one.
_WORDS = re.compile("[^ \t\r\n\u202f]+")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Question:
    """One question about a paragraph.

    Attributes:
        identity: the question's id, unique in the file.
        text: the question.
        answers: the reference answers, at least one; duplicates are kept.
        paragraph: index into `Squad.contexts`.
    """

    identity: str
    text: str
    answers: tuple[str, ...]
    paragraph: int


@dataclass(frozen=True)
class Squad:
    """The content of a file, in its order."""

    contexts: tuple[str, ...]
    questions: tuple[Question, ...]


def words(context: str) -> list[str]:
    """The words of a paragraph as the MLPerf reference splits them: at space, tab, CR, LF and U+202F only."""
    return _WORDS.findall(context)


def read(path: Path) -> Squad:
    """Read a SQuAD v1.1 file.

    Raises:
        MissingError: the file does not exist or cannot be opened.
        UsageError: the content is not SQuAD v1.1; the error names the file and the place (line, or the JSON path).
    """
    path = Path(path)
    return _Reader(path).squad(_json(path))


def _json(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MissingError(
            f"cannot read the SQuAD file {path}",
            error.strerror or str(error),
            "run `make download_data BENCHMARKS=bert`, or give the path of a SQuAD v1.1 JSON file",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not a SQuAD v1.1 file",
            f"byte {error.start} is not UTF-8 text; is it an archive or a binary file?",
            "unpack it if it is an archive, or download it again",
        ) from error
    try:
        return json.loads(text)
    except RecursionError:
        raise UsageError(f"{path} is not a SQuAD v1.1 file", "it is nested too deeply", "download it again") from None
    except json.JSONDecodeError as error:
        cut_off = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")
        raise UsageError(
            "not valid JSON" + (", the file seems to be truncated" if cut_off else ""),
            f"{error.msg} at column {error.colno}",
            "download it again: remove the file, then `make download_data BENCHMARKS=bert`",
            where=f"{path}:{error.lineno}",
        ) from error


class _Reader:
    """Walks the parsed JSON and tracks the path, so that every error names its location."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contexts: list[str] = []
        self._questions: list[Question] = []
        self._first_use: dict[str, str] = {}

    def squad(self, content: Any) -> Squad:
        root = self._typed(content, dict, "the file")
        version = self._member(root, "version", str, "the file")
        if version != VERSION:
            raise self._wrong("version", f"it is {version!r}, and only SQuAD v{VERSION} is scored by MLPerf")
        for a, article in enumerate(self._member(root, "data", list, "the file")):
            place = f"data[{a}]"
            for p, paragraph in enumerate(self._member(article, "paragraphs", list, place)):
                self._paragraph(paragraph, f"{place}.paragraphs[{p}]")
        if not self._questions:
            raise self._wrong("data", "it contains no questions")
        return Squad(tuple(self._contexts), tuple(self._questions))

    def _paragraph(self, paragraph: Any, place: str) -> None:
        context = self._text(paragraph, "context", place)
        for q, entry in enumerate(self._member(paragraph, "qas", list, place)):
            self._question(entry, context, f"{place}.qas[{q}]")
        self._contexts.append(context)

    def _question(self, entry: Any, context: str, place: str) -> None:
        identity = self._text(entry, "id", place)
        first = self._first_use.setdefault(identity, place)
        if first != place:
            raise self._wrong(f"{place}.id", f"{identity!r} is already the id of {first}")
        texts = []
        for n, answer in enumerate(self._member(entry, "answers", list, place)):
            here = f"{place}.answers[{n}]"
            text = self._text(answer, "text", here)
            start = self._member(answer, "answer_start", int, here)
            if start < 0 or not context.startswith(text, start):
                raise self._wrong(here, f"the text {_short(text)} is not at {start} of its context")
            texts.append(text)
        if not texts:
            raise self._wrong(f"{place}.answers", "it is empty, but a question without an answer cannot be scored")
        self._questions.append(Question(identity, self._text(entry, "question", place), tuple(texts), len(self._contexts)))

    def _text(self, holder: Any, key: str, place: str) -> str:
        text = self._member(holder, key, str, place)
        if not text or text.isspace():
            raise self._wrong(f"{place}.{key}", "it is empty")
        return text

    def _member(self, holder: Any, key: str, kind: type[_T], place: str) -> _T:
        members = self._typed(holder, dict, place)
        if key not in members:
            raise self._wrong(place, f"it has no {key!r}; it has {', '.join(map(repr, members)) or 'nothing'}")
        return self._typed(members[key], kind, key if place == "the file" else f"{place}.{key}")

    def _typed(self, value: Any, kind: type[_T], place: str) -> _T:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong(place, f"it is {_KINDS.get(type(value), 'null')} instead of {_KINDS[kind]}")
        return value

    def _wrong(self, place: str, why: str) -> UsageError:
        return UsageError(
            f"{self._path} is not a SQuAD v{VERSION} file: see {place}",
            why,
            "give a SQuAD v1.1 JSON file; the published one comes with `make download_data BENCHMARKS=bert`",
        )


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a fraction",
    bool: "true or false",
}


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
