"""Inputs of a simulated run: a table of service times, and a data set of sample lengths."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from code.common import jsonfile, paths
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.harness.schema.options import SimulatedOptions
from code.harness.schema.reader import Reader
from code.plan.workload import Workload
from code.run import spec_fields
from code.run.measured import probed_fields
from code.run.placement import Placement
from code.systems.estimate import FIELD_OF
from configs.configuration import Probed

EXPECTED = tuple(dict.fromkeys(FIELD_OF.values()))
READS = Consumer("simulation", ("simulated_table", "server_target_qps_adj_factor", *EXPECTED), backends=("simulated",))

SERVER_SHARE = 0.85
"""Assumed ratio of Server rate to Offline throughput, roughly that of published results."""
PER_CORE = 10.0
"""Samples/s per core for configs with a measured rate, since a simulated engine cannot be measured."""
SOURCE = "--simulated_table, or the expected rate of the config itself"
"""Where a table comes from without a model of service times."""
DEFAULTS = {field.name: field.default for field in fields(SimulatedOptions) if field.default is not MISSING}
"""What a table may leave out."""


def table_file(workload: Workload, placement: Placement, lengths: Sequence[int], home: Path | None = None) -> Path:
    """The file of the workload's table: --simulated_table, else one derived from the config's own expected rate.

    Args:
        lengths: of the samples of the benchmark's data set, or quantiles of them.
        home: directory of the file; None for the build folder's.

    MissingError without the file, UsageError if it is not a table.
    """
    return kept(read_or_derived(workload, placement, lengths), home)


def kept(table: Mapping[str, Any], home: Path | None = None) -> Path:
    """The file of a table, which is named by its content; arguments as for `table_file`."""
    text = json.dumps(table, sort_keys=True)
    name = f"table-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    file = (home or paths.build_dir() / "graphs" / "simulated") / name
    if not file.is_file():
        write_json(file, table)
    return file


def read_or_derived(workload: Workload, placement: Placement, lengths: Sequence[int]) -> dict[str, Any]:
    """The table of --simulated_table, else the one derived; raises as `table_file` does."""
    given = READS.of(workload)["simulated_table"]
    return read_table(Path(given)) if given else derived_table(workload, placement, lengths)


def derived_table(workload: Workload, placement: Placement, lengths: Sequence[int]) -> dict[str, Any]:
    """A table with which all devices together reach the config's expected rate; a batch's time is proportional to its total length.

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
        return _unmeasured_rate(workload) / placement.system_devices
    if not value:
        raise UsageError(
            f"{name} is not set, so the service time of a simulated engine is unknown",
            "it is derived from the config's expected value",
            f"set {name}, or give a table with --simulated_table=FILE",
        )
    scenario = workload.scenario.loadgen
    if scenario == "SingleStream":
        return 1e9 / float(value)
    if scenario == "MultiStream":
        return spec_fields.samples_per_query(workload) * 1e9 / float(value)
    share = SERVER_SHARE if scenario == "Server" else 1.0
    factor = float(READS.of(workload)["server_target_qps_adj_factor"] or 1.0) if scenario == "Server" else 1.0
    return float(value) * factor / share / placement.system_devices


def _expected(workload: Workload) -> tuple[str, Any]:
    """The field of the scenario's expected value, and the value."""
    expected = {name: READS.of(workload)[name] for name in EXPECTED}
    name = FIELD_OF[workload.scenario.loadgen]
    return name, expected[name]


def _unmeasured_rate(workload: Workload) -> float:
    """Samples/s taken for the whole machine where a config leaves its rate to a measurement."""
    return PER_CORE * max(1, workload.detected.usable_cores)


def without_probes(workload: Workload, placement: Placement) -> dict[str, Any]:
    """Field → value for fields that a config leaves to a measurement, computed from the derived table."""
    rate = _unmeasured_rate(workload)
    measured = {
        "samples_per_second": rate,
        "latency_ns": placement.system_devices * 1e9 / rate,
        "query_latency_ns": spec_fields.samples_per_query(workload) * 1e9 / rate,
    }
    out: dict[str, Any] = {}
    for name, item in probed_fields(workload).items():
        value = measured[item.value.what] * item.value.factor
        out[name] = int(value) if name.endswith("_ns") else value
    return out


def synthetic(count: int, lengths: Sequence[int]) -> dict[str, Any]:
    """The `dataset` part of run.json: `count` samples that cycle through these quantiles of a data set's lengths."""
    chosen = list(lengths) if count >= len(lengths) else fewer(lengths, count)
    return {"kind": "synthetic", "count": count, "usual_count": count, "lengths": chosen, "outputs": ["answer"]}


def fewer(quantiles: Sequence[int], count: int) -> list[int]:
    """`count` lengths with the same mean as these quantiles: each is that of a part of them, to a whole number."""
    share = len(quantiles) / count
    sums = [0.0, *itertools.accumulate(map(float, quantiles))]

    def until(place: float) -> int:
        whole = min(int(place), len(quantiles) - 1)
        return round((sums[whole] + (place - whole) * quantiles[whole]) / share)

    return [max(1, until((i + 1) * share) - until(i * share)) for i in range(count)]


def read_table(file: Path) -> dict[str, Any]:
    """Read a table: the options of a simulated engine, of which all but the times may be left out.

    MissingError without the file, UsageError if it is not a table.
    """
    step = "write JSON with batches, lengths and microseconds: see documentation/simulation.md"
    try:
        content = jsonfile.read(file)
    except OSError as error:
        raise MissingError(f"cannot read {file}", error.strerror or str(error), "correct --simulated_table") from error
    except ValueError as error:
        raise UsageError(f"{file} is not valid JSON", str(error), step) from error
    try:
        table = Reader(file.name).object(SimulatedOptions, {**DEFAULTS, **content} if isinstance(content, dict) else content)
    except UsageError as error:
        raise UsageError(f"{file} is not a table of service times", f"{error.what}; {error.why}", step) from error
    rising = all(axis[0] > 0 and list(axis) == sorted(set(axis)) for axis in (table.batches, table.lengths))
    problem = table.complaint() or ("" if rising else "batches and lengths must be above 0 and rise")
    if problem:
        raise UsageError(f"{file} is not a table of service times", problem, step)
    return dict(content)
