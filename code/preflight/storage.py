"""The scratch disk: configured, writable, and large enough for the benchmarks to run."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject
from code.rules.benchmark_facts import GB
from code.rules.benchmarks import BENCHMARKS, facts_of

report = Reporter("storage")


def check(subject: Subject) -> Iterator[Finding]:
    """MLPERF_SCRATCH_PATH, and the disk space that the chosen benchmarks need."""
    machine = subject.machine
    # make exports the path that it uses, and whether it was given
    given = machine.environ("MLPERF_SCRATCH_PATH") and machine.environ("SCRATCH_ORIGIN") != "default"
    place = machine.probe("storage", "scratch")
    if not place:
        yield report.unseen("scratch path", "not in the capture")
        return
    if given and not place["exists"]:
        fix = 'mkdir -p "$MLPERF_SCRATCH_PATH"'
        yield report.error("scratch path", "MLPERF_SCRATCH_PATH names a directory that does not exist", fix)
    elif not place["writable"]:
        fix = "export MLPERF_SCRATCH_PATH=<a directory you can write to>  # or leave it, where data and models are complete"
        yield report.warning(
            "scratch path", "the scratch path is read-only: nothing can be downloaded or preprocessed there", fix
        )
    elif given:
        yield report.ok("scratch path", "MLPERF_SCRATCH_PATH is set, exists and is writable")
    elif subject.detected.gpus and subject.variant == "reference":
        fix = "export MLPERF_SCRATCH_PATH=<a directory on a large disk>"
        yield report.warning("scratch path", "MLPERF_SCRATCH_PATH is not set; the default path is used", fix)
    else:
        yield report.ok("scratch path", "MLPERF_SCRATCH_PATH is not set; the default path is writable")
    yield _space(subject, place.get("free_bytes"))


def _space(subject: Subject, free: int | None) -> Finding:
    names = [name for name in subject.benchmarks if name in BENCHMARKS] or list(BENCHMARKS)
    needed = sum(facts_of(name).space[subject.variant].total for name in names)
    what = f"{', '.join(names)} ({subject.variant})"
    if free is None:
        return report.unseen("space", "the scratch path's free space is unknown")
    text = f"{free / GB:.1f} GB free, {needed / GB:.1f} GB needed for {what}"
    if free >= needed:
        return report.ok("space", text)
    fix = "export MLPERF_SCRATCH_PATH=<a directory on a larger disk>"
    if subject.benchmarks:
        return report.error("space", text, fix)
    return report.warning("space", text, fix + "  # or name the benchmarks you run: make doctor BENCHMARKS=bert")
