"""What loading all of the project's configs costs: classes, the seconds of the fastest of five processes, and its processor time.

python -m tests.benchmarks.config_load
"""

from __future__ import annotations

import subprocess
import sys

PROCESSES = 5
PROGRAM = """
import time
start = time.perf_counter()
import configs.configuration
imported = time.perf_counter()
from code.common.constants import Benchmark, Scenario
from configs.loading import load
classes = sum(len(file.entries) for benchmark in Benchmark for scenario in Scenario for file in load(benchmark, scenario))
print(classes, imported - start, time.perf_counter() - start, time.process_time())
"""


def main() -> None:
    """Measure and print."""
    runs = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
        for _ in range(PROCESSES)
    ]
    classes, imported, loaded, used = min((run.split() for run in runs), key=lambda words: float(words[2]))
    print(
        f"{classes} classes: {float(imported):.3f} s to import configs.configuration, {float(loaded):.3f} s with all configs loaded "
        f"({float(used):.3f} s of processor time for the whole process)"
    )


if __name__ == "__main__":
    main()
