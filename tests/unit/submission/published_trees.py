"""Trees of one published result, as other tools write them, for the tests of make reproduce."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from code.results.loadgen_log import LoadGenLog, LogEntry
from code.submission.reproduce import config_files, published, recipe
from code.submission.reproduce.published import PublishedResult

SYSTEM = "H100_PCIe_80GBx1"
HEAD = "@ConfigRegistry.register(HarnessType.{}, AccuracyTarget.{}, PowerSetting.{})\n"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def publish(
    root: Path,
    benchmark: str = "bert-99",
    scenario: str = "Offline",
    system: str = SYSTEM,
    division: str = "closed",
    conf: str = "",
    measured: dict[str, Any] | None = None,
    **description: Any,
) -> PublishedResult:
    """A tree of one result without logs."""
    vendor = root / division / "Vendor"
    folder = vendor / "results" / system / benchmark / scenario
    (folder / "performance/run_1").mkdir(parents=True)
    measurements = vendor / "measurements" / system / benchmark / scenario
    put(measurements / f"{system}_{scenario}.json", json.dumps(measured or {}))
    put(vendor / "systems" / f"{system}.json", json.dumps(description))
    if conf:
        put(measurements / "user.conf", conf)
    [found] = published.find(folder)
    return found


def logged(result: PublishedResult, **values: Any) -> PublishedResult:
    """The result with a detail log of these entries."""
    entries = tuple(LogEntry(key, value, 0.0, False, False, "", 0, 0) for key, value in values.items())
    return replace(result, log=LoadGenLog(Path("mlperf_log_detail.txt"), entries))


def values(one: recipe.Recipe | config_files.FoundConfig) -> dict[str, Any]:
    return {name: value for name, (value, _) in one.values.items()}


def config(name: str, body: str, base: str = "Base", kind: str = "Custom", target: str = "k_99", power: str = "MaxP") -> str:
    return (
        HEAD.format(kind, target, power)
        + f"class {name}({base}):\n"
        + textwrap.indent(textwrap.dedent(body).strip(), "    ")
        + "\n\n"
    )


def classes(result: PublishedResult, *text: str, folder: str = "configs") -> config_files.FoundConfig | None:
    put(result.submitter / folder / "bert/Offline/__init__.py", "".join(text))
    return config_files.find(result, "bert", "k_99")
