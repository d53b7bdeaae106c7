"""Runs for tests/benchmarks/harness_overhead.py: run.json files, the programs that take them, and what LoadGen's logs say."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.harness.schema.datasets import of_benchmark
from code.harness.schema.run_spec import Expectations, LogSettings, ServerSettings

ROOT = Path(__file__).resolve().parents[2]
SQUAD_LENGTHS = ROOT / "build" / "preprocessed_data" / "bert" / "tiny" / "lengths.npy"
USUAL_LENGTHS = [384, 100, 128, 200, 170, 150, 140, 130, 256, 90, 111, 177, 133, 155, 160]


@dataclass(frozen=True)
class Figure:
    """One row of the table: the medians of two ways, and the median of what the first is of the second in a turn."""

    what: str
    goal: str
    harness: float
    against: float
    unit: str
    ratio: float
    spread: str

    def row(self) -> str:
        """As a row of a Markdown table."""
        return (
            f"| {self.what} | {self.goal} | {self.harness:,.4g} {self.unit} | {self.against:,.4g} {self.unit} "
            f"| {self.ratio:.3f} | {self.spread} |"
        )


def programs() -> dict[str, Path]:
    """The harness and the programs it is measured against; an error says how to build them."""
    build = Path(os.environ.get("BUILD_DIR", ROOT / "build"))
    found = {
        "harness": build / "bin" / "harness",
        "bare": build / "cmake" / "bin" / "harness_bare",
        "loop": build / "cmake" / "bin" / "harness_loop",
    }
    missing = [str(path) for path in found.values() if not path.is_file()]
    if missing:
        raise SystemExit(
            f"error: not built: {', '.join(missing)}\n  next: scripts/build_harness.sh .venv/bin/python '' -DHARNESS_BENCHMARKS=ON"
        )
    return found


def run_json(folder: Path, scenario: str, conf: dict[str, float], **changed: Any) -> Path:
    """A run of the null engine on lengths like SQuAD's, changed as asked; keys of `batch` are merged.

    Args:
        changed: top-level keys; of `engine` also streams, threads and devices (how many), each with as many streams and threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = changed.get("benchmark", "bert")
    (folder / "user.conf").write_text("".join(f"{name}.{scenario}.{k} = {v:.9g}\n" for k, v in conf.items()))
    usual = {"backend": "null", "folder": "", "precision": "fp32", "options": {}, "streams": 1, "threads": 0, "devices": 1}
    engine = {**usual, **changed.pop("engine", {})}
    lanes = {"engine": 0, "cores": [], "streams": engine.pop("streams"), "threads": engine.pop("threads"), "pci": ""}
    dataset = changed.pop("dataset", {"kind": "synthetic", "count": 10833, "lengths": lengths(), "outputs": ["s", "e"]})
    content: dict[str, Any] = {
        "schema": 4,
        "benchmark": "bert",
        "scenario": scenario,
        "test_mode": "PerformanceOnly",
        "output_dir": str(folder),
        "user_conf": str(folder / "user.conf"),
        "audit_conf": "",
        "devices": [{"index": i, "name": f"device {i}", **lanes} for i in range(engine.pop("devices"))],
        "engines": [engine],
        "batch": {"max_samples": 16, "timeout_us": 0.0, "padding": 0.0625, **changed.pop("batch", {})},
        "dataset": asdict(of_benchmark(dataset)),
        "seeds": {},
        "log": asdict(LogSettings(copy_summary_to_stdout=False)),
        "server": asdict(ServerSettings()),
        "warmup_s": 0.0,
        "watchdog_s": 60.0,
        "expects": asdict(Expectations()),
        "record": {},
    }
    path = folder / "run.json"
    path.write_text(json.dumps({**content, **changed}))
    return path


def lengths() -> list[int]:
    """The preprocessed data's lengths where they are there, else a list with their spread."""
    if not SQUAD_LENGTHS.is_file():
        return USUAL_LENGTHS
    import numpy as np

    return [int(length) for length in np.load(SQUAD_LENGTHS)]


def execute(command: Sequence[str | Path]) -> str:
    """Run it and return what it prints; an error shows its words."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"error: {command[0]} ended with {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def summary(folder: Path, label: str) -> float:
    """A number of LoadGen's summary by its label."""
    text = (folder / "mlperf_log_summary.txt").read_text()
    found = re.search(rf"^{re.escape(label)}\s*:\s*([0-9.e+]+)", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"error: no '{label}' in {folder}/mlperf_log_summary.txt")
    return float(found[1])


def is_valid(folder: Path) -> bool:
    """Whether LoadGen calls the run valid."""
    return "Result is : VALID" in (folder / "mlperf_log_summary.txt").read_text()


def in_turn(times: int, *ways: Callable[[], float]) -> list[list[float]]:
    """Each way's values; the ways take turns, forwards and backwards, so that what else the machine does meets all of them."""
    values: list[list[float]] = [[] for _ in ways]
    for turn in range(times):
        pairs = list(zip(ways, values, strict=True))
        for way, row in pairs if turn % 2 == 0 else reversed(pairs):
            row.append(way())
    return values


def figure(what: str, goal: str, unit: str, values: Sequence[Sequence[float]]) -> Figure:
    """Medians of [the harness's values, the other's], and the median of what they are of each other turn by turn."""
    medians = [statistics.median(v) for v in values]
    ratio = statistics.median(ours / theirs for ours, theirs in zip(*values, strict=True))
    spread = " and ".join(f"{min(v):,.3g} to {max(v):,.3g}" for v in values)
    return Figure(what, goal, medians[0], medians[1], unit, ratio, spread)
