"""What telemetry costs: tiny BERT with it over without it, in Offline and Server, through the whole harness.

    .venv/bin/python -m tests.benchmarks.telemetry_cost [--turns 5] [--seconds 10] [--only offline|server]

A turn runs both ways, one after the other, the first one alternating; the figure is the median of the turns' ratios of LoadGen's rates.
Server runs at 0.3 of Offline's rate, and its figure is the ratio of completed queries. The processor time of sampling is measured alone
as well, in a process that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from code.telemetry.recorder import recorded
from code.telemetry.source import Watched

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("true", "false")


def metadata(folder: Path, scenario: str, telemetry: str, words: list[str]) -> dict[str, Any]:
    """The result of one run."""
    command = [sys.executable, "-m", "code.main", "--action=run", "--benchmarks=bert", f"--scenarios={scenario}"]
    command += [f"--log_dir={folder}", f"--telemetry={telemetry}", "--model_variant=tiny", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = list(folder.rglob("metadata.json"))
    if not found:
        raise SystemExit(done.stdout + done.stderr)
    return dict(json.loads(found[0].read_text()))


def ratios(scenario: str, turns: int, words: list[str], key: str) -> list[float]:
    """With telemetry over without it, for each turn."""
    found = []
    for turn in range(turns):
        values = {}
        for way in WAYS if turn % 2 else reversed(WAYS):
            with tempfile.TemporaryDirectory() as folder:
                values[way] = float(metadata(Path(folder), scenario, way, words)[key])
        found.append(values["true"] / values["false"])
        print(f"{scenario} turn {turn + 1}: {found[-1]:.4f}", flush=True)
    return found


def sampling(seconds: float) -> float:
    """The share of one core that sampling alone takes."""
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(tuple(sorted(os.sched_getaffinity(0))), (), os.getpid())
        with recorded(Path(folder), watched):
            time.sleep(1)  # the first readings search for processes
            before = time.process_time()
            time.sleep(seconds)
            return (time.process_time() - before) / seconds


def main() -> None:
    """Print a row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", choices=("offline", "server"), help="one scenario, to measure in two parts")
    given = parser.parse_args()
    length = [f"--min_duration={given.seconds * 1000}"]
    print(f"sampling alone: {sampling(given.seconds):.2%} of one core", flush=True)
    found = {}
    if given.only != "server":
        found["Offline samples/s"] = ratios("offline", given.turns, length, "result_samples_per_second")
    if given.only != "offline":
        with tempfile.TemporaryDirectory() as folder:
            rate = float(metadata(Path(folder), "offline", "false", length)["result_samples_per_second"])
        words = [*length, f"--server_target_qps={0.3 * rate:.0f}"]
        found["Server queries/s"] = ratios("server", given.turns, words, "result_completed_samples_per_sec")
    for name, values in found.items():
        print(f"{name}: {statistics.median(values):.4f} ({min(values):.3f} to {max(values):.3f}, {len(values)} turns)")


if __name__ == "__main__":
    main()
