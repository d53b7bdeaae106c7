"""What every step works with: a folder, the harness, data, engines, and runs of the harness on them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from code.common.files import write_json
from code.harness.schema.options import TensorRtOptions
from tests.benchmarks.harness_figures import USUAL_LENGTHS, is_valid, run_json, summary

LONGEST = 384
SAMPLES = 4096
BERT_OUTPUTS = ("output_start_logits", "output_end_logits")
BERT_INPUTS = ("input_ids", "input_mask", "segment_ids")
ROI = (64, 64, 64)
RUN_LIMIT_S = 120.0

LABELS = {
    "Offline": "Samples per second",
    "Server": "Completed samples per second",
    "SingleStream": "90.0th percentile latency (ns)",
}
"""Scenario → what LoadGen's summary calls its figure."""


class NeedsError(Exception):
    """The step cannot run here; the message says what it needs."""


@dataclass(frozen=True)
class Bench:
    """Where and with what steps run.

    Args:
        work: folder of engines, data and logs.
        harness: the C++ harness.
        old_harness: another build of it; None: there is none.
        stand_in: whether `harness` is on tests/cuda_stand_in, whose plans are text.
    """

    work: Path
    harness: Path
    old_harness: Path | None
    stand_in: bool

    def save(self) -> None:
        """Write it for the steps' processes."""
        write_json(self.work / "bench.json", {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()})

    @classmethod
    def read(cls, work: Path) -> Bench:
        """What `save` wrote."""
        content = json.loads((work / "bench.json").read_text(encoding="utf-8"))
        old = content["old_harness"]
        return cls(Path(content["work"]), Path(content["harness"]), Path(old) if old else None, content["stand_in"])

    def capabilities(self, harness: Path | None = None) -> Mapping[str, Any]:
        """What a harness reads. NeedsError where it is absent or has no TensorRT."""
        file = harness or self.harness
        if not file.is_file():
            how = "scripts/build_harness.sh with GoogleTest installed" if self.stand_in else "`make build`"
            raise NeedsError(f"the C++ harness {file}: {how}")
        done = subprocess.run([str(file), "--capabilities"], capture_output=True, text=True, timeout=30, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        if "tensorrt" not in found["backends"]:
            raise NeedsError(f"a C++ harness with the TensorRT engine: {file} was built without TensorRT 10 or 11")
        return found

    def sequences(self) -> dict[str, Any]:
        """Token sequences of SQuAD's lengths, as a dataset of run.json."""
        folder = self.work / "sequences"
        if not (folder / "lengths.npy").is_file():
            folder.mkdir(exist_ok=True)
            random = np.random.default_rng(0)
            lengths = np.resize(np.asarray(USUAL_LENGTHS, np.int32), SAMPLES)
            real = np.arange(LONGEST) < lengths[:, None]
            ids = np.where(real, random.integers(1000, 10000, (SAMPLES, LONGEST)), 0)
            arrays = {"input_ids": ids, "input_mask": real, "segment_ids": real & (np.arange(LONGEST) >= 20)}
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array.astype(np.int32))
            np.save(folder / "lengths.npy", lengths)
        return {
            "kind": "sequence",
            "folder": str(folder),
            "count": SAMPLES,
            "arrays": {name: f"{name}.npy" for name in BERT_INPUTS},
            "lengths": "lengths.npy",
            "outputs": list(BERT_OUTPUTS),
            "input_dtype": "int64",
            "pad_to_multiple_of": 16,
        }

    def volumes(self) -> dict[str, Any]:
        """Cases of several sizes, as a dataset of run.json."""
        folder = self.work / "volumes"
        shapes = [(64, 96, 96), (96, 128, 128), (64, 64, 128), (96, 96, 96)]
        names = [f"case_{i:05d}" for i in range(12)]
        if not (folder / f"{names[-1]}.npy").is_file():
            folder.mkdir(exist_ok=True)
            random = np.random.default_rng(0)
            for i, name in enumerate(names):
                np.save(folder / f"{name}.npy", random.standard_normal(shapes[i % len(shapes)], dtype=np.float32))
        return {
            "kind": "volume",
            "folder": str(folder),
            "count": len(names),
            "cases": names,
            "roi": list(ROI),
            "overlap": 0.5,
            "sigma": 0.125,
            "windows_per_batch": 8,
            "input": "input",
            "output": "output",
        }

    def surroundings(self) -> dict[str, str]:
        """The environment of a run; the stand-in has two devices unless it says otherwise."""
        return {**({"CUDA_STAND_IN_DEVICES": "2"} if self.stand_in else {}), **os.environ}

    def run(self, name: str, scenario: str, engine: Path, conf: Mapping[str, float], **asked: Any) -> Run:
        """One LoadGen test of the harness in a folder of its own. RuntimeError with the harness's words where it fails.

        Args:
            conf: LoadGen's settings.
            asked: `options` of TensorRT, `streams`, `devices`, `batch`, `timeout_us`, `volumes`, `accuracy`, `harness`, `before` (words
                in front of the command), `environment`.
        """
        folder = self.work / "runs" / name
        harness = asked.get("harness") or self.harness
        known = self.capabilities(harness)["backends"]["tensorrt"]
        wanted = {**asdict(TensorRtOptions()), **asked.get("options", {})}
        ignored = sorted(key for key in asked.get("options", {}) if key not in known)
        if ignored:
            raise NeedsError(f"a harness that reads {', '.join(ignored)}: {harness} does not")
        volumes = bool(asked.get("volumes"))
        file = run_json(
            folder,
            scenario,
            dict(conf),
            benchmark="3d-unet" if volumes else "bert",
            test_mode="AccuracyOnly" if asked.get("accuracy") else "PerformanceOnly",
            dataset=self.volumes() if volumes else self.sequences(),
            engine={
                "backend": "tensorrt",
                "folder": str(engine),
                "options": {key: value for key, value in wanted.items() if key in known},
                "streams": asked.get("streams", 1),
                "devices": asked.get("devices", 1),
            },
            batch={"max_samples": asked.get("batch", 1 if volumes else 64), "timeout_us": float(asked.get("timeout_us", 0))},
            warmup_s=0.5,
        )
        begin = time.monotonic()
        command = [*asked.get("before", []), str(harness), str(file)]
        environment = {**self.surroundings(), **asked.get("environment", {})}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_LIMIT_S, cwd=folder, env=environment, errors="replace"
        )
        text = done.stdout + done.stderr
        if done.returncode != 0:
            raise RuntimeError(f"{name} ended with status {done.returncode}: {text[-1500:].strip()}")
        return Run(folder, scenario, time.monotonic() - begin, text)


def offline(bench: Bench, name: str, engine: Path, seconds: float, guess: float, **asked: Any) -> Run:
    """An Offline test of about `seconds`: LoadGen sizes it by the expected rate, so a short one by a `guess` finds that first."""
    first = bench.run(f"{name}-first", "Offline", engine, conf(1, guess), **asked)
    return bench.run(name, "Offline", engine, conf(seconds, max(first.figure, guess)), **asked)


@dataclass(frozen=True)
class Run:
    """A finished test: its folder of logs, its wall time in seconds, and what it printed."""

    folder: Path
    scenario: str
    seconds: float
    text: str

    @property
    def figure(self) -> float:
        """The scenario's figure: a rate, or the 90th percentile of the latency in ns."""
        return summary(self.folder, LABELS[self.scenario])

    @property
    def valid(self) -> bool:
        """Whether LoadGen calls it valid, but for its length."""
        return is_valid(self.folder)

    def answers(self) -> str:
        """A digest of the accuracy log, whatever the order in which samples were answered."""
        rows = json.loads((self.folder / "mlperf_log_accuracy.json").read_text(encoding="utf-8"))
        answers = sorted((row["qsl_idx"], row["data"]) for row in rows)
        return hashlib.sha256(json.dumps(answers).encode()).hexdigest()

    def devices(self) -> list[dict[str, Any]]:
        """What each device did."""
        found: list[dict[str, Any]] = json.loads((self.folder / "devices.json").read_text(encoding="utf-8"))
        return found


def seconds_in(text: str, words: str) -> float | None:
    """The number behind `words` in what a program printed."""
    found = re.search(rf"{re.escape(words)}\s*([0-9.]+)", text)
    return float(found[1]) if found else None


def conf(seconds: float, expected: float, scenario: str = "Offline") -> dict[str, float]:
    """LoadGen's settings of a short test: Offline and Server by rate, SingleStream by latency in ms."""
    common = {"min_duration": seconds * 1000, "min_query_count": 1}
    if scenario == "SingleStream":
        return {**common, "target_latency": expected}
    return {**common, "target_qps": expected}


def ordered(rows: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Rows by a figure, the highest first; those without it last."""
    return sorted(rows, key=lambda row: -float(row.get(key) or 0))
