"""What is killed: each phase of the work is one command, with what has to go before it is done anew."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.submission.made import SYSTEM_ID, description, write_run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Place:
    """A copy of the project and everything that its commands write.

    Args:
        root: the folder of it all.
        venv: the Python environment that commands use.
        url: of a file that a slow server on this machine sends.
    """

    root: Path
    venv: Path
    url: str = ""

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def build(self) -> Path:
        return self.project / "build"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def own_venv(self) -> Path:
        return self.root / "venv"


@dataclass(frozen=True)
class Phase:
    """One command.

    Args:
        words: of the command, in the copy of the project.
        anew: removes what the command makes, so that it does its work again.
        seconds: how long it takes, until it has been measured.
    """

    name: str
    words: Callable[[Place], list[str]]
    anew: Callable[[Place], None] = field(default=lambda place: None)
    seconds: float = 20.0


def made(name: str, *words: str) -> Callable[[Place], list[str]]:
    return lambda place: ["make", name, *words]


def gone(*names: str) -> Callable[[Place], None]:
    """Removes folders below the scratch path and the build folder."""

    def anew(place: Place) -> None:
        for name in names:
            shutil.rmtree(place.scratch / name, ignore_errors=True)
            with contextlib.suppress(OSError):
                (place.scratch / name).unlink()
            if not (place.build / name).is_symlink():
                shutil.rmtree(place.build / name, ignore_errors=True)

    return anew


BERT = "--benchmarks=bert --scenarios=offline --fast"
WHO = ("SUBMITTER=Example", "DIVISION=open", "CATEGORY=edge", "STATUS=available", "ROUND=v6.1")


def fetch(place: Place) -> list[str]:
    return [sys.executable, "-m", "tests.soak.download", place.url, str(place.scratch / "file.bin")]


def stage(place: Place) -> list[str]:
    return ["make", "stage_results", *WHO, f"RUN_ARGS=--log_dir={place.root / 'pair'}"]


PHASES = (
    Phase("download", fetch, gone("file.bin")),
    Phase("data", made("preprocess_data", "BENCHMARKS=bert"), gone("preprocessed_data", "data")),
    Phase("engine", made("generate_engines", f"RUN_ARGS={BERT} --force_build")),
    Phase("probe and run", made("run", f"RUN_ARGS={BERT} --probe=again"), seconds=60.0),
    Phase("run of all scenarios", made("run", "RUN_ARGS=--benchmarks=bert --scenarios=all --fast"), seconds=120.0),
    Phase("accuracy", made("run", f"RUN_ARGS={BERT} --test_mode=AccuracyOnly"), seconds=60.0),
    Phase("stage", stage, gone("submission")),
    Phase("truncate", made("truncate_results")),
    Phase("report", made("report"), gone("report")),
    Phase(
        "environment",
        lambda place: ["make", "venv", f"VENV={place.own_venv}"],
        lambda place: shutil.rmtree(place.own_venv, ignore_errors=True),
        120.0,
    ),
)


def prepare(place: Place) -> None:
    """Copy the project, and make the pair of runs that is staged."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place.project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place.project / name)
    harness = ROOT / "build" / "bin" / "harness"
    if harness.is_file():
        (place.build / "bin").mkdir(parents=True)
        shutil.copy2(harness, place.build / "bin" / "harness")
    place.scratch.mkdir()
    parent = place.root / "pair" / "2026.01.01-00.00.00" / SYSTEM_ID / "bert-99"
    write_run(parent / "Offline", "Offline", "PerformanceOnly")
    write_run(parent / "Offline.2", "Offline", "AccuracyOnly")
    (place.project / "systems").mkdir(exist_ok=True)
    (place.project / "systems" / f"{SYSTEM_ID}.json").write_text(json.dumps(description()))
