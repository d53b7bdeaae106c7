"""The highest VALID Server rate of the harness's own queue, in virtual time, over that of an ideal queue before the same device.

    make build
    .venv/bin/python -m tests.benchmarks.server_queue [--soft_drop 0.993] [--harness build/bin/harness]

The ideal queue answers in order of arrival, each sample in the time that it takes alone. Takes seconds, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from code.harness.schema.options import SimulatedOptions
from tests.benchmarks.harness_figures import ROOT, execute, lengths, run_json
from tests.benchmarks.harness_overhead import BERT_BOUND_S, ideal_rate

PAD, LONGEST, QUERIES, CLOSE = 16, 384, 60_000, 0.005


@dataclass(frozen=True)
class Device:
    """Times of a batch in µs: fixed, for each token, and for each token squared; batches computed at once; most samples of a batch."""

    fixed: float
    token: float
    squared: float
    at_once: int
    limit: int

    def time_us(self, batch: float, length: float) -> float:
        """Of a batch of one length."""
        return self.fixed + batch * (self.token * length + self.squared * length**2)

    def options(self) -> SimulatedOptions:
        """The simulated engine's table of it."""
        columns = tuple(float(length) for length in range(PAD, LONGEST + 1, PAD))
        rows = tuple(float(batch) for batch in (1, 2, 4, 8, max(16, self.limit)))
        return SimulatedOptions(
            rows, columns, tuple(tuple(self.time_us(b, n) for n in columns) for b in rows), at_once=self.at_once
        )


DEVICES: Mapping[str, Device] = {
    "two cores, 6 ms a batch (MiniLM in bf16 with AMX)": Device(6000, 60, 0.03, 2, 8),
    "two cores, 0.3 ms a batch (tiny BERT)": Device(300, 20, 0.02, 2, 8),
    "a GPU, 1.5 ms a batch and little a sample": Device(1500, 0.55, 0, 1, 64),
    "a GPU, 3 ms a batch": Device(3000, 2, 0, 1, 64),
}


def is_valid(harness: Path, device: Device, sizes: list[int], rate: float, soft_drop: float) -> bool:
    """Whether a simulated run at that rate is VALID."""
    dataset = {"kind": "synthetic", "count": len(sizes), "lengths": sizes, "outputs": ["s", "e"]}
    engine = {"backend": "simulated", "streams": 2, "options": asdict(device.options())}
    conf = {"target_qps": rate, "target_latency": 1000 * BERT_BOUND_S, "min_duration": 0, "min_query_count": QUERIES}
    changed: dict[str, Any] = {"dataset": dataset, "engine": engine, "server": {"issue_threads": 0, "soft_drop": soft_drop}}
    with tempfile.TemporaryDirectory(prefix="server-queue-") as folder:
        path = run_json(
            Path(folder), "Server", conf, batch={"max_samples": device.limit, "timeout_us": 0.0, "padding": 0.25}, **changed
        )
        return bool(json.loads(execute([harness, "--simulate", path]))["valid"])


def rates(harness: Path, device: Device, soft_drop: float) -> tuple[float, float]:
    """The highest VALID rate of the harness, by halving, and the ideal queue's."""
    sizes = [min(-(-length // PAD) * PAD, LONGEST) for length in lengths()]
    alone = np.array([device.time_us(1, size) for size in sizes]) / 1e6
    best = ideal_rate(alone, device.at_once, BERT_BOUND_S)
    low, high = 0.0, 2.0 * device.limit * best  # nothing is called VALID that was not run
    while high - low > CLOSE * high:
        rate = (low + high) / 2
        low, high = (rate, high) if is_valid(harness, device, sizes, rate, soft_drop) else (low, rate)
    return low, best


def main() -> None:
    """Print a row of each device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soft_drop", type=float, default=1.0, help="share of queries that the bound must hold for; 1: all")
    parser.add_argument("--harness", type=Path, default=ROOT / "build" / "bin" / "harness")
    arguments = parser.parse_args()
    print("| device | harness, queries/s | ideal queue | share |\n| --- | --- | --- | --- |")
    for name, device in DEVICES.items():
        ours, best = rates(arguments.harness, device, arguments.soft_drop)
        print(f"| {name} | {ours:,.4g} | {best:,.4g} | {ours / best:.3f} |", flush=True)


if __name__ == "__main__":
    main()
