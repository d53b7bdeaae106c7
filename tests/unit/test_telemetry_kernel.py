"""Counters of the kernel, read through kept descriptors, against psutil and against files as the kernel writes them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil
import pytest

from code.telemetry import processors
from code.telemetry.kernel import Kept
from code.telemetry.source import Watched
from tests.unit.test_telemetry import machine, read


def test_processors_are_found_by_their_numbers(tmp_path: Path) -> None:
    text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 0 0 0 0 0 0 0 0\ncpu2 300 20 3 9 9 50 7 80 5 0\nintr 1 2\nctxt 77\n"
    found = read(processors.usage(machine(tmp_path, {"proc/stat": text}, (0, 1, 2))))
    assert found["cpu0_busy_s_total"] == 1.0 and math.isnan(found["cpu1_busy_s_total"])
    assert found["cpu2_busy_s_total"] == 3.8 and found["cpu2_stolen_s_total"] == 0.8


def test_context_switches_and_memory_are_the_kernels() -> None:
    found = read(processors.system(Watched((0,), (), os.getpid())))
    assert found["context_switches_total"] == pytest.approx(psutil.cpu_stats().ctx_switches, rel=0.01)
    memory = psutil.virtual_memory()
    assert found["memory_used_bytes"] == pytest.approx(memory.total - memory.available, abs=2**30)


def test_a_file_of_the_kernel_is_read_whole_and_again(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 200_000)
    kept = Kept(path)
    assert len(kept.read()) == 200_000
    path.write_bytes(b"new")
    assert kept.read() == b"new"
    kept.close()
    assert kept.read() == b"" == Kept(tmp_path / "none").read()
