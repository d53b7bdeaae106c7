"""Checks of the preflight that no harmed tree can meet: upper limits of scores, and power-dev's own check."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.rules.rounds import round_named
from code.submission.check import log_checks, power_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim

LENGTHS = "{'rouge1': 39.0, 'rouge2': 16.5, 'rougeL': 25.0, 'rougeLsum': 36.5, 'gen_len': %d, 'gen_num': 13368}\nhash=0\n"


def of_lengths(path: Path, characters: int, division: str) -> list[Finding]:
    path.write_text(LENGTHS % characters)
    return list(log_checks._scores(path, Claim("llama3.1-8b", "Offline", division, "datacenter", round_named("v6.1"))))


def test_texts_longer_than_allowed_are_an_error_in_closed_and_named_in_open(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    result = Claim("llama3.1-8b", "Offline", "closed", "datacenter", round_named("v6.1")).result
    most = result.target.most["GEN_LEN"]
    assert of_lengths(path, int(most), "closed") == []
    (closed,) = of_lengths(path, int(most) + 1000, "closed")
    assert closed.error and closed.check == "accuracy" and closed.what.startswith("GEN_LEN is ")
    assert f"the most that llama3.1-8b allows is {most:.6g}" in closed.what
    (opened,) = of_lengths(path, int(most) + 1000, "open")
    assert not opened.error and opened.what == closed.what and "shows the score" in opened.next_step


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("nothing", False, "power-dev is not here"),
        ("a folder without it", False, "no power-dev in /nowhere"),
        ("a problem", True, "power-dev's check: Check UUID: they differ"),
    ],
)
def test_the_check_of_power_dev(said: str, error: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def present() -> Path | None:
        if said == "a folder without it":
            raise MissingError("no power-dev in /nowhere", "", "git clone it")
        return None if said == "nothing" else tmp_path

    compliance = power_checks.tools.Compliance(False, ("Check UUID: they differ",), "")
    monkeypatch.setattr(power_checks.tools, "present", present)
    monkeypatch.setattr(power_checks.tools, "compliance", lambda _checkout, _folder: compliance)
    (found,) = power_checks._compliance(tmp_path)
    assert found.error is error and words in found.what and found.check == "power" and found.next_step
