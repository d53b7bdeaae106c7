"""The vocabulary of the generated articles: dice that fall alike on every Python, names, numbers and things."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Random choices that depend on `seed` alone: only `random.Random.random()` is used, whose sequence Python guarantees."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")).random

    def below(self, count: int) -> int:
        """An integer from 0 to count-1."""
        return int(self._random() * count)

    def between(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def fraction(self) -> float:
        """A number from 0 up to 1."""
        return self._random()

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher and Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result


def _read(path: Path) -> dict[str, list[str]]:
    """The word lists of words.txt by name."""
    lists: dict[str, list[str]] = {}
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, rest = line.partition(":")
        if line.startswith("#"):
            continue
        if colon:
            words = lists[name] = []
        words.extend(word.strip() for word in (rest if colon else line).split(",") if word.strip())
    return lists


_LISTS = _read(Path(__file__).with_suffix(".txt"))
WOMEN = _LISTS["WOMEN"]
MEN = _LISTS["MEN"]
STEMS = _LISTS["STEMS"]
TOWNS = _LISTS["TOWNS"]
FAMILIES = _LISTS["FAMILIES"]
RIVERS = _LISTS["RIVERS"]
ADJECTIVES = _LISTS["ADJECTIVES"]
THINGS = _LISTS["THINGS"]
BEASTS = _LISTS["BEASTS"]
COLOURS = _LISTS["COLOURS"]
STUFFS = _LISTS["STUFFS"]
CROPS = _LISTS["CROPS"]
FOODS = _LISTS["FOODS"]
COOKED = _LISTS["COOKED"]
DISHES = _LISTS["DISHES"]
TRADES = _LISTS["TRADES"]
WORK = _LISTS["WORK"]
JOBS = _LISTS["JOBS"]
RANKS = _LISTS["RANKS"]
SUBJECTS = _LISTS["SUBJECTS"]
ERAS = _LISTS["ERAS"]
INSTRUMENTS = _LISTS["INSTRUMENTS"]
MONTHS = _LISTS["MONTHS"]
DAYS = _LISTS["DAYS"]
NUMBERS = _LISTS["NUMBERS"]
COINS = _LISTS["COINS"]
METALS = _LISTS["METALS"]
ROADS = _LISTS["ROADS"]
HOUSES = _LISTS["HOUSES"]
AWARDS = _LISTS["AWARDS"]
SCHOOLS = _LISTS["SCHOOLS"]
FESTIVALS = _LISTS["FESTIVALS"]
MUSEUMS = _LISTS["MUSEUMS"]
CHOIRS = _LISTS["CHOIRS"]
PLACES = _LISTS["PLACES"]


def town(dice: Dice) -> str:
    """Such as Wenbridge or Upper Thornley."""
    name = dice.pick(STEMS) + dice.pick(TOWNS)
    kind = dice.below(12)
    return f"{dice.pick(('Upper', 'Lower', 'Great', 'Little'))} {name}" if kind == 0 else name


def family(dice: Dice) -> str:
    """A family name, such as Hartquist."""
    return dice.pick(STEMS) + dice.pick(FAMILIES)


def person(dice: Dice) -> str:
    """Such as Clara Hartquist, J. Wolfberg or Dr. Emil Goldridge."""
    given = dice.pick(dice.pick((WOMEN, MEN)))
    style = dice.below(14)
    if style == 0:
        given = f"{given[0]}."
    elif style == 1:
        given = f"{given} {dice.pick('ABCDEFGHJKLMNPRSTW')}."
    elif style == 2:
        given = f"{dice.pick(('Dr.', 'Sir', 'Professor', 'Captain'))} {given}"
    return f"{given} {family(dice)}"


def firm(dice: Dice) -> str:
    """Such as Wolfberg & Sons or Elmcroft, Garwood & Co."""
    style = dice.below(5)
    if style == 0:
        return f"{family(dice)} & Sons"
    if style == 1:
        return f"{family(dice)}, {family(dice)} & Co."
    if style == 2:
        return f"{family(dice)} Brothers"
    return f"{family(dice)}-{family(dice)}" if style == 3 else f"{town(dice)} {dice.pick(('Works', 'Trading Company', 'Mills'))}"


def number(dice: Dice) -> str:
    """120 to 98,999, with a comma from a thousand on."""
    return f"{dice.between(120, 999)}" if dice.chance(0.3) else f"{dice.between(1, 98)},{dice.between(0, 999):03d}"


def distance(dice: Dice) -> str:
    """Such as 340 metres or 12.5 kilometres."""
    if dice.chance(0.5):
        return f"{dice.between(12, 980)} {dice.pick(('metres', 'feet', 'yards'))}"
    return f"{dice.between(1, 60)}.{dice.between(1, 9)} {dice.pick(('kilometres', 'miles', 'leagues'))}"


def money(dice: Dice) -> str:
    """Such as 12 silver marks or $4,250."""
    style = dice.below(4)
    if style == 0:
        return f"{dice.pick('$£')}{number(dice)}"
    amount = f"{dice.between(2, 99)}" if style == 1 else number(dice)
    return f"{amount} {dice.pick(METALS)} {dice.pick(COINS)}" if dice.chance(0.3) else f"{amount} {dice.pick(COINS)}"


def title(dice: Dice) -> str:
    """Such as "The Hidden Lantern" or "The Lark of Wenbridge", quoted."""
    thing = dice.pick(dice.pick((THINGS, BEASTS))).capitalize()
    middle = f"The {dice.pick(ADJECTIVES).capitalize()} {thing}" if dice.chance(0.7) else f"The {thing} of {town(dice)}"
    return f'"{middle}"'


def colours(dice: Dice) -> str:
    """One colour or two."""
    first = dice.pick(COLOURS)
    if dice.chance(0.3):
        return f"{dice.pick(('dark', 'pale', 'bright'))} {first}"
    other = dice.pick([colour for colour in COLOURS if colour != first])
    return f"{first} and {other}"


def festival(dice: Dice) -> str:
    """Such as the Wenbridge Fair or the Golden Lantern Festival."""
    first = f"{dice.pick(ADJECTIVES)} {dice.pick(THINGS)}".title() if dice.chance(0.5) else town(dice)
    return f"the {first} {dice.pick(FESTIVALS)}"


TYPES: dict[str, Callable[[Dice], str]] = {
    "year": lambda d: f"{d.between(1604, 1997)}",
    "person": person,
    "town": town,
    "river": lambda d: d.pick(STEMS) + d.pick(RIVERS),
    "count": number,
    "small": lambda d: d.pick(NUMBERS) if d.chance(0.6) else f"{d.between(13, 89)}",
    "money": money,
    "distance": distance,
    "speed": lambda d: f"{d.between(7, 95)} {d.pick(('knots', 'miles an hour', 'kilometres an hour'))}",
    "percent": lambda d: f"{d.between(3, 97)}%" if d.chance(0.5) else f"{d.between(3, 97)} percent",
    "colours": colours,
    "date": lambda d: f"{d.between(1, 28)} {d.pick(MONTHS)}" if d.chance(0.6) else f"{d.pick(MONTHS)} {d.between(1, 28)}",
    "weekday": lambda d: (
        d.pick(DAYS) if d.chance(0.4) else f"the {d.pick(('first', 'second', 'last'))} {d.pick(DAYS)} of {d.pick(MONTHS)}"
    ),
    "material": lambda d: f"{d.pick(COLOURS)} {d.pick(STUFFS)}" if d.chance(0.6) else d.pick(STUFFS),
    "craft": lambda d: f"{d.pick(TRADES)} {d.pick(WORK)}",
    "dish": lambda d: (
        f"{d.pick(COOKED)} {d.pick(FOODS)} {d.pick(DISHES)}" if d.chance(0.5) else f"{d.pick(FOODS)} {d.pick(DISHES)}"
    ),
    "church": lambda d: f"St. {d.pick(d.pick((WOMEN, MEN)))}'s {d.pick(HOUSES)}",
    "job": lambda d: f"{d.pick(RANKS)} {d.pick(JOBS)}" if d.chance(0.3) else d.pick(JOBS),
    "subject": lambda d: f"{d.pick(ERAS)} {d.pick(SUBJECTS)}" if d.chance(0.5) else d.pick(SUBJECTS),
    "title": title,
    "prize": lambda d: f"the {d.pick(ADJECTIVES).capitalize()} {d.pick(THINGS).capitalize()} {d.pick(AWARDS)}",
    "street": lambda d: f"{d.between(1, 199)} {d.pick(STEMS)}{d.pick(TOWNS)} {d.pick(ROADS)}",
    "instrument": lambda d: d.pick(INSTRUMENTS),
    "animal": lambda d: f"{d.pick(COLOURS[2:8])} {d.pick(BEASTS)}" if d.chance(0.6) else f"{d.pick(ADJECTIVES)} {d.pick(BEASTS)}",
    "crop": lambda d: f"{d.pick(COOKED)} {d.pick(CROPS)}" if d.chance(0.3) else f"{d.pick(CROPS)} and {d.pick(CROPS)}",
    "motto": lambda d: f'"{d.pick(ADJECTIVES).capitalize()} in {d.pick(THINGS)}, {d.pick(ADJECTIVES)} in {d.pick(THINGS)}"',
    "firm": firm,
    "school": lambda d: f"{town(d)} {d.pick(SCHOOLS)}",
}

NAMES: dict[str, Callable[[Dice], str]] = {
    "town": town,
    "person": person,
    "bridge": lambda d: f"{d.pick(STEMS)}{d.pick(TOWNS)} Bridge" if d.chance(0.7) else f"{family(d)} Viaduct",
    "school": TYPES["school"],
    "festival": festival,
    "firm": firm,
    "ship": lambda d: f"the {d.pick(ADJECTIVES).capitalize()} {d.pick(d.pick((THINGS, BEASTS))).capitalize()}",
    "museum": lambda d: f"the {town(d)} {d.pick(MUSEUMS)}",
    "lake": lambda d: f"Lake {d.pick(STEMS)}{d.pick(RIVERS)}",
    "railway": lambda d: f"the {town(d)} {d.pick(('Line', 'Railway', 'Tramway'))}",
    "choir": lambda d: f"the {town(d)} {d.pick(CHOIRS)}",
}
