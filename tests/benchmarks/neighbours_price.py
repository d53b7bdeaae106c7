"""`python -m tests.benchmarks.neighbours_price [pairs] [seconds]`: what a neighbour costs, by pairs of runs alone and beside it.

Tiny BERT in Offline on the first processor, tiny 3D-UNet in Offline on the last, each pair by `make run_heterogeneous`. Prints each pair's
rates and price, the median price, and the interval that 95 % of medians of as many pairs drawn from these fall into (bootstrap).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def main(pairs: int, seconds: float) -> int:
    """Run and print. Returns the first failure's exit status."""
    cores = sorted(os.sched_getaffinity(0))
    words = f"--main=bert:Offline@{cores[0]} --background=3d-unet:Offline@{cores[-1]} --backend=openvino --share_devices"
    words += f" --min_duration={int(seconds * 1e3)}"
    found = []
    for number in range(pairs):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                "make",
                "--no-print-directory",
                "-C",
                str(ROOT),
                "run_heterogeneous",
                f"LOG_DIR={folder}",
                f"RUN_ARGS={words}",
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                return done.returncode
            results = [json.loads(path.read_text()) for path in Path(folder).rglob("metadata.json")]
        (beside,) = [one["beside"] for one in results if "beside" in one]
        rate = beside["alone"] * (1 - beside["price"])
        found.append(beside["price"])
        print(
            f"pair {number + 1}: alone {beside['alone']:.1f}, beside {rate:.1f} samples/s, price {beside['price']:.1%}",
            flush=True,
        )
    drawn = np.random.default_rng(0).choice(found, (10_000, len(found)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    print(
        f"median price {statistics.median(found):.1%}, 95 % interval {low:.1%} to {high:.1%}, {len(found)} pairs of {seconds:g} s"
    )
    return 0


if __name__ == "__main__":
    numbers = [float(word) for word in sys.argv[1:]]
    sys.exit(main(int(numbers[0]) if numbers else 5, numbers[1] if len(numbers) > 1 else 60.0))
