"""Precisions that processors compute fast: matrix instructions that are hidden, and a half precision slower than fp32."""

from __future__ import annotations

import time
from collections.abc import Iterator

from code.machine import peaks
from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("precision")

HAS_AMX = "avx512_fp16"
"""Every Intel server processor with this instruction set has AMX, too (Intel's architecture instruction set reference, 319433, ch. 1)."""
SLOWER = 0.95
"""A half precision below this share of fp32's rate is reported."""
HALVES = ("bf16", "fp16")


def check(subject: Subject) -> Iterator[Finding]:
    """AMX that is not visible, and the measured rates of precisions."""
    yield from _amx(subject)
    yield from _rates(subject)


def _amx(subject: Subject) -> Iterator[Finding]:
    processors = subject.detected.processors
    if "amx_tile" in processors.isa:
        yield report.ok("AMX", "bf16 and int8 products use it" if "amx_bf16" in processors.isa else "int8 products use it")
    elif processors.vendor == "GenuineIntel" and HAS_AMX in processors.isa:
        if processors.hypervisor:
            text = f"AMX is hidden by the hypervisor ({processors.hypervisor}): bf16 and int8 run at a fraction of the processor's speed"
            fix = (
                "choose an instance type with AMX, or pass the host's processor through: <cpu mode='host-passthrough'/> (libvirt)"
            )
        else:
            text = "the processor has AMX, but the kernel does not offer it: bf16 and int8 run at a fraction of the processor's speed"
            fix = "boot Linux 5.16 or newer, without clearcpuid=amx_tile on its command line"
        yield report.warning("AMX", text, fix)


def _rates(subject: Subject) -> Iterator[Finding]:
    detected = subject.detected
    runtime = (subject.machine.probe("packages") or {}).get("openvino", "")
    of = peaks.identity(detected.processors.model, detected.processors.isa, detected.usable_cores, runtime)
    found = subject.machine.probe("peaks", peaks.word(of)) or {}
    gflops = found.get("gflops") or {}
    if not gflops:
        yield report.unseen("rates", "not measured on this machine in the last 30 days; `make roofline` measures them")
        return
    day = time.strftime("%Y-%m-%d", time.gmtime(found.get("when", 0)))
    fp32 = gflops.get("fp32", 0.0)
    slow = [name for name in HALVES if gflops.get(name) and fp32 and gflops[name] < SLOWER * fp32]
    for name in slow:
        text = f"{name} is {gflops[name] / fp32:.2f} times as fast as fp32 on this processor (measured {day})"
        yield report.warning(f"rate of {name}", text, "run with --precision=auto, or name a faster one")
    if not slow:
        listed = ", ".join(f"{name} {value:,.0f}" for name, value in gflops.items())
        yield report.ok("rates", f"{listed} × 10⁹ operations/s (measured {day})")
