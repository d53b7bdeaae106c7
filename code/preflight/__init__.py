"""Checks of a machine before a run: one file per family, each read-only."""

from __future__ import annotations

from collections.abc import Sequence

from code.machine.detect import DetectedSystem
from code.machine.sources import Machine
from code.preflight import containers, cpu, driver, fabric, files, gpus, limits, loadgen, power, storage, topology, user
from code.preflight.finding import Check, Finding, Level, Subject

__all__ = ["CHECKS", "Finding", "Level", "run_checks"]

CHECKS: tuple[Check, ...] = (
    user.check,
    containers.check,
    driver.check,
    fabric.check,
    gpus.check,
    cpu.check,
    topology.check,
    limits.check,
    storage.check,
    files.check,
    loadgen.check,
    power.check,
)
"""Every family, in report order."""


def run_checks(
    machine: Machine,
    detected: DetectedSystem,
    benchmarks: Sequence[str] = (),
    variant: str = "",
    power_server: str = "",
    ntp_server: str = "",
) -> list[Finding]:
    """All findings for a machine.

    Args:
        benchmarks: short names ("bert", "gptj", "3d-unet") of the benchmarks to run; disk space and files are checked for these.
        power_server, ntp_server: of a power measurement, which is asked about; "" for none.
        variant: "reference" or "tiny"; without it, tiny on a machine without accelerators and reference on others.
    """
    variant = variant or ("reference" if detected.gpus else "tiny")
    subject = Subject(machine, detected, tuple(benchmarks), variant, power_server, ntp_server)
    return [finding for check in CHECKS for finding in check(subject)]
