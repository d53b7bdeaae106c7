"""run.json: the one file a harness gets, whichever language it is written in.

It is versioned and strict: an unknown or missing key is an error, so that a harness never runs with half of what was meant.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from code.common.errors import MissingError, UsageError
from code.common.files import write_json

SCHEMA = 2


@dataclass(frozen=True)
class RunSpec:
    """Everything a harness needs.

    Args:
        benchmark: short name, which is also LoadGen's model name.
        scenario: LoadGen's scenario.
        test_mode: 'PerformanceOnly' or 'AccuracyOnly'.
        output_dir: the folder for LoadGen's logs; it exists and is empty but for what the caller put there.
        user_conf: the one settings file LoadGen reads.
        audit_conf: audit.config for a compliance run, or ''.
        engine: backend, folder, precision, streams (per device), threads (of all streams on a CPU; 0: the runtime's choice), devices
            ([] for one device that needs no name, else a list of {index, cores}: the device's number and the processors its threads
            are bound to, [] for those near it). The C++ harness's 'simulated' backend also takes simulated: batches [B], lengths [L]
            and microseconds [B][L], between which it interpolates; and, where wanted, slowdown (a factor for each device), load_s
            (seconds that loading takes), fault ('throw', 'short' or 'hang') and fault_after (batches).
        batch: max_samples in a batch, timeout_us that a Server batch may wait to fill, padding (share of a batch's longest sample
            that a shorter one may be padded by before it goes into another batch).
        dataset: kind, folder, count, arrays, … as the kind needs (the benchmark makes it); for sequences pad_to_multiple_of,
            where a batch's length is to be rounded up. The C++ harness also has the kind
            'synthetic' for its null and simulated backends: count, lengths (a list that repeats over the samples) and outputs.
        seeds: LoadGen seeds other than its own mlperf.conf's: qsl_rng_seed, sample_index_rng_seed, schedule_rng_seed.
        log: enable_trace, copy_summary_to_stdout.
        issue_threads: LoadGen threads that issue Server queries; 0 means its own.
        warmup_s: most seconds of inference before LoadGen starts.
        watchdog_s: seconds without an answer after which the run is given up as stuck; 0: never. The Python harness has no watchdog.
        fields: every resolved field of the workload, for the record and for benchmark-specific needs.
    """

    benchmark: str
    scenario: str
    test_mode: str
    output_dir: str
    user_conf: str
    audit_conf: str
    engine: dict[str, Any]
    batch: dict[str, Any]
    dataset: dict[str, Any]
    seeds: dict[str, int]
    log: dict[str, Any]
    issue_threads: int
    warmup_s: float
    watchdog_s: float = 120.0
    fields: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def write(self, path: Path) -> None:
        """Write it atomically."""
        write_json(path, asdict(self))


def read(path: Path) -> RunSpec:
    """Read and check a run.json. MissingError without the file, UsageError for anything that is not of the schema."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"no {path}", error.strerror or "", "run the harness through `make run_harness`") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON", str(error), "run the harness through `make run_harness`") from error
    step = "run `make run_harness` again, which writes it afresh"
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise UsageError(f"{path} has schema {found!r}", f"this harness reads schema {SCHEMA}", step)
    known = {f.name: f for f in fields(RunSpec)}
    unknown = sorted(set(content) - set(known))
    missing = sorted(set(known) - set(content))
    if unknown or missing:
        raise UsageError(f"{path} does not fit the schema", f"unknown: {unknown or 'none'}; missing: {missing or 'none'}", step)
    kinds = {"str": str, "int": int, "float": (int, float), "dict[str, Any]": dict, "dict[str, int]": dict}
    for name, spec in known.items():
        if not isinstance(content[name], kinds[str(spec.type)]):  # type: ignore[arg-type]
            raise UsageError(f"{path}: {name} is {type(content[name]).__name__}", f"the schema says {spec.type}", step)
    return RunSpec(**content)
