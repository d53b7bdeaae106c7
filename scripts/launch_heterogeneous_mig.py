"""The command of other harnesses' guides: `python3 scripts/launch_heterogeneous_mig.py --main_benchmark=bert --main_scenario=offline …`.

It calls `make run_heterogeneous` with the same meaning (documentation/heterogeneous_mig.md).
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Names = tuple[tuple[str, str], ...]
"""Benchmarks with their scenarios."""
SETS: dict[str, Names] = {
    "datacenter": (("bert", "Server"), ("3d-unet", "Offline"), ("gptj", "Server")),
    "edge": (("bert", "SingleStream"), ("3d-unet", "SingleStream"), ("gptj", "SingleStream")),
}
SETS["all"] = SETS["server"] = SETS["datacenter"]
"""Word of --background_benchmarks → the workloads of this project that it stands for."""
ACTIONS = ("run_harness", "run")
ACCEPTED = {
    "background_benchmark_duration": "neighbours run until the main test has ended",
    "end_time_buffer": "neighbours run until the main test has ended",
    "dryrun": "use --main_benchmark_runargs=--dry_run",
}


def main(arguments: Sequence[str]) -> int:
    """Translate the options and run make; its exit status, 2 for options that cannot be translated."""
    given = parsed(arguments)
    try:
        words = run_args(given)
    except ValueError as error:
        print(f"error: {error}\n  next: see documentation/heterogeneous_mig.md", file=sys.stderr)
        return 2
    for name, why in ACCEPTED.items():
        if getattr(given, name) is not None:
            print(f"note: --{name} is not used here: {why}", file=sys.stderr)
    environment = {**os.environ, "RUN_ARGS": shlex.join(words)}
    return subprocess.run(["make", "-C", str(ROOT), "run_heterogeneous"], env=environment, check=False).returncode


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options as the guides write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--main_benchmark", required=True)
    parser.add_argument("--main_scenario", required=True)
    parser.add_argument("--main_action", default="run_harness", help="run_harness; audits are not run beside others")
    parser.add_argument("--main_benchmark_runargs", "--main_benchmark_args", default="", help="RUN_ARGS of the main workload")
    parser.add_argument("--background_benchmarks", default="datacenter", help="datacenter, edge, all, or benchmarks with commas")
    parser.add_argument("--background_scenario", help="their scenario; by default Server where a benchmark has it, else Offline")
    parser.add_argument("--start_time_buffer", help="how long they run at least before the main test, in ms")
    for name, why in ACCEPTED.items():
        parser.add_argument(f"--{name}", nargs="?", const="", help=f"accepted: {why}")
    return parser.parse_args(arguments)


def run_args(given: argparse.Namespace) -> list[str]:
    """The words of RUN_ARGS. ValueError for an action or a set of benchmarks that has no counterpart."""
    if given.main_action not in ACTIONS:
        raise ValueError(f"--main_action={given.main_action} is not run beside other workloads, only run_harness")
    main_word = f"{given.main_benchmark}:{given.main_scenario}"
    if given.background_benchmarks.lower() in SETS:
        chosen = SETS[given.background_benchmarks.lower()]
        names: Names = tuple(pair for pair in chosen if pair[0] != given.main_benchmark.lower())
    else:
        listed = [word.strip() for word in given.background_benchmarks.split(",") if word.strip()]
        if not listed or listed == ["none"]:
            raise ValueError("there is no background benchmark: `make run` measures a workload alone")
        names = tuple((word, "Offline" if word.lower() in ("3d-unet", "3dunet", "unet3d") else "Server") for word in listed)
    others = ",".join(f"{name}:{given.background_scenario or scenario}" for name, scenario in names)
    words = [f"--main={main_word}", f"--background={others}"]
    if given.start_time_buffer:
        words.append(f"--start_time_buffer={given.start_time_buffer}")
    return [*words, *shlex.split(given.main_benchmark_runargs)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
