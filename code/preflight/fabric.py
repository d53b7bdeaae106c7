"""Fabric manager: on NVSwitch machines CUDA initialises only if it runs in exactly the driver's version."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject, plain

report = Reporter("fabric manager")


def check(subject: Subject) -> Iterator[Finding]:
    """On NVSwitch machines: installed, running, and of the driver's version."""
    gpus = subject.gpu_facts
    switched = any(gpu.get("nvswitch") for gpu in gpus)
    if not switched:
        return
    driver = subject.detected.devices.driver_version
    ran = subject.machine.command("nv-fabricmanager", "--version")
    branch = driver.split(".")[0]
    if ran is None and subject.in_container:
        yield report.unseen("version", "this runs inside a container; the host's fabric manager cannot be seen from here")
        yield from _links(subject)
        return
    if ran is None:
        yield report.error(
            "version",
            f"not installed; GPUs connected by NVSwitch need it in the driver's version, {driver}",
            f"sudo apt-get install nvidia-fabricmanager-{branch}={driver}-1 && sudo systemctl enable --now nvidia-fabricmanager",
        )
        return
    found = plain(ran.stdout or ran.stderr)
    if found != driver:
        yield report.error(
            "version",
            f"fabric manager is {found or 'of an unknown version'}, the driver is {driver}: the versions must be identical",
            f"sudo apt-get install nvidia-fabricmanager-{branch}={driver}-1 && sudo systemctl restart nvidia-fabricmanager",
        )
    else:
        yield report.ok("version", f"{found}, same as the driver")
    state = subject.machine.command("systemctl", "is-active", "nvidia-fabricmanager")
    if state is None:
        yield report.unseen("service", "systemctl is not available")
    elif state.stdout.strip() == "active":
        yield report.ok("service", "running")
    else:
        text = f"not running ({state.stdout.strip() or 'unknown'}): CUDA fails with error 802"
        yield report.error("service", text, "sudo systemctl enable --now nvidia-fabricmanager")
    yield from _links(subject)


def _links(subject: Subject) -> Iterator[Finding]:
    counts = {gpu.get("index"): gpu.get("nvlinks", 0) for gpu in subject.gpu_facts}
    most = max(counts.values(), default=0)
    fewer = [str(index) for index, count in counts.items() if count < most]
    if fewer:
        text = f"GPUs {', '.join(fewer)} have fewer active NVLinks than the others ({most})"
        yield report.error("NVLink", text, "nvidia-smi nvlink --status  # then reset or replace the GPU")
    elif most:
        yield report.ok("NVLink", f"{most} active links on every GPU")
