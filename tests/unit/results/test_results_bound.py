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


def test_several_devices_are_busy_by_their_mean():
    two = [replace(DEVICES[0], samples=5), replace(DEVICES[0], index=1, samples=5, busy=0.6)]
    found = bound.of_run(ROOF, LENGTHS, two, None, 2, 10.0)
    assert found is not None and found["share"] == 0.2
    assert found["lost"] == {"engine": 0.5, "waiting": 0.3}, "0.7 of the time busy, 0.2 of it the bound's"


def test_lanes_that_ended_early_explain_no_more_than_was_idle():
    found = bound.of_run(ROOF, LENGTHS, [replace(DEVICES[0], busy=0.95)], BATCHES, 2, 10.0)
    assert found is not None and (found["lost"]["last"], found["lost"]["waiting"]) == (0.05, 0.0)


def test_shares_have_four_digits_and_rates_five():
    found = bound.of_run(replace(ROOF, gflops=1.04e-6), LENGTHS, [replace(DEVICES[0], samples=7, busy=1 / 3)], None, 2, 1.0)
    assert found is not None, "a run of a second has a bound"
    assert (found["share"], found["samples_per_second"], found["gflops"]) == (1.3462, 5.2, 0.0)
    assert found["lost"] == {"engine": -1.0128, "waiting": 0.6667}
    uneven = bound.of_run(replace(ROOF, gflops=123.456e-6), LENGTHS[:1], DEVICES, None, 2, 10.0)
    assert uneven is not None and uneven["samples_per_second"] == 1234.6
    assert uneven["precision"] == "bf16" and uneven["measured"] == ROOF.measured


def test_a_data_set_without_samples_has_no_bound():
    assert bound.of_run(ROOF, LENGTHS[:0], DEVICES, BATCHES, 2, 10.0) is None
