"""Simulations in virtual time: their inputs, what the harness found, and what limits a system."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from code.common import jsonfile, paths
from code.common.errors import RunError
from code.common.typed import flag, listing, mapping, real, record, whole, words
from code.plan.request import Value
from code.results import devices as device_shares
from code.rules.metrics import METRICS
from code.run import loadgen_run, simulation
from code.run.job import Job
from code.run.server_rate import highest_valid
from code.run.spec import most_samples

FOLDER = "simulations"
FILE = "simulation.json"
MOST_QUERIES = 2e6
"""A second or two of computation. More change a percentile by less than 0.1 %."""
SHORT = 3e5
"""Queries of a simulation that is one of many, as in a search."""
CLOSE = 0.005
"""Relative distance of the bounds at which the search for the highest VALID rate ends."""
LEFT_S = 86_400.0
"""Age from which on what a simulation left is removed."""
NEAR = 0.9
"""Share of a bound from which on it limits."""
SHAPE = record(
    required={
        "valid": flag(),
        "reasons": listing(words(100)),
        "result": real(0, 1e18),
        "samples": whole(1, 2**53),
        "late": whole(0, 2**53),
        "duration_ns": whole(0, 2**63),
        "early_stopping_ns": whole(0, 2**63),
        "percentile": real(0, 1),
        "percentile_ns": whole(0, 2**63),
        "bound_ns": whole(0, 2**63),
        "latencies_ns": mapping(whole(0, 2**63)),
        "batch": record(required={"samples": real(0, 1e9), "in_engine_ns": real(0, 1e18)}),
    }
)


@dataclass(frozen=True)
class Simulated:
    """What a simulation found.

    Args:
        scenario: of LoadGen's.
        valid, reasons: LoadGen's verdict, and the rules that do not hold.
        result: the scenario's, in the unit of its metric: samples/s, queries/s or ns.
        latencies_ns: share of queries as text → latency in ns.
        percentile, percentile_ns: the share of queries by which the scenario is judged, and the latency there.
        bound_ns: the most that may be; 0 for any.
        busy: share of the time that the busiest device spent in the engine, 0 to 1.
        load: samples/s as a share of what the devices complete in full batches of the mean length.
        batch: mean samples of a batch.
        samples: how many were computed.
        seconds: virtual duration.
        cut: whether fewer queries than a run's were simulated.
    """

    scenario: str
    valid: bool
    reasons: tuple[str, ...]
    result: float
    latencies_ns: Mapping[str, int]
    percentile: float
    percentile_ns: int
    bound_ns: int
    busy: float
    load: float
    batch: float
    samples: int
    seconds: float
    cut: bool

    def shown(self) -> str:
        """The result with its unit: '51,517 queries/s'."""
        return METRICS[self.scenario].shown(self.result)

    def verdict(self) -> str:
        """'VALID', or 'INVALID: target_latency'."""
        return "VALID" if self.valid else f"INVALID: {', '.join(self.reasons)}"

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {**vars(self), "latencies_ns": dict(self.latencies_ns), "reasons": list(self.reasons), "limited_by": self.limits()}

    def limits(self) -> str:
        """What keeps the result from being higher."""
        load = f"they complete {self.load:.0%} of what they can in full batches"
        if self.scenario == "Offline":
            return f"the devices: {load}, in batches of {self.batch:.3g}"
        if self.scenario != "Server":
            return "how long one query takes by itself"
        late = self.percentile_ns / self.bound_ns if self.bound_ns else 0.0
        latency = f"the latency at {self.percentile:.4g} is {late:.0%} of its bound"
        if self.load > NEAR:
            return f"the devices: {load}; {latency}"
        if late > NEAR:
            return f"the latency bound: {latency}, and devices have room left: {load}"
        return f"the rate asked for: {latency}, and of the devices {load}"


def simulate(job: Job, table: Mapping[str, Any], label: str, most_queries: float = MOST_QUERIES) -> Simulated:
    """One test of a job whose backend is the simulated one, with a table of service times.

    Raises what the harness reports.
    """
    with home_of(job) as folder:
        given = with_table(job, simulation.kept(table, folder), folder)
        given.build()
        given.prepare()
        cut = loadgen_run.simulate(given, folder, label, most_queries)
        found = _read(folder)
        busy = max((share.busy for share in device_shares.read(folder)), default=0.0)
    return Simulated(
        str(job.workload.scenario.loadgen),
        found["valid"],
        tuple(found["reasons"]),
        found["result"],
        found["latencies_ns"],
        found["percentile"],
        found["percentile_ns"],
        found["bound_ns"],
        busy,
        found["samples"] / (found["duration_ns"] / 1e9) / capacity(table, job),
        found["batch"]["samples"],
        found["samples"],
        found["duration_ns"] / 1e9,
        cut,
    )


def with_table(job: Job, file: Path, home: Path) -> Job:
    """The job with the table in a file, and with its engine in `home`."""
    given = Job(job.workload.with_values({"simulated_table": Value(str(file), "simulate")}), job.notices)
    given.home = home
    return given


@contextmanager
def home_of(job: Job) -> Iterator[Path]:
    """A directory for a simulation, which is removed with its engine at the end; kept after a RunError, which names its files.

    Those that failed or killed simulations left are removed after a day.
    """
    parent = paths.build_dir() / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        if time.time() - left.stat().st_mtime > LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{job.workload.full_name}-{job.workload.scenario}-", dir=parent))
    try:
        yield folder
    except RunError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def highest(job: Job, table: Mapping[str, Any], most_queries: float = SHORT) -> float | None:
    """The highest Server rate in queries/s that a simulation finds VALID; None where it finds none."""

    def is_valid(rate: float) -> bool:
        values = {"server_target_qps": Value(rate, "simulate"), "server_target_qps_adj_factor": Value(None, "simulate")}
        return simulate(
            Job(job.workload.with_values(values), job.notices), table, f"{job.label} at {rate:,.4g}", most_queries
        ).valid

    return highest_valid(capacity(table, job), is_valid, close=CLOSE)


def capacity(table: Mapping[str, Any], job: Job) -> float:
    """Samples/s of all devices of a job in full batches of the mean length, by a table of service times."""
    batch = min(most_samples(job.workload, job.placement), table["batches"][-1])
    at_mean = [float(np.interp(sum(job.lengths) / len(job.lengths), table["lengths"], row)) for row in table["microseconds"]]
    rate = 1e6 * batch / max(float(np.interp(batch, table["batches"], at_mean)), 1e-9)
    rate *= table.get("at_once", 1)
    slowdown = [*table.get("slowdown", ()), *[1.0] * len(job.placement.devices)]
    return float(sum(rate / max(slowdown[device.index], 1e-9) for device in job.placement.devices))


def _read(folder: Path) -> dict[str, Any]:
    """simulation.json. RunError where it is not there or of another version."""
    notes: list[str] = []
    try:
        found = SHAPE.read(jsonfile.read(folder / FILE), FILE, notes)
    except (OSError, ValueError) as error:
        raise RunError(f"the simulation left no {FILE}", str(error), f"see {paths.shown(folder)}") from error
    if found is None:
        raise RunError(f"{FILE} cannot be read", "; ".join(notes), "run `make build`: the harness may be of another version")
    return dict(found)


def neighbours(value: object) -> Sequence[object]:
    """Values around a number to compare it with; the number itself is among them."""
    if isinstance(value, bool):
        return [False, True]
    if isinstance(value, int):
        return sorted({max(1, value // 4), max(1, value // 2), value, value * 2, value * 4})
    if isinstance(value, float):
        return [value * factor for factor in (0.5, 0.75, 0.9, 1.0, 1.05, 1.1, 1.25)]
    return []
