"""The highest VALID Server rate predicted from one Offline run, and measured by short runs.

    python -m tests.benchmarks.server_rate [--seconds 12] [--within 240] [--keep FOLDER] -- --benchmarks=bert --model_variant=tiny […]

The words after `--` are those of both runs. Engine and data set have to be there: one run before makes them. It ends after `--within`
seconds with the bounds that it has by then. `--keep` leaves the log folders of all runs there. Run it with nothing beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.run.server_rate import near_prediction

ROOT = Path(__file__).resolve().parents[2]
OFFLINE_S = 15
CLOSE = 0.01


class Ended(Exception):
    """No time is left for another run."""


def called(action: str, *words: str) -> str:
    """What an action prints to stdout."""
    command = [sys.executable, "-m", "code.main", f"--action={action}", "--test_mode=PerformanceOnly", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def result(folder: Path, scenario: str, *words: str) -> tuple[Path, dict[str, Any]]:
    """The log folder of one run, and its metadata."""
    called("run", f"--scenarios={scenario}", f"--log_dir={folder}", *words)
    (file,) = folder.rglob("metadata.json")
    return file.parent, jsonfile.read_object(file)


def measure(predicted: float, most: float, is_valid: Any) -> dict[float, bool]:
    """Rate → whether it was VALID, of a search that begins at the prediction."""
    known: dict[float, bool] = {}

    def remembered(rate: float) -> bool:
        if rate not in known:
            known[rate] = is_valid(rate)
            print(f"{rate:,.1f} queries/s: {'VALID' if known[rate] else 'INVALID'}", flush=True)
        return known[rate]

    try:
        near_prediction(predicted, most, remembered, close=CLOSE)
    except Ended:
        print("no time is left", flush=True)
    return known


def main(arguments: list[str]) -> None:
    """See the head of the file."""
    given, words = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        given, words = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--within", type=float, default=240.0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args(given)
    begin, longest = time.monotonic(), 0.0
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory() as scratch:
        folder, offline = result(
            Path(scratch) / "offline", "offline", f"--min_duration={1000 * OFFLINE_S}", "--probe=again", *words
        )
        print(f"Offline: {offline['result_samples_per_second']:,.1f} samples/s", flush=True)
        short = (f"--min_duration={int(1000 * asked.seconds)}", *words)
        (found,) = json.loads(called("simulate", "--scenarios=server", f"--service_model={folder}", "--json", *short))
        predicted, low, high = (found["highest_valid"][name] for name in ("rate", "low", "high"))
        print(f"predicted: {predicted:,.1f} ({low:,.1f} to {high:,.1f}) queries/s", flush=True)

        def is_valid(rate: float) -> bool:
            nonlocal longest
            start = time.monotonic()
            if start + longest - begin > asked.within:
                raise Ended
            where = Path(scratch) / f"server-{rate}"
            _, metadata = result(where, "server", f"--server_target_qps={rate}", *short)
            longest = max(longest, time.monotonic() - start)
            return bool(metadata["result_validity"] == "VALID")

        known = measure(predicted, float(offline["result_samples_per_second"]), is_valid)
    valid, invalid = (sorted(rate for rate, verdict in known.items() if verdict == wanted) for wanted in (True, False))
    print(f"highest VALID {valid[-1] if valid else 0:,.1f}, lowest INVALID {invalid[0] if invalid else 0:,.1f} queries/s")
    if valid:
        print(f"the prediction is {predicted / valid[-1] - 1:+.1%} from the highest VALID rate")


if __name__ == "__main__":
    main(sys.argv[1:])
