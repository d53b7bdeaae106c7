"""The sentences and questions of the tiny data set, as their files are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.benchmarks.bert.tiny import facts
from code.common.errors import UsageError

BRIDGE = """kind bridge | the bridge | It

opened: year
? When was {S} opened?
? In which year did traffic first cross {S}?
engineer: person
? Who designed {S}?
. {S} was opened in {opened}, to plans of {engineer}.
. In {~town} nobody wanted {S}.
"""


def read(folder: Path, text: str) -> facts.Kind:
    (folder / "kind.txt").write_text(text)
    return facts.read(folder / "kind.txt")


def test_a_kind_of_subject(tmp_path: Path) -> None:
    kind = read(tmp_path, BRIDGE)
    assert (kind.name, kind.noun, kind.pronoun) == ("bridge", "the bridge", "It")
    assert kind.types == {"opened": "year", "engineer": "person"}
    assert kind.questions == {
        "opened": ("When was {S} opened?", "In which year did traffic first cross {S}?"),
        "engineer": ("Who designed {S}?",),
    }
    first, second = kind.sentences
    assert first.slots == ("S", "opened", "engineer") and first.relations == {"opened", "engineer"}
    assert first.parts == ("", "S", " was opened in ", "opened", ", to plans of ", "engineer", ".")
    assert second.slots == ("~town", "S") and second.relations == set(), "a value without a question states nothing"


def test_scenery_has_no_subject_and_a_kind_may_lack_its_short_form(tmp_path: Path) -> None:
    scenery = read(tmp_path, "kind -\n. It rained in {~town}.\n")
    assert (scenery.name, scenery.noun, scenery.pronoun, scenery.types) == ("-", "-", "-", {})
    ship = read(tmp_path, "kind ship | the ship\n")
    assert (ship.noun, ship.pronoun) == ("the ship", "-")
    assert read(tmp_path, "kind thing\n").name == "thing", "without relations it needs no names"


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("kind bridge\n? Who?\n", "cannot read '? Who?'", ":2"),
        ("kind bridge\nopened: nothing\n", "cannot read 'opened: nothing'", ":2"),
        ("kind bridge\nopened year\n", "cannot read 'opened year'", ":2"),
        ("kind bridge\n\n. {S} has {span}.\n", "unknown slot {span}", ""),
        ("kind bridge\n. {S} is in {~nothing}.\n", "unknown slot {~nothing}", ""),
        ("kind thing\nopened: year\n", "there are no names for a thing", ""),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, what: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert caught.value.what == what and caught.value.where == f"{tmp_path / 'kind.txt'}{line}"


def test_every_kind_and_the_scenery() -> None:
    kinds, scenery = facts.kinds()
    names = [kind.name for kind in kinds]
    assert names == sorted(names) and "bridge" in names and "-" not in names and len(names) >= 8
    assert scenery.name == "-" and scenery.sentences and not scenery.types
    assert all(kind.questions and all(kind.questions.values()) for kind in kinds)
