"""Telemetry around a LoadGen test: probes and records what the machine does, and tells afterwards what disturbed the run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.fields.consumer import Consumer, Readable
from code.machine import jitter
from code.results import noise, telemetry
from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason
from code.telemetry.recorder import recorded
from code.telemetry.source import Watched

if TYPE_CHECKING:
    from code.run.observers import Test

READS = Consumer("telemetry", ("telemetry", "min_duration", "test_query_count"))
SHOWN = 3
"""Notes on what disturbed a run; the rest is in metadata.json."""
PROBE_S, PROBE_SHARE, LEAST_PROBE_S = 2.0, 0.02, 0.2
"""The processors are probed before a run for 2 s, but for no more than this share of its duration; not at all if that is too short."""
RULES_MS = 600_000
TOKENS = (
    "result_completed_tokens_per_second",
    "result_tokens_per_second",
    "result_inferred_completed_tokens_per_second",
    "result_inferred_tokens_per_second",
)
"""LoadGen's rates of generated tokens: counted, or inferred from samples."""
FIXES = {
    "other work": "run it again on an idle machine",
    "stolen": "run it on a machine of its own",
    "before": "stop the other work",
}


@contextmanager
def observer(test: Test) -> Iterator[None]:
    """Record the processors and GPUs of a test into its folder, unless `telemetry` is off."""
    if not READS.of(test.workload)["telemetry"]:
        yield
        return
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    names = [device.name for device in test.placement.devices] if test.computes else []
    gpus = tuple(name for name in names if name.startswith(("GPU-", "MIG-")))
    before = probed(cpus, probe_s(test.workload) if test.computes else 0.0)
    with recorded(test.folder, Watched(cpus, gpus, os.getpid()), before):
        yield


def probe_s(values: Readable) -> float:
    """How long to probe the processors before a run, in s; 0 for a short one."""
    read = READS.of(values)
    if read["test_query_count"]:
        return 0.0
    duration = RULES_MS if read["min_duration"] is None else int(read["min_duration"])
    seconds = min(PROBE_S, PROBE_SHARE * duration / 1000)
    return seconds if seconds >= LEAST_PROBE_S else 0.0


def probed(cpus: tuple[int, ...], seconds: float) -> Mapping[str, float]:
    """Columns of the source 'before': what each processor lost, as jitter.probe finds it."""
    found = jitter.probe(cpus, seconds) if seconds else []
    columns = {f"cpu{one.cpu}_lost_share": one.lost for one in found}
    columns |= {f"cpu{one.cpu}_longest_gap_s": one.longest_s for one in found}
    return {**columns, **({"watched_s": sum(one.seconds for one in found)} if found else {})}


def described(folder: Path, log: LoadGenLog, samples: int | None) -> tuple[dict[str, Any] | None, list[Reason]]:
    """metadata.json's `telemetry` of the run in `folder`, and what disturbed it; (None, []) if nothing was recorded.

    Args:
        samples: completed during the test; None where unknown.
    """
    found = telemetry.read(folder, log)
    if found is None:
        return None, []
    tokens = next((rate for key in TOKENS if (rate := log.number(key)) is not None), None)
    content, disturbed = noise.described(found, samples, tokens)
    notes = [Reason(event.line(), "", FIXES.get(event.kind, "")) for event in disturbed[:SHOWN]]
    if len(disturbed) > SHOWN:
        notes.append(Reason(f"{len(disturbed) - SHOWN} more disturbances, in metadata.json under telemetry"))
    return content, notes
