"""Preflight of precisions: AMX that is hidden, and half precisions that are slower than fp32, on captured processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.machine import peaks
from code.machine.detect import DetectedSystem
from code.machine.measurements import Measurement
from code.preflight import Finding, Level, run_checks

Machine = Callable[..., DetectedSystem]


def found(detected: DetectedSystem) -> dict[str, Finding]:
    return {one.name: one for one in run_checks(detected.machine, detected) if one.family == "precision"}


def without_amx(hypervisor: bool) -> Callable[[dict[str, Any]], None]:
    def edit(content: dict[str, Any]) -> None:
        ran = content["commands"]["lscpu"]
        words = [word for word in ran["stdout"].split(" ") if not word.startswith("amx_")]
        lines = " ".join(words).splitlines()
        kept = [line for line in lines if not line.startswith("Hypervisor vendor")]
        ran["stdout"] = "\n".join([*kept, *(["Hypervisor vendor: KVM"] if hypervisor else [])])

    return edit


def test_amx_that_is_there_is_named(machine: Machine) -> None:
    finding = found(machine("h100_sxm_80gbx8"))["AMX"]
    assert finding.level is Level.OK and "bf16 and int8" in finding.message


def test_amx_that_a_hypervisor_hides_is_a_warning(machine: Machine) -> None:
    finding = found(machine("h100_sxm_80gbx8", without_amx(hypervisor=True)))["AMX"]
    assert finding.level is Level.WARNING and "hidden by the hypervisor (KVM)" in finding.message
    assert "host-passthrough" in finding.fix


def test_amx_that_the_kernel_does_not_offer_is_a_warning(machine: Machine) -> None:
    finding = found(machine("h100_sxm_80gbx8", without_amx(hypervisor=False)))["AMX"]
    assert finding.level is Level.WARNING and "hypervisor" not in finding.message and "5.16" in finding.fix


@pytest.mark.parametrize("name", ["standard_nd96asr_v4", "epyc_9755_nps4", "graviton4", "core_i9_13900k"])
def test_a_processor_that_never_had_amx_gives_no_finding(machine: Machine, name: str) -> None:
    assert "AMX" not in found(machine(name))


def measured(detected: DetectedSystem, gflops: dict[str, float]) -> dict[str, Finding]:
    runtime = (detected.machine.probe("packages") or {}).get("openvino", "")
    of = peaks.identity(detected.processors.model, detected.processors.isa, detected.usable_cores, runtime)
    detected.machine.content["probes"][f"peaks:{peaks.word(of)}"] = {"gflops": gflops, "when": 1.75e9}  # type: ignore[attr-defined]
    return found(detected)


def test_a_half_precision_slower_than_fp32_is_a_warning(machine: Machine) -> None:
    findings = measured(machine("cpu_x86_64"), {"fp32": 327.0, "bf16": 164.0, "fp16": 330.0, "int8": 989.0})
    finding = findings["rate of bf16"]
    assert finding.level is Level.WARNING and "bf16 is 0.50 times as fast as fp32 on this processor" in finding.message
    assert "2025-06-15" in finding.message and "rate of fp16" not in findings and "rates" not in findings


def test_rates_without_a_slow_precision_are_listed(machine: Machine) -> None:
    finding = measured(machine("cpu_x86_64"), {"fp32": 100.0, "bf16": 1500.0})["rates"]
    assert finding.level is Level.OK and "bf16 1,500" in finding.message


def test_rates_that_were_not_measured_are_not_seen(machine: Machine) -> None:
    finding = found(machine("cpu_x86_64"))["rates"]
    assert finding.level is Level.UNSEEN and "make roofline" in finding.message


def test_peaks_are_kept_for_the_machine_that_they_were_measured_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    word = peaks.word(peaks.identity("Xeon", ["avx2", "amx_tile"], 2, "2025.3"))
    assert word == peaks.word(peaks.identity("Xeon", ["amx_tile", "avx2"], 2, "2025.3"))
    assert word != peaks.word(peaks.identity("Xeon", ["avx2"], 2, "2025.3"))
    assert peaks.known(word) == {}
    import time

    now = time.time()
    for value in (90.0, 100.0, 80.0):
        peaks.memory(word).add(Measurement({"gflops_fp32": value, "read_gb_per_s": 9.0}, now, "probe"))
    assert peaks.known(word) == {"gflops": {"fp32": 100.0}, "when": now}
