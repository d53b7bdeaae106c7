"""The audit tests: their arithmetic is MLCommons', their audit.config never stays, and LoadGen takes it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import UsageError
from code.rules.rounds import round_named
from code.run import audit_config
from code.submission.audit import audit_run, audits


def responses(path: Path, entries: list[tuple[int, list[float]]], **more: Any) -> Path:
    """An accuracy log of (sample, values)."""
    listed = [
        {"seq_id": n, "qsl_idx": i, "data": struct.pack(f"<{len(v)}f", *v).hex().upper()} for n, (i, v) in enumerate(entries)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps({**entry, **more}) for entry in listed) + "\n]\n")
    return path


def tokens(path: Path, entries: list[dict[str, Any]]) -> Path:
    """An accuracy log of an LLM: token lists as int32."""

    def packed(values: list[int]) -> str:
        return struct.pack(f"<{len(values)}i", *values).hex()

    listed = []
    for number, entry in enumerate(entries):
        one: dict[str, Any] = {"seq_id": number, "qsl_idx": number, "data": packed(entry["data"])}
        one["token_data"] = packed(entry.get("first", entry["data"][:1]))
        one["token_count"] = entry.get("count", len(entry["data"]))
        listed.append(one)
    path.write_text(json.dumps(listed))
    return path


@pytest.mark.parametrize(
    ("scenario", "reference", "test", "passes01", "passes04"),
    [
        ("Offline", 100.0, 109.9, True, True),
        ("Offline", 100.0, 110.1, False, False),
        ("Offline", 100.0, 89.9, False, True),
        ("Server", 50.0, 45.0, True, True),
        ("SingleStream", 1e6, 1.11e6, False, True),
        ("SingleStream", 1e6, 0.85e6, False, True),
        ("SingleStream", 1e6, 0.83e6, False, False),
        ("SingleStream", 200000, 161000, True, False),
        ("MultiStream", 1600000, 1910000, True, True),
    ],
)
def test_thresholds(scenario: str, reference: float, test: float, passes01: bool, passes04: bool) -> None:
    assert audits.within_test01(scenario, reference, test) == passes01
    assert audits.within_test04(scenario, reference, test) == passes04


def test_test01_compares_the_first_element_of_every_response(tmp_path: Path) -> None:
    reference = responses(tmp_path / "a.json", [(0, [1, 2]), (1, [3, 4]), (2, [])])
    assert audits.accuracy_test01(
        reference, responses(tmp_path / "b.json", [(1, [3, 9]), (0, [1, 2]), (2, [])]), "float32"
    ).passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "c.json", [(1, [4, 4])]), "float32").passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "d.json", [(2, [1])]), "float32").passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "e.json", []), "float32").passed, (
        "nothing compared is no pass"
    )
    unknown = audits.accuracy_test01(reference, responses(tmp_path / "f.json", [(7, [1]), (0, [1, 2])]), "float32")
    assert unknown.passed and "num_missing_qsl_idxs = 1" in unknown.text


def test_test01_by_score(tmp_path: Path) -> None:
    reference = responses(tmp_path / "a.json", [(i, [float(i)]) for i in range(5)])
    subset = audits.baseline(reference, responses(tmp_path / "b.json", [(3, [0.0]), (1, [0.0]), (3, [0.0])]))
    assert [entry["qsl_idx"] for entry in subset] == [1, 3]
    assert audits.scores_agree("bert-99", {"F1": 90.0}, {"F1": 90.8})
    assert not audits.scores_agree("bert-99.9", {"F1": 90.0}, {"F1": 90.8})
    assert not audits.scores_agree("bert-99", {"F1": 90.0}, {"F1": 0.0})
    assert not audits.scores_agree("bert-99", {}, {})


@pytest.mark.parametrize(
    ("entry", "scenario", "passed", "says"),
    [
        ({"data": [5, 6, 2]}, "Server", True, "First token check pass: True"),
        ({"data": [5, 6, 2]}, "Offline", True, "First token check pass: Skipped"),
        ({"data": [5, 6, 2], "first": [4]}, "Server", False, "First token check pass: False"),
        ({"data": [5, 6, 2], "first": [4]}, "Offline", True, "First token check pass: Skipped"),
        ({"data": [5, 2, 2]}, "Server", False, "EOS check pass: False"),
        ({"data": [2, 2]}, "Server", True, "EOS check pass: True"),
        ({"data": [5, 6], "count": 3}, "Server", False, "Sample length check pass: False"),
    ],
)
def test_test06(tmp_path: Path, entry: dict[str, Any], scenario: str, passed: bool, says: str) -> None:
    verdict = audits.accuracy_test06(tokens(tmp_path / "log.json", [entry]), scenario, 2, "int32")
    assert verdict.passed == passed
    assert says in verdict.text.splitlines()


def test_the_audit_config_is_mlcommons_and_does_not_stay(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        audit_config.written(tmp_path, "TEST01", audit_config.settings("TEST01", "bert")) as path,
    ):
        lines = path.read_text().splitlines()
        assert {
            "*.*.mode = 2",
            "*.*.accuracy_log_rng_seed = 720381539243781796",
            "*.*.accuracy_log_sampling_target = 4096",
        } < set(lines)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    assert audit_config.settings("TEST01", "3d-unet")["*.accuracy_log_sampling_target"] == 64
    assert audit_config.settings("TEST06", "gptj")["*.min_query_count"] == 100
    assert audit_config.settings("TEST04", "bert")["Offline.performance_issue_same_index"] == 3


def test_a_leftover_audit_config_is_refused(tmp_path: Path) -> None:
    audit_config.refuse_leftover(tmp_path)
    (tmp_path / "audit.config").write_text("*.*.mode = 2\n")
    with pytest.raises(UsageError, match="leftover") as caught:
        audit_config.refuse_leftover(tmp_path)
    assert "rm " in caught.value.next_step


def test_which_tests_a_benchmark_needs_is_the_rounds_business() -> None:
    assert audit_run.tests_for("bert", [], round_named("v6.1")) == ["TEST01"]
    assert audit_run.tests_for("gptj", [], round_named("v5.0")) == ["TEST06"]
    assert audit_run.tests_for("bert", ["TEST04"], round_named("v6.1")) == ["TEST04"]
    with pytest.raises(UsageError, match="TEST06 does not apply to bert"):
        audit_run.tests_for("bert", ["TEST06"], round_named("v6.1"))
    with pytest.raises(UsageError, match="unknown audit test 'TEST1'"):
        audit_run.tests_for("bert", ["TEST1"], round_named("v6.1"))
