"""GPU state: power limit, MIG, ECC, persistence mode, clocks, throttling, other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from code.machine.nvml import SLOWDOWNS
from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("GPUs")

GPU = dict[str, Any]
CLOCK_SHARE = 0.9
"""Application clocks below this share of the default (or of the maximum without a default) count as locked low."""


def check(subject: Subject) -> Iterator[Finding]:
    """The driver lists all GPUs, and each is in the state that a run expects."""
    gpus = subject.gpu_facts
    devices = subject.detected.devices
    if not gpus:
        if subject.has_gpus:
            yield report.unseen("state", "the driver does not respond, so the GPUs' state is unknown")
        return
    if devices.on_bus > len(gpus):
        text = f"{devices.on_bus} GPUs are on the PCI bus, but the driver lists {len(gpus)}"
        yield report.error("count", text, "sudo dmesg | grep -iE 'nvrm|xid'  # a GPU has fallen off the bus or is not bound")
    else:
        names = {str(gpu.get("name")) for gpu in gpus}
        yield report.ok("count", f"{len(gpus)} x {', '.join(sorted(names))}")
    if not devices.visible:
        yield report.error("visible", "no GPU is visible to a run", "unset CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES")
    elif len(devices.visible) < len(devices.everything):
        text = f"{len(devices.visible)} of {len(devices.everything)} accelerators are visible to a run"
        yield report.warning("visible", text, "unset CUDA_VISIBLE_DEVICES  # to use all of them")
    yield from _mig(gpus)
    yield _all(gpus, "power limit", _low_power, "at its maximum", "is below its maximum", "sudo nvidia-smi -pl {maximum:.0f}")
    yield _all(gpus, "ECC", lambda g: g.get("ecc") is False, "on", "is off (data-centre submissions need it on)",
               "sudo nvidia-smi -e 1 && sudo nvidia-smi --gpu-reset")  # fmt: skip
    yield _all(gpus, "persistence", lambda g: g.get("persistence") is False, "on", "is off: the driver unloads between runs",
               "sudo nvidia-smi -pm 1")  # fmt: skip
    yield _all(gpus, "clocks", _low_clock, "not locked low", "are locked low", "sudo nvidia-smi -rac && sudo nvidia-smi -rgc")
    yield from _throttled(gpus)
    yield from _others(gpus)


def _all(gpus: list[GPU], name: str, bad: Callable[[GPU], bool], fine: str, wrong: str, fix: str) -> Finding:
    hits = [gpu for gpu in gpus if bad(gpu)]
    if not hits:
        return report.ok(name, fine)
    where = "every GPU" if len(hits) == len(gpus) else "GPU " + ", ".join(str(gpu.get("index")) for gpu in hits)
    command = fix.format(maximum=hits[0].get("power_limit_max_w") or 0)
    return report.warning(name, f"{name} of {where} {wrong}{_amount(name, hits[0])}", command)


def _amount(name: str, gpu: GPU) -> str:
    if name == "power limit":
        return f": {gpu['power_limit_w']:.0f} W of {gpu['power_limit_max_w']:.0f} W"
    if name == "clocks":
        return f": {gpu['sm_clock_application_mhz']} MHz of {gpu['sm_clock_max_mhz']} MHz"
    return ""


def _low_power(gpu: GPU) -> bool:
    limit, most = gpu.get("power_limit_w"), gpu.get("power_limit_max_w")
    return bool(limit and most and limit < 0.99 * most)


def _low_clock(gpu: GPU) -> bool:
    # Some boards' default is below their maximum; only a clock below the default counts as locked.
    clock = gpu.get("sm_clock_application_mhz")
    usual = gpu.get("sm_clock_default_mhz") or gpu.get("sm_clock_max_mhz")
    return bool(clock and usual and clock < CLOCK_SHARE * usual)


def _mig(gpus: list[GPU]) -> Iterator[Finding]:
    on = [gpu for gpu in gpus if gpu.get("mig_enabled")]
    empty = [str(gpu.get("index")) for gpu in on if not gpu.get("mig_devices")]
    if empty:
        fix = "sudo nvidia-smi mig -cgi 19 -C  # create slices, or disable MIG: sudo nvidia-smi -mig 0"
        yield report.error("MIG", f"GPU {', '.join(empty)} is in MIG mode without slices and cannot be used", fix)
    elif on and len(on) < len(gpus):
        text = f"{len(on)} of {len(gpus)} GPUs are in MIG mode: slices and whole GPUs are not used together"
        yield report.warning("MIG", text, "sudo nvidia-smi -mig 0  # or choose devices with CUDA_VISIBLE_DEVICES")
    elif on:
        yield report.ok("MIG", f"on, {sum(len(gpu['mig_devices']) for gpu in on)} slices")
    else:
        yield report.ok("MIG", "off")


def _throttled(gpus: list[GPU]) -> Iterator[Finding]:
    for gpu in gpus:
        bits = gpu.get("throttle_reasons") or 0
        reasons = [text for bit, text in SLOWDOWNS.items() if bits & bit]
        if reasons:
            text = f"GPU {gpu.get('index')} is throttled: {', '.join(reasons)} ({gpu.get('temperature_c')} C)"
            yield report.warning("throttling", text, "nvidia-smi -q -d PERFORMANCE,TEMPERATURE  # check cooling and power")


def _others(gpus: list[GPU]) -> Iterator[Finding]:
    busy = [(gpu.get("index"), process) for gpu in gpus for process in gpu.get("processes") or []]
    if busy:
        shown = ", ".join(f"{process.get('name', '?')} (pid {process.get('pid')}) on GPU {index}" for index, process in busy[:4])
        more = f" and {len(busy) - 4} more" if len(busy) > 4 else ""
        yield report.warning("other processes", f"{shown}{more}", "nvidia-smi  # stop what is not needed, then run again")
    else:
        yield report.ok("other processes", "none")
