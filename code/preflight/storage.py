"""The scratch disk: set, writable, and with space for what is to run."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject
from code.rules.benchmark_facts import GB
from code.rules.benchmarks import BENCHMARKS, facts_of

report = Reporter("storage")


def check(subject: Subject) -> Iterator[Finding]:
    """MLPERF_SCRATCH_PATH, and the space that the chosen benchmarks need there."""
    machine = subject.machine
    given = machine.environ("MLPERF_SCRATCH_PATH")
    place = machine.probe("storage", "scratch")
    if not place:
        yield report.unseen("scratch path", "not in the capture")
        return
    if given and not place["exists"]:
        mend = 'mkdir -p "$MLPERF_SCRATCH_PATH"'
        yield report.error("scratch path", "MLPERF_SCRATCH_PATH names a folder that does not exist", mend)
    elif not place["writable"]:
        mend = "export MLPERF_SCRATCH_PATH=<a folder you may write to>"
        yield report.error("scratch path", "the scratch path cannot be written to", mend)
    elif given:
        yield report.ok("scratch path", "MLPERF_SCRATCH_PATH is set, exists and can be written to")
    elif subject.detected.gpus and subject.variant == "reference":
        mend = "export MLPERF_SCRATCH_PATH=<a folder on a large disk>"
        yield report.warning("scratch path", "MLPERF_SCRATCH_PATH is not set; the default place is used", mend)
    else:
        yield report.ok("scratch path", "MLPERF_SCRATCH_PATH is not set; the default place can be written to")
    yield _space(subject, place.get("free_bytes"))


def _space(subject: Subject, free: int | None) -> Finding:
    names = [name for name in subject.benchmarks if name in BENCHMARKS] or list(BENCHMARKS)
    needed = sum(facts_of(name).space[subject.variant].total for name in names)
    what = f"{', '.join(names)} ({subject.variant})"
    if free is None:
        return report.unseen("space", "the scratch path's free space cannot be seen")
    text = f"{free / GB:.1f} GB free, {needed / GB:.1f} GB needed for {what}"
    if free >= needed:
        return report.ok("space", text)
    mend = "export MLPERF_SCRATCH_PATH=<a folder on a larger disk>"
    if subject.benchmarks:
        return report.error("space", text, mend)
    return report.warning("space", text, mend + "  # or name what you run: make doctor BENCHMARKS=bert")
