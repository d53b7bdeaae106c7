"""The runs there are: every folder with a metadata.json below a log folder, complete or not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from code.common.paths import build_dir
from code.results import provenance
from code.rules.benchmarks import newest_with, result_named
from code.rules.rounds import ROUNDS, Round
from code.submission.stage import layout

METADATA = "metadata.json"
RUN_FILE = "run.json"
INCOMPLETE = "INCOMPLETE"
AUDIT_FILE = "audit.json"
PERFORMANCE: Final = "PerformanceOnly"
ACCURACY: Final = "AccuracyOnly"
_STARTED = re.compile(rb'"key": "test_datetime", "value": "([^"]+)"')
_HEAD_BYTES = 16384


@dataclass(frozen=True)
class Run:
    """One LoadGen test that the harness ran.

    Args:
        folder: where its logs lie.
        metadata: its metadata.json.
        started: LoadGen's start, '2025-11-22T02:00:00Z'; '' where the log does not say.
    """

    folder: Path
    metadata: Mapping[str, Any] = field(repr=False)
    started: str = ""

    @property
    def system(self) -> str:
        """The system's name in results: '<system_id>_<runtime>'."""
        return str(self.metadata["system_name"])

    @property
    def system_id(self) -> str:
        """The system's ID: the folder its logs are under."""
        return str(self.metadata.get("system_id") or self.folder.parents[1].name)

    @property
    def benchmark(self) -> str:
        """'bert-99'."""
        return str(self.metadata["benchmark_full"])

    @property
    def scenario(self) -> str:
        """'Offline'."""
        return str(self.metadata["scenario"])

    @property
    def mode(self) -> str:
        """'PerformanceOnly' or 'AccuracyOnly'."""
        return str(self.metadata["test_mode"])

    @property
    def tiny(self) -> bool:
        """Whether the model is the project's own small one."""
        return self.metadata.get("model_variant") == "tiny"

    @property
    def simulated(self) -> bool:
        """Whether its engine computed nothing."""
        return bool(self.metadata.get("simulated"))

    @property
    def open_only(self) -> str:
        """Why it can only go to open; '' where it need not."""
        return str(self.metadata.get("division_note") or ("open division only: the model is the tiny one" if self.tiny else ""))

    @property
    def key(self) -> tuple[str, str, str]:
        """(system, benchmark, scenario)."""
        return self.system, self.benchmark, self.scenario

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """Its run.json; {} where there is none."""
        return _json(self.folder / RUN_FILE)

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """Its provenance.json; {} where there is none."""
        return provenance.read(self.folder)

    @property
    def engine(self) -> str:
        """The name of its engine, which is an address of what made it; '' where the run does not say."""
        return Path(self.engine_entry.get("folder") or "").name

    @property
    def engine_entry(self) -> Mapping[str, Any]:
        """The first of its engines, which all have one backend and precision; {} where the run does not say."""
        return dict((self.spec.get("engines") or [{}])[0])

    @property
    def config(self) -> dict[str, Any]:
        """The settings that both runs of a pair must share: engine, batches, model and data."""
        spec = self.spec
        engine = {name: value for name, value in self.engine_entry.items() if name in ("backend", "precision")}
        data = spec.get("dataset", {})
        return {
            "engine": {**engine, "name": self.engine},
            "devices": {str(device.get("index")): device for device in spec.get("devices", [])},
            "batch": spec.get("batch", {}),
            "dataset": {name: data.get(name) for name in ("kind", "count", "folder")},
        }

    @property
    def wanted(self) -> tuple[str, ...]:
        """The files a complete run of its mode has."""
        return layout.ACCURACY_FILES if self.mode == ACCURACY else layout.PERFORMANCE_FILES

    def missing(self) -> list[str]:
        """What it lacks to be complete: [] for a complete run."""
        out = [f"{INCOMPLETE} marker: the run has not ended, or ended badly"] if (self.folder / INCOMPLETE).exists() else []
        return out + [f"no {name}" for name in self.wanted if not (self.folder / name).is_file()]

    @property
    def complete(self) -> bool:
        """Whether it counts."""
        return not self.missing()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def log_folder(given: str | None) -> Path:
    """The folder that results are searched in: --log_dir, else $LOG_DIR, else build/logs."""
    named = given or os.environ.get("LOG_DIR", "")
    return Path(named).absolute() if named else build_dir() / "logs"


def read_run(folder: Path) -> Run | None:
    """The run in a folder; None where it holds none (no metadata.json, or one of another kind, or an audit's)."""
    content = _json(folder / METADATA)
    if not {"system_name", "benchmark_full", "scenario", "test_mode"} <= set(content) or (folder / AUDIT_FILE).exists():
        return None
    return Run(folder, content, started(folder))


def started(folder: Path) -> str:
    try:
        with (folder / "mlperf_log_detail.txt").open("rb") as source:
            found = _STARTED.search(source.read(_HEAD_BYTES))
    except OSError:
        return ""
    return found.group(1).decode() if found else ""


def find_runs(root: Path) -> list[Run]:
    """Every run below `root`, newest first."""
    folders = [Path(path) for path, _, files in os.walk(root) if METADATA in files]
    runs = [run for run in map(read_run, folders) if run is not None]
    return sorted(runs, key=lambda run: (run.started, str(run.folder)), reverse=True)


def for_round(runs: Iterable[Run], round_: Round | None) -> list[Run]:
    """The same runs, those that were made with the round's seeds first; the order is otherwise kept.

    Args:
        round_: None for each benchmark's newest round.
    """
    return sorted(runs, key=lambda run: not _has_seeds(run, round_))


def _has_seeds(run: Run, round_: Round | None) -> bool:
    result = result_named(run.benchmark)
    wanted = round_ or (newest_with(result.name) if result else None)
    return wanted is not None and run.spec.get("seeds") == dict(wanted.seeds)


def other_round(run: Run, round_: Round) -> str:
    """The round whose seeds a run has, where that is not `round_`; '' for its own seeds, and for seeds of no round."""
    found = (one.name for one in ROUNDS.values() if dict(one.seeds) == run.spec.get("seeds"))
    return next((name for name in found if name != round_.name), "")


def newest(runs: Iterable[Run], key: tuple[str, str, str], mode: str) -> Run | None:
    """The first complete run of a workload in a mode: of runs as `find_runs` gives them, the newest."""
    return next((run for run in runs if run.key == key and run.mode == mode and run.complete), None)
