"""What the report shows of runs, audits and unfinished runs: pages, and lines of the index."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from code.common import jsonfile
from code.results import machine
from code.results.page.index import Entry
from code.results.page.write import RunPage
from code.rules.metrics import metric_with
from code.submission.audit import compliance
from code.submission.stage import runs
from code.submission.stage.runs import ACCURACY, AUDIT_FILE, Run


def page_of(one: Run) -> RunPage:
    """Collect the data for one run's page."""
    return RunPage(one.folder, one.metadata, one.spec, one.provenance, one.started)


def entry_of(one: Run, link: str = "") -> Entry:
    """The line of a run that has metadata.json."""
    page, missing = page_of(one), one.missing()
    metric = metric_with(one.scenario, one.metadata.get("scenario_key"))
    found = one.metadata.get(metric.key) if one.mode != ACCURACY else next((e["value"] for e in _scores(one)), None)
    number = float(found) if isinstance(found, (int, float)) else None
    return Entry(
        f"{one.benchmark} {one.scenario}",
        one.mode,
        page.value,
        number,
        "incomplete" if missing else page.word,
        one.system,
        str(one.metadata.get("precision") or one.engine_entry.get("precision") or ""),
        one.started,
        tuple(_marks(one)),
        str(one.provenance.get("commit") or ""),
        _runtime(one),
        link,
        "; ".join(missing),
        metric.key,
    )


def _scores(one: Run) -> list[dict[str, Any]]:
    return list(one.metadata.get("accuracy") or [])


def _runtime(one: Run) -> str:
    """'openvino 2026.4.0 driver 550.54'."""
    names = [key for key in one.metadata if key.endswith("_version") and key != "loadgen_version"]
    return " ".join(f"{key.removesuffix('_version')} {one.metadata[key]}" for key in sorted(names))


def _marks(one: Run) -> Iterable[str]:
    if one.unreal:
        yield "simulated" if one.simulated else "dry run"
    if one.tiny:
        yield "tiny"
    duration = one.metadata.get("effective_min_duration_ms")
    if isinstance(duration, (int, float)) and duration < 600_000:
        yield "short"
    state = machine.of_json(one.metadata["machine"]) if isinstance(one.metadata.get("machine"), dict) else None
    if state is not None and state.disturbed:
        yield "busy"
    if isinstance(one.metadata.get("power"), dict) and not one.unreal:
        yield "power"


def running() -> frozenset[Path]:
    """The log folders of the harness processes that this machine runs now: each has its run.json as its last argument."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[-1].endswith(f"/{runs.RUN_FILE}"):
            found.add(Path(words[-1]).parent)
    return frozenset(found)


def unfinished_entry(one: Run, going_on: frozenset[Path]) -> Entry:
    """The line of a run without metadata.json."""
    goes_on = one.folder in going_on
    word, why = ("running", "") if goes_on else ("incomplete", "it is being prepared, was interrupted, or failed")
    return Entry(f"{one.benchmark} {one.scenario}", one.mode, "", None, word, one.system, "", one.started, why=why)


def audits() -> list[Entry]:
    """The lines of the audit tests that were verified, passed or not."""
    found = []
    for path in compliance.compliance_dir().glob(f"*/*/*/*/{AUDIT_FILE}"):
        content = jsonfile.object_or_empty(path)
        system, benchmark, scenario, test = path.parts[-5:-1]
        word = "PASSED" if content.get("passed") is True else "FAILED" if content.get("passed") is False else "incomplete"
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(path.stat().st_mtime))
        found.append(Entry(f"{benchmark} {scenario}", test, "", None, word, system, "", started))
    return found


def others(root: Path) -> list[Entry]:
    """The lines of what has no page: unfinished runs and audits."""
    going_on = running()
    return [*(unfinished_entry(one, going_on) for one in runs.unfinished(root)), *audits()]


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The newest first."""
    return sorted(entries, key=lambda one: one.started, reverse=True)
