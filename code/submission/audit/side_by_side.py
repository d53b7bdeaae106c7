"""Columns of the page that puts runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from code.common.errors import UsageError
from code.results.page.compare import Column
from code.submission.audit import comparison
from code.submission.pages import page_of
from code.submission.stage import runs
from code.submission.stage.runs import Run


def columns(folders: Sequence[str]) -> list[Column]:
    """The column of each run folder. UsageError for fewer than two, and for a folder that holds no run."""
    if len(folders) < 2:
        raise UsageError(
            "two or more runs are compared", f"--compare names {len(folders)}", "list their folders with `make list_results`"
        )
    return [_column(_run(Path(name).absolute())) for name in folders]


def _run(folder: Path) -> Run:
    found = runs.read_run(folder)
    if found is None:
        raise UsageError(f"{folder} is not a run folder", f"it has no {runs.METADATA} of a run", "see `make list_results`")
    return found


def _column(run: Run) -> Column:
    side, page = comparison.of_run(run), page_of(run)
    per = side.per_accelerator
    results: dict[str, Any] = {
        "result": page.value,
        "per device": None if per is None or not side.higher_is_better else f"{per:,.6g} {side.unit}",
        "verdict": page.word,
        **{name: f"{value:.6g}" for name, value in side.accuracy.items()},
    }
    power = run.metadata.get("power") or {}
    results |= {
        name: power.get(key) for name, key in (("watts", "watts"), ("samples per joule", "samples_per_joule")) if key in power
    }
    telemetry = run.metadata.get("telemetry") or {}
    for name, key in (("disturbed by", "verdict"), ("energy (J)", "energy_j"), ("energy of a sample (J)", "energy_per_sample_j")):
        if key in telemetry:
            results[name] = telemetry[key]
    machine = {
        "system": run.system,
        "detected": run.metadata.get("detected_summary") or run.metadata.get("detected_system"),
        "devices": side.accelerators,
        **side.facts,
    }
    title = f"{run.benchmark} {run.scenario} {run.started}"
    link = page.file_name if run.complete else ""
    return Column(title, side.value, side.unit, results, machine, side.config, link)
