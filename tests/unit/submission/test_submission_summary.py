"""summary.csv opens in a spreadsheet without running anything."""

from __future__ import annotations

import csv
import io

import pytest

from code.submission.check.report_columns import COLUMNS, as_csv


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    name = next(iter(COLUMNS))
    (row,) = csv.DictReader(io.StringIO(as_csv([{name: text}]), newline=""))
    assert row[name] == f"'{text}"


def test_numbers_and_other_texts_stay() -> None:
    first, second = list(COLUMNS)[:2]
    (row,) = csv.DictReader(io.StringIO(as_csv([{first: -1.5, second: "NVIDIA A100"}])))
    assert row[first] == "-1.5" and row[second] == "NVIDIA A100"
