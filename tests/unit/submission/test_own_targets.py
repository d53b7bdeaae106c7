"""A tiny model's own targets in the preflight: a metric may be bounded on one side or on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.benchmarks.text.printed import as_printed
from code.results.accuracy import AccuracyResult
from code.rules.rounds import round_named
from code.submission.check import result_files
from code.submission.check.log_checks import Claim

CLAIM = Claim("llama3.1-8b", "Offline", "open", "datacenter", round_named("v6.1"), tiny=True)
SCORES = {"ROUGE1": 56.0, "ROUGE2": 38.0, "ROUGEL": 55.0, "ROUGELSUM": 55.5, "GEN_NUM": 100.0}


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(("length", "words"), [(899.0, "900"), (1000.0, ""), (1101.0, "at most 1100")])
def test_a_length_between_its_bounds_is_no_finding(marked: bool, length: float, words: str, tmp_path: Path) -> None:
    (tmp_path / "accuracy.txt").write_text(as_printed({**SCORES, "GEN_LEN": length}))
    bounds = [AccuracyResult("GEN_LEN", length, 900.0), AccuracyResult("GEN_LEN", length, 1100.0, higher_is_better=False)]
    entries = [one.as_json() for one in (AccuracyResult("ROUGE1", 56.0, 55.0), *bounds)]
    if not marked:  # as earlier versions wrote it
        for entry in entries:
            entry.pop("most", None)
    found = list(
        result_files._own_targets(tmp_path / "measurements.json", {"accuracy": entries}, tmp_path / "accuracy.txt", CLAIM)
    )
    assert [finding.what for finding in found] == ([f"GEN_LEN is {length:.6g}; the target is {words}"] if words else [])
