"""Shares and energies in metadata.json, from readings made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from code.results.telemetry import summary
from tests.unit.test_telemetry import record

T = np.arange(-2.0, 23.0, 0.5)
"""The times of `record`, whose run lasts from 0 to 20 s."""


def test_other_work_and_the_hypervisor_have_shares_of_all_processors(tmp_path: Path) -> None:
    zero = np.zeros(len(T))
    processors = {
        "cpu0_busy_s_total": T * 0.9,
        "cpu0_stolen_s_total": T * 0.1,
        "cpu1_busy_s_total": T * 0.5,
        "cpu1_stolen_s_total": zero,
    }
    columns = {f"processors/{name}": (T, values) for name, values in processors.items()}
    found = summary(record(tmp_path, **columns, **{"own/cpu_s_total": (T, T * 0.8)}), None)
    assert (found["other_work_share"], found["stolen_share"]) == (0.3, 0.05)
    idle = summary(record(tmp_path), None)
    assert (idle["other_work_share"], idle["stolen_share"]) == (0.0, 0.0)


def test_energy_of_a_token_and_the_time_that_a_gpu_was_held_back(tmp_path: Path) -> None:
    reasons = np.where(T < 15, 0x04, 0) + np.where(T > 18, 0x40, 0)
    gpu = {
        "gpu0/energy_j_total": (T, 300.0 * T),
        "gpu0/power_w": (T, np.full(len(T), 300.0)),
        "gpu0/throttle_reasons": (T, reasons),
    }
    found = summary(record(tmp_path, **gpu), 100, 600.0)
    assert found["energy_per_token_j"] == 0.5 and "energy_per_token_j" not in summary(record(tmp_path, **gpu), 100)
    (one,) = found["gpus"]
    assert (one["power_capped_share"], one["slowed_share"]) == (round(30 / 41, 4), round(4 / 41, 4))
