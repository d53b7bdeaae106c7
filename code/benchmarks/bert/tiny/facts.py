"""Reads the sentences and questions under facts/: one file per kind of subject.

    kind NAME | short form in running text, or - | pronoun
    RELATION: TYPE     a relation and the type of its value, a key of words.TYPES
    ? QUESTION         asks for the relation above it; {S} stands for the subject
    . SENTENCE         states every relation named in braces; {~TYPE} is a value without a question

`kind -` holds the scenery: sentences without a subject, which only distract.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks.words import NAMES, TYPES
from code.common.errors import UsageError

FOLDER = Path(__file__).parent / "facts"
_SLOT = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True)
class Sentence:
    """A sentence as alternating text and slots: text, slot, text, …, text."""

    parts: tuple[str, ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """The content of braces: S, ~TYPE or a relation."""
        return self.parts[1::2]

    @property
    def relations(self) -> frozenset[str]:
        """The relations that the sentence states."""
        return frozenset(slot for slot in self.slots if slot != "S" and not slot.startswith("~"))


@dataclass(frozen=True)
class Kind:
    """A kind of subject: statements and questions about it."""

    name: str
    noun: str
    pronoun: str
    types: dict[str, str]
    questions: dict[str, tuple[str, ...]]
    sentences: tuple[Sentence, ...]


def read(path: Path) -> Kind:
    """One kind of subject. Raises UsageError with file and line for what it cannot read."""
    name, noun, pronoun = "-", "-", "-"
    types: dict[str, str] = {}
    questions: dict[str, list[str]] = {}
    sentences: list[Sentence] = []
    relation = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        sign, _, rest = line.strip().partition(" ")
        if not sign:
            continue
        if sign == "kind":
            name, noun, pronoun = ([part.strip() for part in rest.split("|")] + ["-", "-"])[:3]
        elif sign == "?" and relation:
            questions[relation].append(rest)
        elif sign == ".":
            sentences.append(Sentence(tuple(_SLOT.split(rest))))
        elif sign.endswith(":") and rest in TYPES:
            relation = sign[:-1]
            types[relation], questions[relation] = rest, []
        else:
            raise UsageError(
                f"cannot read {line!r}", "it is not a kind, relation, question or sentence", where=f"{path}:{number}"
            )
    kind = Kind(name, noun, pronoun, types, {key: tuple(value) for key, value in questions.items()}, tuple(sentences))
    _check(kind, path)
    return kind


def _check(kind: Kind, path: Path) -> None:
    for sentence in kind.sentences:
        unknown = [r for r in sentence.relations if r not in kind.types]
        unknown += [slot for slot in sentence.slots if slot.startswith("~") and slot[1:] not in TYPES]
        if unknown:
            raise UsageError(
                f"unknown slot {{{unknown[0]}}}", "a sentence names a relation or type that is not there", where=str(path)
            )
    if kind.types and kind.name not in NAMES:
        raise UsageError(f"there are no names for a {kind.name}", "words.NAMES has no entry for this kind", where=str(path))


@functools.lru_cache(maxsize=1)
def kinds() -> tuple[tuple[Kind, ...], Kind]:
    """Every kind of subject in the order of their names, and the scenery."""
    found = [read(path) for path in sorted(FOLDER.glob("*.txt"), key=lambda path: path.name)]
    scenery = [kind for kind in found if kind.name == "-"]
    return tuple(kind for kind in found if kind.name != "-"), scenery[0]
