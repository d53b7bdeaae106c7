"""The share of the bound that a run reached, and where the rest of its time went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from code.results import bound
from code.results.devices import DeviceShare
from code.results.page import limits

LENGTHS = np.array([10, 30])
ROOF = bound.Roofline("bf16", 1e-6, 10.0, 0.0, {}, "by a probe on 2026-01-02")
"""10^3 operations/s: a unit of length takes 10 ms, and the mean sample 0.2 s."""
OPERATORS = {"products": 0.5, "attention": 0.2, "layout": 0.1, "others": 0.2}
DEVICES = [DeviceShare(0, "node 0", 10, 5, 0.8, elapsed_s=10.0)]
BATCHES = np.array([[0, 4, 2, 30, 0], [0, 4, 2, 30, 0], [4, 8, 2, 30, 0], [4, 6, 2, 10, 0], [8, 10, 2, 10, 0]], float)


def test_the_bound_is_the_products_alone_by_the_mean_length():
    assert ROOF.rate(LENGTHS) == pytest.approx(5.0)
    assert replace(ROOF, flops_per_square=1.0).rate(LENGTHS) == pytest.approx(2 / ((10 * 40 + 100 + 900) / 1e3))


def test_shares_and_losses_add_up_to_one():
    for operators in ({}, OPERATORS):
        found = bound.of_run(replace(ROOF, operators=operators), LENGTHS, DEVICES, BATCHES, 2, 10.0)
        assert found is not None and found["share"] == pytest.approx(0.2)
        assert found["share"] + sum(found["lost"].values()) == pytest.approx(1.0, abs=2e-3)


def test_each_loss_is_what_it_is_called():
    found = bound.of_run(replace(ROOF, operators=OPERATORS), LENGTHS, DEVICES, BATCHES, 2, 10.0)
    assert found is not None
    lost = found["lost"]
    computed = (6 * 30 + 4 * 10) * 0.01 / 10
    assert lost["padding"] == pytest.approx(computed - 0.2)
    assert lost["last"] == pytest.approx((10 - 8) / 20)
    assert lost["waiting"] == pytest.approx(1 - 0.8 - 0.1)
    assert lost["attention"] == pytest.approx(0.16) and lost["layout"] == pytest.approx(0.08)
    assert lost["products"] == pytest.approx(0.4 - computed)
    engine = bound.of_run(ROOF, LENGTHS, DEVICES, BATCHES, 2, 10.0)
    assert engine is not None and engine["lost"]["engine"] == pytest.approx(0.8 - computed)


def test_batches_that_were_left_out_of_the_log_count_like_the_others():
    whole = bound.of_run(ROOF, LENGTHS, [replace(DEVICES[0], samples=20)], BATCHES, 2, 10.0)
    assert whole is not None and whole["lost"]["padding"] == pytest.approx(2 * ((6 * 30 + 4 * 10) * 0.001 - 0.2))


def test_a_run_without_batches_or_time():
    found = bound.of_run(ROOF, LENGTHS, DEVICES, None, 2, 10.0)
    assert found is not None and set(found["lost"]) == {"engine", "waiting"}
    assert bound.of_run(ROOF, LENGTHS, [], BATCHES, 2, 10.0) is None
    assert bound.of_run(ROOF, LENGTHS, DEVICES, BATCHES, 2, 0.0) is None


def test_the_page_shows_the_share_and_the_largest_loss_first():
    found = bound.of_run(replace(ROOF, operators=OPERATORS), LENGTHS, DEVICES, BATCHES, 2, 10.0)
    rows = [row for row in limits.rows({"bound": found}, {}, None, None) if row[0] in ("Share of the bound", "Lost")]
    assert rows[0][:2] == ("Share of the bound", "20.0%") and "bf16, measured by a probe on 2026-01-02" in rows[0][2]
    values = [float(row[1].rstrip("%")) for row in rows[1:]]
    assert values == sorted(values, reverse=True) and len(values) == 7
    for odd in ({}, {"share": "x"}, {"share": 0.1, "lost": 3, "samples_per_second": 1}):
        assert bound.words(odd) == []
