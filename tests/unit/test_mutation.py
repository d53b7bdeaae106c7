"""The changes that `make mutation` makes, and which tests it runs for them."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.mutation import __main__ as judging
from tests.mutation import choice
from tests.mutation.__main__ import Tally, _judge_together, fewer
from tests.mutation.mutants import Mutant, mutants, sample
from tests.mutation.traced import Baseline

SOURCE = '''"""Text."""
from __future__ import annotations

LIMITS = {"a": 80, "b": 90}


def check(values: list[float], least: float = 0.5) -> list[str]:
    """Numbers 1 and 2 in text are left."""
    found: list[str] = []
    for value in values:
        if value < least and not LIMITS:
            found.append(f"{value + 1}")
            continue
        if any(values):
            raise ValueError(value * 2)
    return found + [str(
        len(values) - 1
    )]
'''


def changes(source: str) -> dict[str, list[str]]:
    """What of a source becomes what."""
    found: dict[str, list[str]] = {}
    for one in mutants(source.encode()):
        before, _, after = one.what.partition("  →  ")
        found.setdefault(before, []).append(after)
    return found


def test_rules_are_changed_and_texts_are_not() -> None:
    found = changes(SOURCE)
    assert found["80"] == ["160"] and found["0.5"] == ["1.0"] and found["1"] == ["2"]
    assert found["value < least"] == ["(value <= least)"]
    assert found["not LIMITS"] == ["(LIMITS)"]
    assert set(found["value < least and not LIMITS"]) == {"(value < least or not LIMITS)", "False"}
    assert found['{"a": 80, "b": 90}'] == ["{'a': 80}"]
    assert found["continue"] == ["break"] and found["any"] == ["all"]
    assert found["raise ValueError(value * 2)"] == ["pass"] and found["value * 2"] == ["(value / 2)"]
    assert [after for before, after in found.items() if before.startswith("return ")] == [["return None"]]
    assert set(found["any(values)"]) == {"False", "(not (any(values)))"}
    assert found["len(values) - 1"] == ["(len(values) + 1)"]
    assert not [before for before in found if "Numbers" in before or before == "value + 1" or before == "list[str]"]


def test_what_a_module_exports_is_left_to_the_type_checker() -> None:
    assert changes('__all__ = ["a", "b"]\nOTHER = ["a", "b"]\n') == {'["a", "b"]': ["['a']"]}


def test_every_change_compiles_differs_and_keeps_its_lines() -> None:
    source = SOURCE.encode()
    for one in mutants(source):
        changed = one.applied(source)
        compile(changed, "changed", "exec")
        assert changed != source and changed.count(b"\n") == source.count(b"\n")


def test_a_line_within_a_statement_is_executed_with_it() -> None:
    """The interpreter names one line only of a constant over several, and of a call's arguments."""
    source = "LIST = (\n    10,\n    20,\n)\nif LIST and (\n    len(LIST) > 5\n):\n    print(\n        7\n    )\n"
    found = {one.what.partition("  ")[0]: one.statement for one in mutants(source.encode())}
    assert found["20"] == found["10"] == (1, 4) and found["5"] == (5, 7) and found["7"] == (8, 10)


def test_a_sample_is_the_same_each_time_and_spread_over_lines() -> None:
    found = mutants(SOURCE.encode())
    assert sample(found, 5, "1") == sample(found, 5, "1") != sample(found, 5, "2")
    lines = {one.line for one in found}
    assert {one.line for one in sample(found, len(lines), "1")} == lines
    assert sample(found, 10_000, "1") == found
    assert all(isinstance(one, Mutant) for one in found)


def test_a_few_changes_of_all_modules_are_the_same_each_time() -> None:
    found = mutants(SOURCE.encode())
    work = {"code/a.py": found[:9], "code/b.py": found[9:15]}
    kept = fewer(work, 6, "1")
    assert kept == fewer(work, 6, "1") != fewer(work, 6, "2")
    assert sum(map(len, kept.values())) == 6 and all(set(kept[path]) <= set(work[path]) for path in kept)
    assert fewer(work, 100, "1") == work


@pytest.mark.parametrize(
    ("killed", "survived", "untried", "status"), [(5, 5, 0, 0), (4, 6, 0, 1), (0, 9, 0, 0), (4, 6, 1, 0), (12, 0, 0, 0)]
)
def test_changes_of_new_lines_are_judged_together(killed: int, survived: int, untried: int, status: int) -> None:
    """Half of ten is enough. Fewer than ten, and what the time did not suffice for, are no reason to fail."""
    one = mutants(SOURCE.encode())[0]
    found = {"a": Tally(killed), "b": Tally(0, [one] * survived, untried)}
    assert _judge_together(found, "HEAD^") == status


@pytest.mark.parametrize(
    ("left_out", "status", "expected"),
    [
        (False, 0, (0, 1, 0)),
        (False, 1, (1, 0, 0)),
        (True, 0, (0, 0, 1)),  # the file that was left out might notice it
        (True, 1, (1, 0, 0)),
        (False, "untried", (0, 0, 1)),
    ],
)
def test_what_nobody_noticed_is_not_counted_where_a_test_file_was_left_out(
    left_out: bool, status: object, expected: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def pool(_copies: list[Path], waiting: list[Any], done: Any) -> None:
        for name, _limit_s, _task in waiting:
            done(name, {"status": status})

    monkeypatch.setattr(judging, "_pool", pool)
    one = mutants(SOURCE.encode())[0]
    lines = {"code/a.py": {"t::one": list(range(one.line, one.last_line + 1))}}
    known = {"tests/near.py": Baseline({"t::one": 0.1}, lines)}
    tests = {"code/a.py": {"tests/near.py": 0, **({"tests/late.py": 0} if left_out else {})}}
    tally = judging._judge([tmp_path], {"code/a.py": [one]}, known, tests, float("inf"))["code/a.py"]
    assert (tally.killed, len(tally.survived), tally.untried) == expected


def test_imports_are_read_from_statements_and_not_from_texts() -> None:
    source = (
        'NOTE = "it\'s #1"  # import code.a\nTEXT = \'\'\'\nimport code.b\n"""\n\'\'\'\n"""\nfrom code import c\n"""\n'
        "import code.d as d, code.e\n\n\ndef f():\n    from code.f import (  # here)\n        g,  # not h\n        i as j,\n    )\n"
        "    from . import k\n    from code.l import m as n, o  # p\n    important = 'from code import q'\n"
    )
    expected = {"code.d", "code.e", "code.f", "code.f.g", "code.f.i", "code.l", "code.l.m", "code.l.o"}
    assert choice.imported(source) == expected


@pytest.fixture(scope="module")
def tests() -> dict[str, dict[str, int]]:
    """The test files of each module; every file of the project is read for it."""
    return choice.importers()


def test_each_module_with_a_floor_exists_and_has_a_test_file_that_imports_it(tests: dict[str, dict[str, int]]) -> None:
    patterns = choice.floors()
    for pattern in patterns:
        assert [path for path in choice.modules(patterns) if Path(path).match(pattern)], f"{pattern} fits no module"
    untested = [path for path in choice.modules(patterns) if not tests.get(path) and mutants(Path(path).read_bytes())]
    assert untested == []
    assert tests["code/results/seal.py"]


def test_files_that_are_named_for_a_module_count_as_those_that_import_it(tests: dict[str, dict[str, int]]) -> None:
    """A check of a tree is reached through the walk over all of it, by the rows of the sabotage table."""
    for pattern, files in choice.named_tests().items():
        modules = [path for path in choice.modules(choice.floors()) if fnmatch.fnmatch(path, pattern)]
        assert modules, f"{pattern} fits no module"
        assert all(Path(file).is_file() and not choice.OUTSIDE.search(Path(file).read_text()) for file in files)
        assert all(tests[module][file] == 0 for module in modules for file in files)
    sabotage = "tests/unit/submission/test_sabotage.py"
    assert {sabotage, "tests/unit/submission/test_endpoint_rules.py"} <= set(tests["code/submission/check/endpoint_checks.py"])
    assert sabotage not in tests["code/submission/stage/endpoint_pages.py"]
    short, long = "tests/unit/submission/test_own_targets.py", "tests/unit/submission/test_log_rules.py"
    assert choice.in_order({long, sabotage, short}) == [short, long, sabotage], "which takes longest"


@pytest.mark.parametrize(("path", "least"), [("code/results/verdict.py", 85), ("code/main.py", None)])
def test_floors(path: str, least: int | None) -> None:
    assert choice.floor_of(path, choice.floors()) == least
