"""make reproduce: expressions and classes of foreign config files, of both layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.submission.reproduce import config_files
from tests.unit.submission.published_trees import SYSTEM, classes, config, publish, put, values

# ── config files of others ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("-3", -3),
        ("2 + 3", 5),
        ("7 - 3", 4),
        ("6 * 2.5", 15.0),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-(2 + 3) * 4", -20),
        ("'fp16'", "fp16"),
        ("None", None),
        ("True", True),
        ("[1, 2 * 2]", [1, 4]),
        ("('a', -1)", ["a", -1]),
        ("{'a': 1, 'b': {'c': 2 * 3}}", {"a": 1, "b": {"c": 6}}),
        ("10**18", None),
        ("1000000000 * 1000000000", 10**18),
    ],
)
def test_literals_and_arithmetic_are_read(tmp_path: Path, expression: str, value: Any) -> None:
    found = classes(publish(tmp_path), config("A", f"system = KnownSystem.{SYSTEM}\nbatch = {expression}"))
    assert found is not None
    if expression == "10**18":
        assert "batch" not in found.values and len(found.skipped) == 1, "powers are not computed"
    else:
        assert found.values["batch"][0] == value and type(found.values["batch"][0]) is type(value) and found.skipped == []


@pytest.mark.parametrize(
    "expression",
    [
        "call()",
        "1 / 0",
        "1 + 'a'",
        "True + 1",
        "~3",
        "+3",
        "3 % 2",
        "unknown",
        "a.b",
        "{**other}",
        "[call()]",
        "1000000001 * 1000000000",
        "1 if True else 2",
        "- 'a'",
        "{'a': call()}",
        "{[1]: 2}",
    ],
)
def test_other_expressions_are_named_and_take_the_inherited_value_away(tmp_path: Path, expression: str) -> None:
    base = "class Base:\n    batch = 8\n    kept: int = 5\n    unset: int\n\n"
    found = classes(publish(tmp_path), base, config("A", f"system = KnownSystem.{SYSTEM}\nbatch = {expression}"))
    assert found is not None and values(found) == {"kept": 5}
    assert found.skipped == [f"{tmp_path}/closed/Vendor/configs/bert/Offline/__init__.py:9: batch"]


def test_bases_are_followed_nearest_last_and_only_fields_are_taken(tmp_path: Path) -> None:
    text = (
        "class Root:\n    benchmark = B.X\n    a = 1\n    b = 1\n    c = 1\n\n",
        "class Left(Root):\n    scenario = S.Y\n    _private = 3\n    b = 2\n    c = 2\n\n",
        config("A", f"system = KnownSystem.{SYSTEM}\nc = d = 3\ne.f = 4", "module.Left, Missing"),
    )
    found = classes(publish(tmp_path), *text)
    assert found is not None and values(found) == {"a": 1, "b": 2, "c": 3, "d": 3}
    assert found.where.endswith("__init__.py:14") and found.values["c"][1].endswith("__init__.py:16")


def test_classes_that_inherit_from_each_other_end(tmp_path: Path) -> None:
    found = classes(publish(tmp_path), "class B(A):\n    b = 1\n\n", config("A", f"system = K.{SYSTEM}\na = 2", "B"))
    assert found is not None and values(found) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("kind", "target", "power", "found"),
    [
        ("Custom", "k_99", "MaxP", True),
        ("LWIS", "k_99", "MaxP", True),
        ("Triton", "k_99", "MaxP", False),
        ("Custom", "k_99_9", "MaxP", False),
        ("Custom", "k_99", "MaxQ", False),
    ],
)
def test_a_class_is_that_of_the_harness_target_and_power(tmp_path: Path, kind: str, target: str, power: str, found: bool) -> None:
    one = config("A", f"system = KnownSystem.{SYSTEM}\na = 1", kind=kind, target=target, power=power)
    assert (classes(publish(tmp_path), one) is not None) == found


@pytest.mark.parametrize("kind", ["Triton", "TritonUnified"])
def test_a_triton_system_has_the_triton_class(tmp_path: Path, kind: str) -> None:
    plain = config("A", f"system = KnownSystem.{SYSTEM}\na = 1")
    found = classes(publish(tmp_path, system=f"{SYSTEM}_Triton"), plain, config("B", "a = 2", "A", kind))
    assert found is not None and values(found) == {"a": 2}


def test_the_longest_name_of_a_system_decides(tmp_path: Path) -> None:
    texts = [
        config("Z", "system = KnownSystem.H100\na = 1"),
        config("A", "system = KnownSystem.H100_PCIe_80GBx1\na = 2"),
        config("B", "system = KnownSystem.h100_pcie_80gbx1\na = 3"),
        config("C", "system = KnownSystem.A100_PCIe_80GBx1\na = 4"),
        config("D", "system = 'H100_PCIe_80GBx1_TRT'\na = 5"),
        config("E", "a = 6", "Nothing"),
    ]
    found = classes(publish(tmp_path, system="R760_H100_PCIe_80GBx1_TRT"), *texts)
    assert found is not None and values(found) == {"a": 3}, "of equally long ones the last by name"


def test_a_file_that_does_not_parse_is_passed_over(tmp_path: Path) -> None:
    result = publish(tmp_path)
    put(result.submitter / "configs/bert/Offline/broken.py", "def (")
    put(result.submitter / "configs/bert/Server/other.py", config("A", f"system = KnownSystem.{SYSTEM}\na = 9"))
    assert config_files.find(result, "bert", "k_99") is None, "a class of another scenario is none"
    found = classes(result, config("A", f"system = KnownSystem.{SYSTEM}\na = 1"), folder="code/configs")
    assert found is not None and values(found) == {"a": 1}
    second = classes(result, config("A", f"system = KnownSystem.{SYSTEM}\na = 2"), folder="code/a/configs")
    assert second is not None and values(second) == {"a": 2}, "of several folders the first by name"


EXPORTS = """
    first = {f.batch: {"bert": 1 + size}, f.name: "x", "text": 3}
    second = first
    size = 7
    round = round
    EXPORTS = {
        C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget(0.999), C.PowerSetting.MaxP): {f.batch: 9},
        C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget(0.99), C.PowerSetting.MaxQ): {f.batch: 8},
        C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget.k_99, C.PowerSetting.MaxP): ENTRIES,
    }
"""


@pytest.mark.parametrize(
    ("entries", "found", "skipped"),
    [
        ("second", {"batch": {"bert": 8}, "name": "x"}, []),
        ("{**second, f.name: 'y'}", {"batch": {"bert": 8}, "name": "y"}, []),
        ("{f.name: 'y', **second}", {"batch": {"bert": 8}, "name": "x"}, []),
        ("make()", {}, ["9: the fields"]),
        ("{**make(), f.a: size}", {"a": 7}, ["9: the fields"]),
        ("round", {}, ["5: the fields"]),
        ("{f.a: round}", {}, ["9: a"]),
    ],
)
def test_exports_follow_names_of_their_file(tmp_path: Path, entries: str, found: dict[str, Any], skipped: list[str]) -> None:
    result = publish(tmp_path)
    path = put(result.submitter / f"configs/{SYSTEM}/Offline/bert.py", EXPORTS.replace("ENTRIES", entries))
    one = config_files.find(result, "bert", "k_99")
    assert one is not None and values(one) == found
    assert one.skipped == [f"{path}:{line}" for line in skipped]
    assert config_files.find(result, "bert", "k_99_9") is not None and config_files.find(result, "gptj", "k_99") is None


def test_exports_of_power_are_others(tmp_path: Path) -> None:
    result = publish(tmp_path)
    put(result.submitter / f"configs/{SYSTEM}/Offline/bert.py", EXPORTS.replace("ENTRIES", "second"))
    (result.folder / "performance/power").mkdir()
    one = config_files.find(result, "bert", "k_99")
    assert one is not None and values(one) == {"batch": 8}
    put(result.submitter / f"configs/{SYSTEM}/Offline/bert.py", "EXPORTS = make()")
    assert config_files.find(result, "bert", "k_99") is None
