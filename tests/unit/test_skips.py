"""Every test that skips says why, and README.md says what unlocks it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import House
from tests.empty import some

CALLS = ("skip", "importorskip", "skipif")


@cache
def skips(project: Path) -> list[tuple[str, ast.Call]]:
    """(file:line, call) of every call that can skip a test."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((project / "tests").rglob("*.py"))}
    return [
        (f"{path.relative_to(project)}:{node.lineno}", node)
        for path, text in texts.items()
        if "skip" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS
    ]


@pytest.fixture(scope="module")
def section(project: Path) -> str:
    text = (project / "README.md").read_text(encoding="utf-8")
    return text[text.index("## Tests that skip") : text.index("## Licence")]


def test_a_package_that_unlocks_tests_is_named(project: Path, section: str) -> None:
    always = (project / "requirements" / "dev.lock").read_text(encoding="utf-8").lower()
    named: dict[str, str] = {}
    for place, call in skips(project):
        if call.func.attr == "importorskip" and isinstance(call.args[0], ast.Constant):  # type: ignore[attr-defined]
            named.setdefault(str(call.args[0].value).split(".")[0], place)
    aliases = {"mlperf_loadgen": "mlcommons-loadgen", "pynvml": "nvidia-ml-py"}
    unknown = {
        name: place
        for name, place in named.items()
        if f"`{name}`" not in section and not re.search(rf"^{re.escape(aliases.get(name, name))}==", always, re.MULTILINE)
    }
    assert named and not unknown, "README.md, 'Tests that skip', has no row for these"


def test_what_is_not_installed_comes_with_its_command(project: Path) -> None:
    for place, call in some(skips(project)):
        text = ast.unparse(call)
        assert (
            "not installed" not in text
            or re.search(r"make \w|apt-get install|pip install|\.INSTALL", text)
            or "development packages" in text
        ), place


def test_no_test_skips_for_something_that_only_its_author_has(project: Path) -> None:
    for place, call in some(skips(project)):
        text = ast.unparse(call)
        assert "../shared" not in text and "shared tools" not in text, place


def test_what_the_section_names_exists(project: Path, section: str) -> None:
    targets = set(re.findall(r"`make ([a-z_]+)`", section))
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{target}\b", makefile) for target in targets)
    assert "MLPERF_TEST_DATA" in (project / "tests" / "conftest.py").read_text(encoding="utf-8")


def test_a_folder_that_outsiders_lack_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.conftest import REFERENCE_ABSENT, reference_folder

    monkeypatch.setenv("MLPERF_TEST_DATA", str(tmp_path))
    assert reference_folder() == tmp_path
    assert "README.md" in REFERENCE_ABSENT and "MLPERF_TEST_DATA" in REFERENCE_ABSENT


class Item(SimpleNamespace):
    """A test with these markers."""

    __hash__ = object.__hash__
    fixturenames = ()

    def get_closest_marker(self, name: str) -> Any:
        return self.markers.get(name)


def test_tests_of_what_is_absent_are_left_out_in_one_line() -> None:
    house, deselected = House.__new__(House), []
    mark = SimpleNamespace(args=("no server; `make server`",))
    items = [Item(markers={"absent": mark}), Item(markers={}), Item(markers={"absent": mark})]
    kept = items[1]
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    house.pytest_collection_modifyitems(SimpleNamespace(hook=hook, getoption=lambda _name: None), items)  # type: ignore[arg-type]
    assert items == [kept] and len(deselected) == 2 and house.left_out == {"no server; `make server`": 2}
