"""Makes the table of documentation/performance.md anew: each row what the harness reaches, its limit, and the share of it.

    scripts/build_harness.sh .venv/bin/python '' -DHARNESS_BENCHMARKS=ON
    make calibration                                                              # for int8
    make run RUN_ARGS="--benchmarks=bert,3d-unet --scenarios=offline --fast"      # once, for engines and data
    .venv/bin/python -m tests.benchmarks.all [--times 3] [--alone null,simulated,…] [--write]

A piece takes some minutes at most; `--alone` measures those that it names and keeps the rows of the others from before, each with its
date, in build/benchmarks/table.json. Ways are measured in turn; rows have medians. `--write` puts the table into the page. Needs a
quiet machine: what the harness itself calls disturbed is marked. BERT-Large's shape is made on first use, in build/benchmarks, which
takes minutes; MiniLM's row needs ../shared. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import atomic_write, write_json
from code.harness.schema.options import SimulatedOptions
from code.machine.detect import detect
from tests.benchmarks import harness_overhead, workload_rows
from tests.benchmarks.harness_figures import ROOT, execute, in_turn, is_valid, programs, run_json, summary
from tests.benchmarks.rows import SECONDS, Row, build_folder, of_figure

PAGE = ROOT / "documentation" / "performance.md"
BEGIN, END = "<!-- table of tests.benchmarks.all: begin -->", "<!-- table of tests.benchmarks.all: end -->"
DEVICES, DEVICE_BATCH, DEVICE_RATE = 8, 64, 9000
"""Simulated devices, and the samples per second of each in full batches."""
SLOWER, BOUND_MS = 0.7, 130
"""Speed of a device that is slower than the others; Server's latency bound."""


def null(times: int, scratch: Path) -> list[Row]:
    """The null engine through the harness over LoadGen with a bare SUT."""
    nothing = argparse.Namespace()
    parts = (harness_overhead.offline, harness_overhead.server, harness_overhead.singlestream)
    return [of_figure(one) for part in parts for one in part(times, scratch, nothing)]


def simulated(times: int, scratch: Path) -> list[Row]:
    """Simulated devices over as many times one of them: all alike, and with one that is slower; Offline and Server."""

    def offline(devices: int, slow: int = 0) -> float:
        folder = scratch / f"simulated-{devices}-{slow}"
        conf = {"target_qps": float(devices * DEVICE_RATE), "min_duration": 1000.0 * SECONDS / 2}
        execute([programs()["harness"], _simulated(folder, "Offline", conf, devices, slow)])
        return summary(folder, "Samples per second")

    ways = (lambda: offline(DEVICES), lambda: offline(DEVICES, 1), lambda: offline(1))
    several, mixed, one = (statistics.median(values) for values in in_turn(times, *ways))
    less = DEVICES - 1 + SLOWER
    rows = [
        Row(
            f"{DEVICES} simulated devices, Offline",
            f"{several:,.5g} samples/s",
            f"{DEVICES} × {one:,.5g} samples/s",
            several / DEVICES / one,
        ),
        Row(
            f"the same, one {1 - SLOWER:.0%} slower",
            f"{mixed:,.5g} samples/s",
            f"{less:g} × {one:,.5g} samples/s",
            mixed / less / one,
        ),
    ]
    alike, slower = _highest_rate(scratch, 0), _highest_rate(scratch, 1)
    limit = f"{alike:,.5g} queries/s × {less / DEVICES:.4f}"
    what = f"the same in Server, {BOUND_MS} ms: highest VALID rate over that of equal devices less the slow one's share"
    return [*rows, Row(what, f"{slower:,.5g} queries/s", limit, slower / (alike * less / DEVICES))]


def _highest_rate(scratch: Path, slow: int) -> float:
    """The highest VALID Server rate of the devices, by halving, to 2 %: so many too many queries wait for longer than the bound."""
    low, high = 0.0, 1.1 * DEVICES * DEVICE_RATE  # nothing is called VALID that was not run
    while high - low > 0.02 * high:
        rate = (low + high) / 2
        folder = scratch / f"simulated-server-{slow}"
        conf = {"target_qps": rate, "target_latency": BOUND_MS, "min_duration": 1000.0 * SECONDS}
        execute([programs()["harness"], _simulated(folder, "Server", conf, DEVICES, slow)])
        low, high = (rate, high) if is_valid(folder) else (low, rate)
    return low


def _simulated(folder: Path, scenario: str, conf: dict[str, float], devices: int, slow: int) -> Path:
    """run.json of simulated devices, the last `slow` of which are slower."""
    full = DEVICE_BATCH / DEVICE_RATE * 1e6

    def engine(speed: float) -> dict[str, Any]:
        times = tuple((time / speed,) * 2 for time in (1500.0, full))
        options = asdict(SimulatedOptions((1.0, float(DEVICE_BATCH)), (1.0, 384.0), times))  # type: ignore[arg-type]
        return {"backend": "simulated", "folder": "", "precision": "fp32", "options": options}

    lanes = {"cores": [], "streams": 1, "threads": 0, "pci": ""}
    return run_json(
        folder,
        scenario,
        conf,
        engines=[engine(1.0), engine(SLOWER)],
        devices=[{"index": i, "name": f"device {i}", "engine": int(i >= devices - slow), **lanes} for i in range(devices)],
        batch={"max_samples": DEVICE_BATCH, "timeout_us": 20000.0 if scenario == "Server" else 0.0, "padding": 1.0},
    )


PIECES: Mapping[str, Callable[[int, Path], list[Row]]] = {
    "null": null,
    "simulated": simulated,
    "bert": workload_rows.bert,
    "bert_large": workload_rows.bert_large,
    "bert_large_floats": workload_rows.bert_large_floats,
    "unet3d": workload_rows.unet3d,
    "texts": workload_rows.texts,
    "server": workload_rows.server,
    "server_minilm": workload_rows.server_minilm,
    "start_up": workload_rows.start_up,
}


def table(kept: Mapping[str, Any]) -> str:
    """The kept rows as Markdown, in the order of PIECES, with the date, machine and load of each piece.

    Args:
        kept: piece → {"when", "machine", "load", "times", "rows"}.
    """
    lines = ["| what | ours | limit | share | where the rest went, or the spread |", "| --- | --- | --- | --- | --- |"]
    for name in PIECES:
        lines += [Row(**row).markdown() for row in kept.get(name, {}).get("rows", [])]
    notes = [
        f"`{name}`: {one['when']}, {one['machine']}, {one['times']} turns, load average {one['load']:.1f}."
        for name in PIECES
        if (one := kept.get(name))
    ]
    return "\n".join([*lines, "", *notes])


def written(page: str, made: str) -> str:
    """The page with another table between its marks. ValueError without the marks."""
    head, mark, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{PAGE.name} has no lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def machine() -> str:
    """'2 cores of Intel Xeon, with AMX'."""
    found = detect()
    amx = "with AMX" if "amx_tile" in found.isa else "without AMX"
    return f"{found.usable_cores} cores of {found.processors.model}, {amx}"


def main() -> None:
    """Measure the pieces that were asked for, print the whole table, and write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="turns of each way; rows have medians")
    parser.add_argument("--alone", default=",".join(PIECES), help="pieces, comma-separated: " + ", ".join(PIECES))
    parser.add_argument("--write", action="store_true", help=f"put the table into documentation/{PAGE.name}")
    arguments = parser.parse_args()
    asked = arguments.alone.split(",")
    if unknown := [name for name in asked if name not in PIECES]:
        parser.error(f"unknown pieces {', '.join(unknown)}; known are {', '.join(PIECES)}")
    store = build_folder() / "benchmarks" / "table.json"
    kept = dict(jsonfile.object_or_empty(store))
    for name in asked:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
            rows = PIECES[name](arguments.times, Path(scratch))
        when = time.strftime("%Y-%m-%d %H:%M")
        load = os.getloadavg()[0]
        kept[name] = {
            "when": when,
            "machine": machine(),
            "load": load,
            "times": arguments.times,
            "rows": [asdict(row) for row in rows],
        }
        store.parent.mkdir(parents=True, exist_ok=True)
        write_json(store, kept)  # a piece that was measured survives the next one's failure
        print(f"{name}: done, load average {load:.1f}", file=sys.stderr, flush=True)
    made = table(kept)
    print(made)
    if arguments.write:
        page = written(PAGE.read_text(encoding="utf-8"), made)
        with atomic_write(PAGE) as file:
            file.write(page)


if __name__ == "__main__":
    main()
