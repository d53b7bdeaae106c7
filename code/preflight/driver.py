"""The NVIDIA driver, and whether CUDA and TensorRT match it."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject, dotted, plain, version
from code.preflight.requirements import CUDA_OF_TENSORRT, DRIVER_FOR_CUDA

report = Reporter("driver")

MISMATCH = "the kernel module and the driver library have different versions"


def check(subject: Subject) -> Iterator[Finding]:
    """The driver works and is new enough for CUDA and TensorRT."""
    devices = subject.detected.devices
    if not subject.has_gpus:
        yield report.unseen("driver", f"no NVIDIA GPU was found ({devices.absent or 'none is listed'}); no driver needed")
        return
    if devices.failure:
        yield _failed(subject, devices.failure)
        return
    if not devices.driver_version:
        fix = "install the driver: sudo apt-get install nvidia-driver-570-server, then reboot"
        text = f"{devices.on_bus} NVIDIA GPUs are on the PCI bus, but the driver library was not found: {devices.absent}"
        yield report.error("driver", text, fix)
        return
    driver = devices.driver_version
    toolkit = _cuda(subject)
    major = toolkit[0] if toolkit else 12
    least = DRIVER_FOR_CUDA.get(major, DRIVER_FOR_CUDA[12])
    shown = f"CUDA {dotted(toolkit)}" if toolkit else f"CUDA {major}, which TensorRT needs"
    if version(driver) < least:
        text = f"driver {driver} is older than {dotted(least)}, the minimum for {shown}"
        yield report.error("driver", text, "upgrade it: sudo apt-get install nvidia-driver-570-server, then reboot")
    else:
        yield report.ok("driver", f"version {driver}, supports CUDA up to {devices.cuda_version or '?'}")
    if toolkit and devices.cuda_version and toolkit[:2] > version(devices.cuda_version) and version(driver) >= least:
        text = f"the toolkit is CUDA {dotted(toolkit)}, driver {driver} supports {devices.cuda_version}: kernels are recompiled at load"
        yield report.warning("CUDA", text, "upgrade the driver, or use a toolkit that matches it")
    elif toolkit:
        yield report.ok("CUDA", f"toolkit {dotted(toolkit)}")
    else:
        yield report.unseen("CUDA", "no toolkit (nvcc) found; engines are built with the one in the container")
    yield from _tensorrt(subject, toolkit)


def _failed(subject: Subject, failure: str) -> Finding:
    text = f"NVML failed: {failure}"
    loaded = plain((subject.machine.text("/proc/driver/nvidia/version") or "").split("\n")[0])
    if "mismatch" in failure.lower():
        inside = f" (kernel module {loaded})" if loaded else ""
        return report.error("driver", f"{text}; {MISMATCH}{inside}", "sudo reboot  # loads the module of the installed library")
    return report.error("driver", text, "sudo dmesg | grep -iE 'nvrm|xid'  # then reload: sudo modprobe nvidia")


def _cuda(subject: Subject) -> tuple[int, ...]:
    for program in ("nvcc", "/usr/local/cuda/bin/nvcc"):
        ran = subject.machine.command(program, "--version")
        if ran is not None and "release" in ran.stdout:
            return version(ran.stdout.split("release", 1)[1])[:2]
    return ()


def _tensorrt(subject: Subject, toolkit: tuple[int, ...]) -> Iterator[Finding]:
    packages = subject.machine.probe("packages") or {}
    installed = packages.get("tensorrt", "")
    if not installed:
        yield report.unseen("TensorRT", "not installed in this environment; the CUDA container includes it")
        return
    fits = CUDA_OF_TENSORRT.get(version(installed)[0], ())
    if toolkit and fits and toolkit[0] not in fits:
        text = f"version {installed} is built for CUDA {' or '.join(map(str, fits))}, the toolkit is CUDA {dotted(toolkit)}"
        yield report.error("TensorRT", text, f"install a CUDA {fits[-1]} toolkit, or another TensorRT version")
        return
    yield report.ok("TensorRT", f"version {installed}")
