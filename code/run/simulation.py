"""Inputs of a simulated run: a table of service times, and a data set of sample lengths."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import paths
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.plan.workload import Workload
from code.run.placement import Placement
from configs.configuration import Probed

READS = Consumer(
    "simulation",
    (
        "simulated_table",
        "offline_expected_qps",
        "server_target_qps",
        "server_target_qps_adj_factor",
        "single_stream_expected_latency_ns",
        "multi_stream_expected_latency_ns",
        "multi_stream_samples_per_query",
    ),
    backends=("simulated",),
)

SERVER_SHARE = 0.85
"""Assumed ratio of Server rate to Offline throughput, roughly that of published results."""
PER_CORE = 10.0
"""Samples/s per core for configs with a measured rate, since a simulated engine cannot be measured."""
MULTI_STREAM_SAMPLES = 8
REQUIRED, OPTIONAL = ("batches", "lengths", "microseconds"), ("slowdown", "load_s", "fault", "fault_after")
FAULTS = ("", "throw", "short", "hang")


def table_file(workload: Workload, placement: Placement, lengths: Sequence[int]) -> Path:
    """The file of the workload's table: --simulated_table, else one derived from the config's own expected rate.

    Args:
        lengths: of the samples of the benchmark's data set, or quantiles of them.

    MissingError without the file, UsageError if it is not a table.
    """
    given = READS.of(workload)["simulated_table"]
    table = read_table(Path(given)) if given else derived_table(workload, placement, lengths)
    text = json.dumps(table, sort_keys=True)
    name = f"table-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    file = paths.build_dir() / "graphs" / "simulated" / name
    if not file.is_file():
        write_json(file, table)
    return file


def derived_table(workload: Workload, placement: Placement, lengths: Sequence[int]) -> dict[str, Any]:
    """A table by which the system's devices together reach the config's expected rate: a batch takes its samples times their lengths.

    The rate is a Server config's target over SERVER_SHARE, and for SingleStream and MultiStream follows from the expected latency.
    """
    rate = _rate_of_device(workload, placement)
    batch = max(2, placement.batch or 1)
    shortest, longest = min(lengths), max(max(lengths), min(lengths) + 1)
    per_unit = 1e6 / rate / (sum(lengths) / len(lengths))  # µs
    return {
        "batches": [1, batch],
        "lengths": [shortest, longest],
        "microseconds": [[round(n * length * per_unit, 3) for length in (shortest, longest)] for n in (1, batch)],
    }


def _rate_of_device(workload: Workload, placement: Placement) -> float:
    """Samples/s of one device. UsageError if the config has no expected value."""
    name, value = _expected(workload)
    if isinstance(value, Probed):
        return PER_CORE * max(1, workload.detected.usable_cores) / placement.system_devices
    if not value:
        raise UsageError(
            f"{name} is not set, so the service time of a simulated engine is unknown",
            "it is derived from the config's expected value",
            f"set {name}, or give a table with --simulated_table=FILE",
        )
    scenario = str(workload.scenario)
    if scenario == "SingleStream":
        return 1e9 / float(value)
    if scenario == "MultiStream":
        return int(READS.of(workload)["multi_stream_samples_per_query"] or MULTI_STREAM_SAMPLES) * 1e9 / float(value)
    share = SERVER_SHARE if scenario == "Server" else 1.0
    factor = float(READS.of(workload)["server_target_qps_adj_factor"] or 1.0) if scenario == "Server" else 1.0
    return float(value) * factor / share / placement.system_devices


def _expected(workload: Workload) -> tuple[str, Any]:
    """The field of the scenario's expected value, and the value."""
    read = READS.of(workload)
    scenario = str(workload.scenario)
    if scenario == "Offline":
        return "offline_expected_qps", read["offline_expected_qps"]
    if scenario == "Server":
        return "server_target_qps", read["server_target_qps"]
    if scenario == "SingleStream":
        return "single_stream_expected_latency_ns", read["single_stream_expected_latency_ns"]
    return "multi_stream_expected_latency_ns", read["multi_stream_expected_latency_ns"]


def without_probes(workload: Workload, placement: Placement) -> dict[str, Any]:
    """Field → value for fields that a config leaves to a measurement, computed from the derived table."""
    out: dict[str, Any] = {}
    for name, item in workload.values.items():
        if not isinstance(item.value, Probed):
            continue
        rate = PER_CORE * max(1, workload.detected.usable_cores)
        latency = placement.system_devices * 1e9 / rate
        measured = {
            "samples_per_second": rate,
            "latency_ns": latency,
            "query_latency_ns": latency * MULTI_STREAM_SAMPLES / placement.system_devices,
        }
        value = measured[item.value.what] * item.value.factor
        out[name] = int(value) if name.endswith("_ns") else value
    return out


def synthetic(count: int, usual_count: int, lengths: Sequence[int]) -> dict[str, Any]:
    """The `dataset` part of run.json: `count` samples of these lengths in turn."""
    return {"kind": "synthetic", "count": count, "usual_count": usual_count, "lengths": list(lengths), "outputs": ["answer"]}


def read_table(file: Path) -> dict[str, Any]:
    """Read a table. MissingError without the file, UsageError if it is not a table."""
    step = "write JSON with batches, lengths and microseconds: see documentation/simulation.md"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"cannot read {file}", error.strerror or str(error), "correct --simulated_table") from error
    except ValueError as error:
        raise UsageError(f"{file} is not valid JSON", str(error), step) from error
    problem = _problem(content)
    if problem:
        raise UsageError(f"{file} is not a table of service times", problem, step)
    return dict(content)


def _problem(content: Any) -> str:
    if not isinstance(content, Mapping):
        return "it is not a JSON object"
    missing = [name for name in REQUIRED if name not in content]
    unknown = sorted(set(content) - {*REQUIRED, *OPTIONAL})
    if missing or unknown:
        return f"missing: {', '.join(missing) or 'nothing'}; unknown: {', '.join(unknown) or 'nothing'}"
    return _problem_of_times(content) or _problem_of_faults(content)


def _problem_of_times(content: Mapping[str, Any]) -> str:
    batches, lengths, rows = (content[name] for name in REQUIRED)
    if not all(_numbers(axis) and list(axis) == sorted(set(axis)) and axis[0] > 0 for axis in (batches, lengths)):
        return "batches and lengths are rising lists of numbers above 0"
    if not isinstance(rows, list) or len(rows) != len(batches) or not all(_numbers(r) and len(r) == len(lengths) for r in rows):
        return "microseconds has a row for each batch with a number of 0 or more for each length"
    return ""


def _problem_of_faults(content: Mapping[str, Any]) -> str:
    if not _numbers(content.get("slowdown", [1])) or not _numbers([content.get("load_s", 0)]):
        return "slowdown must be a list of factors and load_s a number of seconds"
    if content.get("fault", "") not in FAULTS or not _numbers([content.get("fault_after", 0)]):
        return f"fault must be one of {', '.join(FAULTS[1:])}, and fault_after a number of batches"
    return ""


def _numbers(items: Any) -> bool:
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) and n >= 0 for n in items)
    )
