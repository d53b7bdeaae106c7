"""Read a result of MLCommons endpoints' client: the form that the rules take from v6.1 on instead of LoadGen's logs.

Sources: https://github.com/mlcommons/endpoints (metrics/report.py, evaluation/), and what the official checker reads of it
(tools/submission/submission_checker/parsers/endpoints_parser.py of https://github.com/mlcommons/inference).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from code.common import jsonfile
from code.common.typed import Shape, anything, flag, listing, mapping, real, record, whole, words
from code.rules.rounds import INTERACTIVE, OFFLINE, SERVER, SINGLE

CONFIGS = ("config.yaml", "config.yml")
SUMMARY = "performance/result_summary.json"
ACCURACY = "accuracy/accuracy_results.json"
AUDITS = "audit"
"""Folder of the client's audits, audit_<name>.json each."""
PUBLISHED = "performance/run_1/result_summary.json"
"""Where the client's own publish script puts the summary, and the official checker does not look for it."""
TYPES: Mapping[str, tuple[str, ...]] = {"offline": (OFFLINE,), "online": (SERVER, INTERACTIVE, SINGLE)}
"""`type` of a config → the scenarios that its result may be submitted for."""
SEEDS: Mapping[str, str] = {"dataloader_random_seed": "sample_index_rng_seed", "scheduler_random_seed": "schedule_rng_seed"}
"""Name of a seed in settings.runtime → LoadGen's name of it. The client has no third one."""
SAMPLES_PER_S, QUERIES_PER_S, TOKENS_PER_S, MS = "Samples/s", "Queries/s", "Tokens/s", "Latency (ms)"
NS_PER_S, NS_PER_MS = 1e9, 1e6
CONFIG_LIMIT = 2**20
"""Bytes of a config that is read."""

_COUNT = whole(0, 2**63)
_NUMBER = real(0, 1e300)
_SERIES = record({}, {"avg": _NUMBER, "early_stopping_percentiles": mapping(_NUMBER)})
_SUMMARY = record(
    {},
    {
        "version": words(100),
        "git_sha": words(100),
        "complete": flag(),
        **dict.fromkeys(("n_samples_issued", "n_samples_completed", "n_samples_failed", "duration_ns"), _COUNT),
        **dict.fromkeys(("qps", "tps"), _NUMBER),
        **dict.fromkeys(("latency", "ttft", "tpot", "output_sequence_lengths"), _SERIES),
    },
)
_RUNTIME = record({}, {"min_duration_ms": _COUNT, **dict.fromkeys(SEEDS, whole(0, 2**64 - 1))})
_LOAD = record({}, {"type": words(40), "target_qps": _NUMBER, "target_concurrency": _COUNT})
_CONFIG = record(
    {},
    {
        "type": words(40),
        "model_params": record({}, {"name": words(400)}),
        "submission_ref": record({}, {"model": words(200)}),
        "settings": record({}, {"runtime": _RUNTIME, "load_pattern": _LOAD}),
    },
)
_SCORE = record(
    {},
    {"dataset_type": words(40), "score": anything(), "total_samples": _COUNT, "response_counts": record({}, {"issued": _COUNT})},
)
_ACCURACY = record({}, {"accuracy_scores": listing(_SCORE)})


@dataclass(frozen=True)
class EndpointResult:
    """What a result's three files say. What is absent in them, or does not fit, is absent here."""

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    accuracy: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The kind of run: 'offline' or 'online'; '' if the config has none."""
        return str(self.config.get("type", ""))

    @property
    def runtime(self) -> Mapping[str, Any]:
        """settings.runtime of the config."""
        found: Mapping[str, Any] = self.config.get("settings", {}).get("runtime", {})
        return found

    @property
    def load(self) -> Mapping[str, Any]:
        """settings.load_pattern of the config."""
        found: Mapping[str, Any] = self.config.get("settings", {}).get("load_pattern", {})
        return found

    @property
    def names(self) -> tuple[str, str]:
        """The benchmark that the config names as submitted, and the model's name at the server; '' for one that is absent."""
        reference, model = (self.config.get(part, {}) for part in ("submission_ref", "model_params"))
        return str(reference.get("model", "")), str(model.get("name", ""))

    @property
    def score(self) -> Any:
        """The first score, which is the one that the official checker reports; None without one."""
        return next((one["score"] for one in self.accuracy.get("accuracy_scores", []) if "score" in one), None)

    @property
    def scored_samples(self) -> int | None:
        """Samples of the accuracy data sets together, as the official checker counts them; None where nothing says."""
        counts = [
            one.get("total_samples", one.get("response_counts", {}).get("issued"))
            for one in self.accuracy.get("accuracy_scores", [])
            if one.get("dataset_type", "accuracy") == "accuracy"
        ]
        known = [int(count) for count in counts if count is not None]
        return sum(known) if known else None

    def tail(self, series: str, percentile: int) -> float | None:
        """The early-stopping estimate of a percentile in ns ('ttft', 'tpot', 'latency'); None where the run has too few samples."""
        found: Mapping[str, float] = self.summary.get(series, {}).get("early_stopping_percentiles", {})
        return found.get(f"{percentile}.0", found.get(str(percentile)))

    def needed(self, scenario: str) -> dict[str, float | None]:
        """What the official checker computes a scenario's result from, by the name in the summary; None for what is absent."""
        summary = self.summary
        if scenario == OFFLINE:
            return {name: summary.get(name) for name in ("n_samples_issued", "duration_ns")}
        if scenario == SINGLE:
            average = summary.get("latency", {}).get("avg")
            return {"latency.avg": average, "latency.early_stopping_percentiles.90": self.tail("latency", 90)}
        return {
            **{name: summary.get(name) for name in ("qps", "tps")},
            **{f"{name}.early_stopping_percentiles.99": self.tail(name, 99) for name in ("ttft", "tpot")},
        }

    def figure(self, scenario: str) -> tuple[float | None, str]:
        """The result as the official checker reports it, and its unit; None where the summary does not have it.

        It reports Server in tokens/s, and Interactive, for which it has no such entry in this form, in queries/s.
        """
        issued, duration = self.summary.get("n_samples_issued"), self.summary.get("duration_ns")
        if scenario == OFFLINE:
            return (issued / (duration / NS_PER_S) if issued and duration else None), SAMPLES_PER_S
        if scenario == SINGLE:
            estimate = self.tail("latency", 90)
            return (None if estimate is None else estimate / NS_PER_MS), MS
        return (self.summary.get("qps"), QUERIES_PER_S) if scenario == INTERACTIVE else (self.summary.get("tps"), TOKENS_PER_S)


def config_file(folder: Path) -> Path | None:
    """The config of a result; None without one."""
    return next((folder / name for name in CONFIGS if (folder / name).is_file()), None)


def is_endpoint(folder: Path) -> bool:
    """Whether a scenario's folder is such a result: no detail log of LoadGen, and a file of the client's."""
    logs = (folder / part / "mlperf_log_detail.txt" for part in ("performance/run_1", "accuracy"))
    return not any(log.is_file() for log in logs) and any((folder / name).is_file() for name in (*CONFIGS, SUMMARY, PUBLISHED))


def read(folder: Path) -> tuple[EndpointResult, list[tuple[Path, str]]]:
    """A result, and each file that is missing or cannot be read with the reason."""
    faults: list[tuple[Path, str]] = []
    config = config_file(folder) or folder / CONFIGS[0]
    parts = [
        _part(path, shape, faults)
        for path, shape in ((config, _CONFIG), (folder / SUMMARY, _SUMMARY), (folder / ACCURACY, _ACCURACY))
    ]
    return EndpointResult(*parts), faults


def _part(path: Path, shape: Shape, faults: list[tuple[Path, str]]) -> Mapping[str, Any]:
    try:
        content = jsonfile.read(path) if path.suffix == ".json" else _yaml(path)
    except FileNotFoundError:
        faults.append((path, "missing"))
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        faults.append((path, f"cannot be read: {str(error).splitlines()[0]}"))
        return {}
    notes: list[str] = []
    read: Mapping[str, Any] | None = shape.read(content, path.name, notes)
    if read is None:
        faults.append((path, f"cannot be read: {'; '.join(notes)}"))
    return read or {}


def _yaml(path: Path) -> Any:
    if path.stat().st_size > CONFIG_LIMIT:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, and at most {CONFIG_LIMIT:,} are read")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
