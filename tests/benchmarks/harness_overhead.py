"""What the C++ harness costs: each figure of documentation/performance.md, as ratios measured in one run.

    scripts/build_harness.sh .venv/bin/python '' -DHARNESS_BENCHMARKS=ON
    .venv/bin/python -m tests.benchmarks.harness_overhead [--times 5] [--only offline,server,…] [--engine FOLDER --data FOLDER]

Needs a quiet machine. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.harness.schema.options import SimulatedOptions
from tests.benchmarks.harness_figures import Figure, execute, figure, in_turn, is_valid, programs, run_json, summary

BERT_BOUND_S = 0.130
ARRIVALS = 100_000
BEYOND = (1.6e6, 4e6)
"""Queries per second that LoadGen cannot issue one by one, and coalesced. It computes the percentiles of all, which takes its time."""
SERVER_WARM_UP_S = 6.0
"""Before a Server run: each lane meets single samples and small batches of every length."""
TRIES = 2
"""Runs at a rate before it is called INVALID: where other guests of a machine stop it for a tenth of a second, queries are late."""


def null_runs(scenario: str, conf: dict[str, float], label: str, times: int, scratch: Path, **changed: Any) -> list[list[float]]:
    """The same settings with the harness and with the bare SUT, in turn."""
    tools = programs()

    def way(program: str) -> float:
        folder = scratch / program
        execute([tools[program], run_json(folder, scenario, conf, **changed)])
        return summary(folder, label)

    return in_turn(times, lambda: way("harness"), lambda: way("bare"))


def offline(times: int, scratch: Path, _: argparse.Namespace) -> list[Figure]:
    """Offline with the null engine."""
    conf = {"target_qps": 2e6, "min_duration": 2000}
    values = null_runs("Offline", conf, "Samples per second", times, scratch)
    return [figure("Offline, null engine, batches of 16, over a bare null SUT", "≥ 0.80", "samples/s", values)]


def server(times: int, scratch: Path, _: argparse.Namespace) -> list[Figure]:
    """Server far beyond what LoadGen can issue, through the real queue; the rate is what was completed."""
    out = []
    for coalesce, target in enumerate(BEYOND):
        conf = {"target_qps": target, "min_duration": 1500, "coalesce_queries": coalesce}
        values = null_runs("Server", conf, "Completed samples per second", times, scratch)
        what = "Server, null engine through the queue, over a bare null SUT" + (", coalesced" if coalesce else "")
        out.append(figure(what, "≥ 0.70", "queries/s", values))
    return out


def singlestream(times: int, scratch: Path, _: argparse.Namespace) -> list[Figure]:
    """SingleStream latency."""
    out = []
    for label in ("50.00 percentile latency (ns)", "90.00 percentile latency (ns)"):
        conf = {"target_latency": 0.002, "min_duration": 600}
        values = null_runs("SingleStream", conf, label, times, scratch)
        added = statistics.median(values[0]) - statistics.median(values[1])
        name = label.split(" latency")[0]
        out.append(figure(f"SingleStream, null engine, {name} ({added:+.0f} ns)", "≤ 1 µs more", "ns", values))
    return out


def memory(_times: int, scratch: Path, _: argparse.Namespace) -> list[Figure]:
    """Resident memory at its highest in an Offline run of 10 million samples, which is LoadGen's own but for what the harness adds."""
    tools = programs()
    conf = {"target_qps": 1e6, "min_duration": 1000, "min_query_count": 1e7}

    def peak(program: str) -> float:
        path = run_json(scratch / program, "Offline", conf)
        child = os.posix_spawn(tools[program], [str(tools[program]), str(path)], os.environ)
        _, status, usage = os.wait4(child, 0)
        if status != 0:
            raise SystemExit(f"error: {program} ended with {status}")
        return usage.ru_maxrss / 1024

    values = [[peak("harness")], [peak("bare")]]
    return [figure("memory, Offline, 10 M samples, over a bare null SUT", "≤ 1.05", "MiB", values)]


def simulated(times: int, scratch: Path, _: argparse.Namespace) -> list[Figure]:
    """Eight devices of 9,000 samples/s at 57,600 queries/s with BERT's bound of 130 ms."""
    at_64 = 64 / 9000 * 1e6
    table = asdict(SimulatedOptions((1.0, 64.0), (1.0, 384.0), ((1500.0, 1500.0), (at_64, at_64))))
    tools = programs()
    folder = scratch / "simulated"
    p99, valid = [], 0
    for _ in range(times):
        path = run_json(
            folder,
            "Server",
            {"target_qps": 57600, "target_latency": 130, "min_duration": 10000},
            engine={"backend": "simulated", "devices": 8, "options": table},
            batch={"max_samples": 64, "timeout_us": 20000.0, "padding": 1.0},
        )
        execute([tools["harness"], path])
        valid += is_valid(folder)
        p99.append(summary(folder, "99.00 percentile latency (ns)") / 1e6)
    what = f"simulated: 8 devices of 9,000 samples/s, Server at 57,600 QPS: {valid} of {times} runs VALID; p99 against the bound"
    return [figure(what, "VALID", "ms", [p99, [130.0] * times])]


def sequences(arguments: argparse.Namespace) -> dict[str, Any]:
    """The dataset part for preprocessed BERT data."""
    folder = Path(arguments.data).absolute()
    names = ("input_ids", "input_mask", "segment_ids")
    return {
        "kind": "sequence",
        "folder": str(folder),
        "count": int(json.loads((folder / "manifest.json").read_text())["count"]),
        "arrays": {name: f"{name}.npy" for name in names},
        "lengths": "lengths.npy",
        "outputs": ["output_start_logits", "output_end_logits"],
        "input_dtype": "int64",
    }


def engine_part(arguments: argparse.Namespace) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    folder = str(Path(arguments.engine).absolute())
    return {"backend": "openvino", "folder": folder, "precision": arguments.precision, "streams": cores, "threads": cores}


def openvino(times: int, scratch: Path, arguments: argparse.Namespace) -> list[Figure]:
    """Offline on a real engine over a bare loop with the same engine, batches and threads."""
    tools = programs()
    dataset, engine = sequences(arguments), engine_part(arguments)
    conf = {"performance_sample_count_override": dataset["count"], "target_qps": 1, "min_duration": 0}
    conf["min_query_count"] = dataset["count"] * arguments.passes
    path = run_json(scratch / "run", "Offline", conf, dataset=dataset, engine=engine, warmup_s=2.0)

    def harness() -> float:
        execute([tools["harness"], path])
        return summary(path.parent, "Samples per second")

    def loop() -> float:
        return float(json.loads(execute([tools["loop"], path, "0"]))["samples_per_second"])

    values = in_turn(times, harness, loop)
    return [figure(f"Offline {arguments.name}, OpenVINO, over a bare loop", "≥ 0.98", "samples/s", values)]


def server_share(_times: int, scratch: Path, arguments: argparse.Namespace) -> list[Figure]:
    """The highest Server rate that is VALID, found by bisection, over Offline's throughput just before."""
    tools = programs()
    dataset, engine = sequences(arguments), engine_part(arguments)
    lanes = {**engine, "streams": arguments.streams or engine["streams"]}
    rounded = {**dataset, "pad_to_multiple_of": arguments.pad_to_multiple_of}
    conf: dict[str, float] = {"performance_sample_count_override": dataset["count"], "target_qps": 1, "min_duration": 0}
    whole = {**conf, "min_query_count": dataset["count"]}
    path = run_json(scratch / "off", "Offline", whole, dataset=rounded, engine=engine, warmup_s=SERVER_WARM_UP_S)
    execute([tools["harness"], path])
    throughput = summary(path.parent, "Samples per second")

    def holds(share: float) -> bool:
        settings = {**conf, "target_qps": share * throughput, "target_latency": 130, "min_duration": 1000 * arguments.seconds}
        path = run_json(
            scratch / "srv",
            "Server",
            {**settings, "min_query_count": 100},
            dataset=rounded,
            engine=lanes,
            batch={"max_samples": arguments.batch, "timeout_us": 0.0, "padding": arguments.padding},
            warmup_s=SERVER_WARM_UP_S,
            server={"issue_threads": 0, "soft_drop": arguments.soft_drop},
        )
        execute([tools["harness"], path])
        return is_valid(path.parent)

    low, high = 0.0, 1.1  # nothing is called VALID that was not run
    while high - low > 0.02:
        share = (low + high) / 2
        low, high = (share, high) if any(holds(share) for _ in range(TRIES)) else (low, share)
        print(f"  {share:.3f} of Offline: {'VALID' if low == share else 'INVALID'}", file=sys.stderr, flush=True)
    alone = run_json(
        scratch / "alone",
        "Offline",
        whole,
        dataset=rounded,
        engine=lanes,
        batch={"max_samples": 1, "timeout_us": 0.0, "padding": 0.0},
    )
    execute([tools["harness"], alone])
    begun, ended = np.load(alone.parent / "batches.npy")[:, :2].T
    best = ideal_rate(ended - begun, int(lanes["streams"]), BERT_BOUND_S)
    what = f"Server, {arguments.name}, 130 ms: highest VALID QPS over Offline"
    ideal = "the same of an ideal queue before these streams: each sample's own time, nothing lost between two"
    return [
        figure(what, "≥ 0.85", "queries/s", [[low * throughput], [throughput]]),
        figure(ideal, "", "queries/s", [[best], [throughput]]),
    ]


def ideal_rate(service_s: NDArray[np.float64], servers: int, bound_s: float) -> float:
    """The highest rate of Poisson arrivals at which 99 % are answered within the bound by a first come, first served queue.

    Args:
        service_s: seconds that samples take alone on one server, drawn from at random.
    """
    random = np.random.default_rng(0)
    times, gaps = random.choice(service_s, ARRIVALS), random.exponential(1.0, ARRIVALS)
    low, high = 0.0, servers / float(service_s.mean())
    while high - low > 0.005 * high:
        rate = (low + high) / 2
        free, late = [0.0] * servers, 0
        for arrival, took in zip(np.cumsum(gaps / rate).tolist(), times.tolist(), strict=True):
            end = max(arrival, heapq.heappop(free)) + took
            heapq.heappush(free, end)
            late += end - arrival > bound_s
        low, high = (rate, high) if late <= ARRIVALS // 100 else (low, rate)
    return low


PARTS = {
    "offline": offline,
    "server": server,
    "singlestream": singlestream,
    "memory": memory,
    "simulated": simulated,
    "openvino": openvino,
    "server_share": server_share,
}
NEED_ENGINE = ("openvino", "server_share")


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="runs of each way; the table has medians")
    parser.add_argument("--only", default=",".join(p for p in PARTS if p not in NEED_ENGINE), help="parts, comma-separated")
    parser.add_argument("--engine", help="folder with engine.blob, for: " + ", ".join(NEED_ENGINE))
    parser.add_argument("--data", help="folder of preprocessed BERT data that goes with it")
    parser.add_argument("--name", default="BERT", help="what the engine is called in the table")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--passes", type=int, default=1, help="times the data set is run through, for: openvino")
    parser.add_argument("--seconds", type=int, default=30, help="duration of a Server run, for: server_share")
    parser.add_argument("--streams", type=int, default=0, help="streams of a Server run, for: server_share; 0: one a core")
    parser.add_argument(
        "--soft_drop", type=float, default=0.99, help="share of queries that the bound must hold for, for: server_share"
    )
    parser.add_argument("--pad_to_multiple_of", type=int, default=16, help="of a Server batch's length, for: server_share")
    parser.add_argument("--batch", type=int, default=4, help="most samples in a Server batch")
    parser.add_argument("--padding", type=float, default=0.25, help="most padding in a Server batch")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only.split(","):
        if name in NEED_ENGINE and not (arguments.engine and arguments.data):
            parser.error(f"{name} needs --engine and --data")
        with tempfile.TemporaryDirectory(prefix="harness-benchmark-") as scratch:
            rows += PARTS[name](arguments.times, Path(scratch), arguments)
        print(f"{name}: done, load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, medians of "
        f"{arguments.times}, load average {os.getloadavg()[0]:.1f}\n"
    )
    print("| what | goal | harness | against | ratio | spread |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(figure.row() for figure in rows))


if __name__ == "__main__":
    main()
