"""Find runs: every folder with a metadata.json below a log folder, complete or not."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from code.common import jsonfile
from code.common.files import require_regular
from code.common.paths import build_dir, variable
from code.common.typed import Shape
from code.results import provenance
from code.rules.benchmarks import newest_with, result_named
from code.rules.rounds import ROUNDS, Round
from code.submission.stage import layout, run_types

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
    """A LoadGen test that the harness ran.

    Args:
        folder: the folder of its logs.
        metadata: its metadata.json.
        started: LoadGen's start, '2025-11-22T02:00:00Z'; '' if the log does not contain it.
        misfits: what in its metadata.json cannot be right and was left out.
    """

    folder: Path
    metadata: Mapping[str, Any] = field(repr=False)
    started: str = ""
    misfits: tuple[str, ...] = ()

    @property
    def system(self) -> str:
        """The system's name in results: '<system_id>_<runtime>'."""
        return str(self.metadata["system_name"])

    @property
    def system_id(self) -> str:
        """The system's ID, which names the folder of its logs."""
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
        """Whether the model is the project's tiny one."""
        return self.metadata.get("model_variant") == "tiny"

    @property
    def simulated(self) -> bool:
        """Whether its engine was simulated."""
        return bool(self.metadata.get("simulated"))

    @property
    def unreal(self) -> str:
        """Why it is not a result at all: 'simulated runs', 'dry runs, whose power is made up,'; '' for a real one."""
        if self.simulated:
            return "simulated runs"
        made_up = bool((self.metadata.get("power") or {}).get("dry_run"))
        return "dry runs, whose power is made up," if made_up else ""

    @property
    def open_only(self) -> str:
        """Why it is restricted to the open division; '' if it is not."""
        return str(self.metadata.get("division_note") or ("open division only: the model is the tiny one" if self.tiny else ""))

    @property
    def key(self) -> tuple[str, str, str]:
        """(system, benchmark, scenario)."""
        return self.system, self.benchmark, self.scenario

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """The content of its run.json; {} if missing."""
        return _shaped(run_types.SPEC, jsonfile.object_or_empty(self.folder / RUN_FILE))

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """The content of its provenance.json; {} if missing."""
        return _shaped(run_types.PROVENANCE, provenance.read(self.folder))

    @property
    def engine(self) -> str:
        """The name of its engine, derived from a digest of the engine's inputs; '' if not recorded."""
        return Path(self.engine_entry.get("folder") or "").name

    @property
    def engine_entry(self) -> Mapping[str, Any]:
        """run.json's entry of its first engine (all share backend and precision); {} if not recorded."""
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
        """Files that a complete run in its mode has."""
        return layout.ACCURACY_FILES if self.mode == ACCURACY else layout.PERFORMANCE_FILES

    def missing(self) -> list[str]:
        """What is missing for it to be complete; [] for a complete run."""
        if (self.folder / INCOMPLETE).exists() and not (self.folder / METADATA).exists():
            return [f"{INCOMPLETE} marker: the run has not finished, or failed"]
        out = [f"{INCOMPLETE} marker: the run has not finished, or failed"] if (self.folder / INCOMPLETE).exists() else []
        out += [f"{METADATA} is damaged: {misfit}" for misfit in self.misfits]
        return out + [f"no {name}" for name in self.wanted if not (self.folder / name).is_file()]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing()


def _shaped(shape: Shape, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content in its shape; what does not fit is left out."""
    return shape.read(content, "", []) or {}


def log_folder(given: str | None) -> Path:
    """The folder searched for runs: --log_dir, else $LOG_DIR, else build/logs."""
    named = given or variable("LOG_DIR")
    return Path(named).absolute() if named else build_dir() / "logs"


def read_run(folder: Path) -> Run | None:
    """The run in a folder; None if it has no metadata.json of a run, or holds an audit."""
    found = _read_run(folder)
    return found if isinstance(found, Run) else None


def _read_run(folder: Path) -> Run | str | None:
    """The run in a folder, or why its metadata.json cannot be read; None if it is not the folder of a run."""
    if (folder / AUDIT_FILE).exists():
        return None
    try:
        content = jsonfile.read_object(folder / METADATA)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    if not {"system_name", "benchmark_full", "scenario", "test_mode"} & set(content):
        return None
    notes: list[str] = []
    metadata = run_types.METADATA.read(content, METADATA, notes)
    return "; ".join(notes) if metadata is None else Run(folder, metadata, started(folder), tuple(notes))


def started(folder: Path) -> str:
    try:
        with require_regular(folder / "mlperf_log_detail.txt").open("rb") as source:
            found = _STARTED.search(source.read(_HEAD_BYTES))
    except OSError:
        return ""
    return found.group(1).decode("ascii", "replace") if found else ""


def find_runs(root: Path) -> list[Run]:
    """Every run below `root`, newest first."""
    return scan(root)[0]


def scan(root: Path) -> tuple[list[Run], list[tuple[Path, str]]]:
    """Every run below `root`, newest first, and the folders whose metadata.json is damaged, with the reason."""
    folders = [Path(path) for path, _, files in os.walk(root) if METADATA in files]
    read = [(folder, _read_run(folder)) for folder in folders]
    runs = [run for _, run in read if isinstance(run, Run)]
    damaged = sorted((folder, reason) for folder, reason in read if isinstance(reason, str))
    return newest_first(runs), damaged


def unfinished(root: Path) -> list[Run]:
    """Runs below `root` that have logs and no metadata.json yet, newest first: they go on, were interrupted, or failed."""
    found = []
    for path, _, files in os.walk(root):
        if INCOMPLETE not in files or METADATA in files:
            continue
        folder = Path(path)
        try:
            marked = (folder / INCOMPLETE).stat().st_mtime
        except FileNotFoundError:  # it is finished meanwhile
            continue
        asked = str(provenance.read(folder).get("mode"))
        system_id, benchmark, scenario = (*("-", "-", "-"), *folder.parts)[-3:]
        known = {
            "system_name": system_id,
            "system_id": system_id,
            "benchmark_full": benchmark,
            "scenario": scenario.split(".")[0],
        }
        mode = asked if asked in (PERFORMANCE, ACCURACY) else "-"
        begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(marked))
        found.append(Run(folder, {**known, "test_mode": mode}, started(folder) or begun))
    return newest_first(found)


def newest_first(found: Iterable[Run]) -> list[Run]:
    """Runs by the time of their start."""
    return sorted(found, key=lambda run: (run.started, str(run.folder)), reverse=True)


def for_round(runs: Iterable[Run], round_: Round | None) -> list[Run]:
    """The runs, stably sorted: those with the round's seeds first.

    Args:
        round_: None for each benchmark's newest round.
    """
    return sorted(runs, key=lambda run: not _has_seeds(run, round_))


def _has_seeds(run: Run, round_: Round | None) -> bool:
    result = result_named(run.benchmark)
    wanted = round_ or (newest_with(result.name) if result else None)
    return wanted is not None and run.spec.get("seeds") == dict(wanted.seeds)


def other_round(run: Run, round_: Round) -> str:
    """The round whose seeds a run has, if it is not `round_`; '' for the seeds of `round_` or of no round."""
    found = (one.name for one in ROUNDS.values() if dict(one.seeds) == run.spec.get("seeds"))
    return next((name for name in found if name != round_.name), "")


def newest(runs: Iterable[Run], key: tuple[str, str, str], mode: str) -> Run | None:
    """The first complete run of a workload in a mode; the newest, if `runs` is ordered as by `find_runs`."""
    return next((run for run in runs if run.key == key and run.mode == mode and run.complete), None)
