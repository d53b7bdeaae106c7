"""LoadGen's version, and the system clock that time-stamps its logs."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject, dotted, version
from code.preflight.requirements import CLOCK_SKEW_S, LOADGEN

report = Reporter("LoadGen")


def check(subject: Subject) -> Iterator[Finding]:
    """LoadGen is installed in a supported version; the clock is synchronised."""
    packages = subject.machine.probe("packages")
    installed = (packages or {}).get("mlcommons-loadgen", "")
    if packages is None:
        yield report.unseen("version", "the installed packages are not in the capture")
    elif not installed:
        yield report.error("version", "mlcommons-loadgen is not installed", "make build")
    elif version(installed) < LOADGEN:
        yield report.error("version", f"mlcommons-loadgen {installed} is older than {dotted(LOADGEN)}", "make build")
    else:
        yield report.ok("version", f"mlcommons-loadgen {installed}")
    yield _clock(subject)


def _clock(subject: Subject) -> Finding:
    behind = float((subject.machine.probe("clock") or {}).get("behind_files", 0.0))
    if behind > CLOCK_SKEW_S:
        text = f"the clock is {behind:.0f} s behind the newest file in the project"
        return report.error("clock", text, "sudo chronyc makestep  # or: sudo timedatectl set-ntp true")
    chrony = subject.machine.command("chronyc", "-c", "tracking")
    if chrony is not None and chrony.status == 0 and len(chrony.stdout.split(",")) > 4:
        offset = chrony.stdout.split(",")[4]
        try:
            skew = abs(float(offset))
        except ValueError:
            skew = 0.0
        if skew > CLOCK_SKEW_S:
            return report.error("clock", f"{skew:.1f} s off its time server", "sudo chronyc makestep")
        return report.ok("clock", f"{skew * 1000:.1f} ms off its time server")
    control = subject.machine.command("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if control is not None and control.status == 0:
        if control.stdout.strip() == "yes":
            return report.ok("clock", "synchronised")
        return report.warning("clock", "not synchronised with a time server", "sudo timedatectl set-ntp true")
    return report.unseen("clock", "no time service found (chronyc, timedatectl)")
