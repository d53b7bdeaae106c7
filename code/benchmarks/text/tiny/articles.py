"""Writes short news about places and people that do not exist, each with the highlights that a summary should have.

An article opens with a lead, states facts in changing words between sentences that only distract (other towns, other sums,
other people), and its highlights restate the facts that matter, in words of their own. Everything follows from a seed. Names and
values are drawn anew for every article, so a model cannot know them: it has to find and copy them.

A kind of news is one file under stories/:

    story NAME
    RELATION: TYPE     a fact of the story and the type of its value, a key of TYPES
    | LEAD             opens the article; {RELATION} stands for the fact's value
    . SENTENCE         states every relation named in braces
    ~ SENTENCE         only distracts; {~TYPE} is a value that nobody asks for
    > HIGHLIGHT        a sentence of the summary; all of them, in this order
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks import words
from code.benchmarks.words import Dice
from code.common.errors import UsageError

GENERATOR_VERSION = 1
FOLDER = Path(__file__).parent / "stories"
COMMON = FOLDER / "common"
EVAL_SEED, CALIBRATION_SEED = "eval", "calibration"

_STEMS, _GIVEN = words.STEMS[:32], (*words.WOMEN[:12], *words.MEN[:12])
_THINGS = [thing for thing in words.THINGS if thing[0] not in "aeiou"][:24]


def _name(dice: Dice) -> str:
    return dice.pick(_STEMS) + dice.pick(words.FAMILIES[:10])


TYPES: dict[str, Callable[[Dice], str]] = {
    "animal": lambda d: d.pick(words.BEASTS[:16]),
    "church": lambda d: f"St. {d.pick(_GIVEN)}'s {d.pick(words.HOUSES)}",
    "coins": lambda d: f"{d.between(2, 99)} {d.pick(words.COINS[:6])}",
    "count": lambda d: f"{d.between(11, 99)}0",
    "craft": lambda d: f"{d.pick(words.TRADES[:12])} {d.pick(words.WORK[:4])}",
    "crop": lambda d: d.pick(words.CROPS[:12]),
    "day": lambda d: d.pick(words.DAYS),
    "dish": lambda d: f"{d.pick(words.FOODS[:10])} {d.pick(words.DISHES[:8])}",
    "distance": lambda d: f"{d.between(12, 98)} {d.pick(('metres', 'feet', 'yards'))}",
    "house": lambda d: f"{_name(d)} {d.pick(('Brothers', '& Sons'))}",
    "instrument": lambda d: d.pick(words.INSTRUMENTS[:10]),
    "job": lambda d: d.pick(words.JOBS[:16]),
    "material": lambda d: d.pick(words.STUFFS[:12]),
    "metal": lambda d: d.pick(words.METALS),
    "month": lambda d: d.pick(words.MONTHS),
    "percent": lambda d: f"{d.between(3, 97)} percent",
    "person": lambda d: f"{d.pick(_GIVEN)} {_name(d)}",
    "river": lambda d: d.pick(_STEMS) + d.pick(words.RIVERS[:8]),
    "small": lambda d: d.pick(words.NUMBERS),
    "subject": lambda d: d.pick(words.SUBJECTS[:12]),
    "thing": lambda d: d.pick(_THINGS),
    "title": lambda d: f'"The {d.pick(words.ADJECTIVES[:12]).capitalize()} {d.pick(_THINGS).capitalize()}"',
    "town": lambda d: d.pick(_STEMS) + d.pick(words.TOWNS[:12]),
    "year": lambda d: f"{d.between(1700, 1999)}",
}
"""Names of types and how a value is drawn: from the first words of BERT's lists, so that a small vocabulary holds them."""

# Words of an article at these shares of all articles.
_LENGTHS = ((0.0, 28), (0.1, 38), (0.5, 56), (0.8, 78), (0.95, 120), (1.0, 200))
_SLOT = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True)
class Sentence:
    """A sentence as alternating text and slots: text, slot, text, …, text."""

    parts: tuple[str, ...]

    @property
    def relations(self) -> frozenset[str]:
        """The facts that it states."""
        return frozenset(slot for slot in self.parts[1::2] if not slot.startswith("~"))


@dataclass(frozen=True)
class Story:
    """A kind of news."""

    name: str
    types: dict[str, str]
    leads: tuple[Sentence, ...]
    facts: tuple[Sentence, ...]
    noise: tuple[Sentence, ...]
    highlights: tuple[Sentence, ...]


@dataclass(frozen=True)
class Article:
    """A text and its reference summary; highlights stand one a line, as in CNN/DailyMail."""

    text: str
    highlights: str


def read(path: Path) -> Story:
    """One kind of news. Raises UsageError with file and line for what it cannot read."""
    types: dict[str, str] = {}
    sentences: dict[str, list[Sentence]] = {sign: [] for sign in "|.~>"}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        sign, _, rest = line.strip().partition(" ")
        if sign in sentences:
            sentences[sign].append(Sentence(tuple(_SLOT.split(rest))))
        elif sign.endswith(":") and rest in TYPES:
            types[sign[:-1]] = rest
        elif sign and sign != "story":
            raise UsageError(f"cannot read {line!r}", "it is neither a relation nor a sentence", where=f"{path}:{number}")
    story = Story(path.stem, types, *(tuple(sentences[sign]) for sign in "|.~>"))
    _check(story, path)
    return story


def _check(story: Story, path: Path) -> None:
    every = [*story.leads, *story.facts, *story.noise, *story.highlights]
    for slot in (slot for sentence in every for slot in sentence.parts[1::2]):
        if slot not in story.types and slot.removeprefix("~") not in TYPES:
            raise UsageError(f"unknown slot {{{slot}}}", "a sentence names a relation or type that is not there", where=str(path))
    told = {relation for sentence in story.highlights for relation in sentence.relations}
    for lead in story.leads:
        stated = lead.relations.union(*(fact.relations for fact in story.facts))
        if told - stated:
            raise UsageError(
                f"nothing states {sorted(told - stated)[0]}", "a highlight tells a fact that the article lacks", "", str(path)
            )


@functools.lru_cache(maxsize=1)
def _common() -> tuple[Sentence, ...]:
    """What distracts in every kind of news."""
    return read(COMMON).noise


@functools.lru_cache(maxsize=1)
def stories() -> tuple[Story, ...]:
    """Every kind of news in the order of their names."""
    return tuple(read(path) for path in sorted(FOLDER.glob("*.txt"), key=lambda path: path.name))


def _quantile(share: float) -> float:
    for (low, a), (high, b) in itertools.pairwise(_LENGTHS):
        if share <= high:
            return a + (b - a) * (share - low) / (high - low)
    return _LENGTHS[-1][1]


def _render(dice: Dice, sentence: Sentence, values: dict[str, str]) -> str:
    text = sentence.parts[0]
    for slot, after in zip(sentence.parts[1::2], sentence.parts[2::2], strict=True):
        value = values[slot] if slot in values else TYPES[slot.removeprefix("~")](dice)
        text += value + (after[1:] if value.endswith(".") and after.startswith(".") else after)
    return text[0].upper() + text[1:]


def article(seed: str, index: int, longest: int | None = None) -> Article:
    """Article number `index` of the data set `seed`. Training may ask for articles of at most about `longest` words."""
    dice = Dice(f"{GENERATOR_VERSION}/{seed}/{index}")
    story = dice.pick(stories())
    values = {name: TYPES[kind](dice) for name, kind in story.types.items()}
    target = _quantile(dice.fraction())
    target = target if longest is None else min(target, longest)
    lead = dice.pick(story.leads)
    unsaid = set(values) - lead.relations
    body: list[str] = []
    length = len(_render(dice, lead, values).split())
    for fact in dice.shuffled(story.facts):
        if fact.relations <= unsaid:
            unsaid -= fact.relations
            body.append(_render(dice, fact, values))
            length += len(body[-1].split())
    noise = iter(dice.shuffled([*story.noise, *story.noise, *_common()]))
    while length < target and (sentence := next(noise, None)) is not None:
        more = _render(dice, sentence, {})
        body.insert(dice.below(len(body) + 1), more)
        length += len(more.split())
    text = " ".join([_render(dice, lead, values), *body])
    return Article(text, "\n".join(_render(dice, sentence, values) for sentence in story.highlights))


def generator_digest(own: Iterable[Path]) -> str:
    """Eight digits that change with anything a data set is generated from: code, words, stories, or one of the benchmark's `own` files."""
    made_of = [Path(__file__), Path(words.__file__), Path(words.__file__).with_suffix(".txt"), *own]
    digest = hashlib.sha256()
    for path in [*made_of, *sorted(p for p in FOLDER.iterdir() if p.is_file())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]
