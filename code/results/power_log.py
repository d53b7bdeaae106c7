"""The samples that an analyser took during a LoadGen test (spl.txt), and the figures that power results have.

Formulas: tools/submission/power of https://github.com/mlcommons/inference, and compliance/check.py of power-dev.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.results.loadgen_log import LoadGenLog

SAMPLES_LOG = "spl.txt"
SESSION = "power_session.json"
"""The harness's own record of a measurement, beside the logs."""
TIME = "%m-%d-%Y %H:%M:%S.%f"
TIME_STAMP = re.compile(r"\d+-\d+-\d+ \d+:\d+:\d+\.\d+")
_WATTS, _STAMP = 3, 1
"""Columns of spl.txt, after splitting at commas."""
STREAMS = ("SingleStream", "MultiStream")
"""Scenarios whose power figure is the energy of a query; others have average power."""


class PowerError(ValueError):
    """The files do not have what is read from them."""


def window(folder: Path) -> tuple[datetime, datetime]:
    """Begin and end of a LoadGen test, in UTC, as the first `power_begin` and `power_end` of its detail log have them."""
    found: dict[str, datetime] = {}
    with (folder / "mlperf_log_detail.txt").open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            for key in ("power_begin", "power_end"):
                stamp = TIME_STAMP.search(line) if key not in found and key in line.lower() else None
                if stamp:
                    found[key] = moment(stamp.group())
    for key in ("power_begin", "power_end"):
        if key not in found:
            raise PowerError(f"the detail log in {folder.name} has no {key}")
    return found["power_begin"], found["power_end"]


def moment(text: str) -> datetime:
    """A time stamp of these logs, which are in UTC."""
    return datetime.strptime(text, TIME).replace(tzinfo=timezone.utc)


def watts(folder: Path) -> list[float]:
    """The power samples of a test in W: those above zero between its begin and its end."""
    begin, end = window(folder)
    out = []
    with (folder / SAMPLES_LOG).open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            cells = line.split(",")
            if line.startswith("Time") and begin < moment(cells[_STAMP]) < end and float(cells[_WATTS]) > 0:
                out.append(float(cells[_WATTS]))
    return out


def described(folder: Path, log: LoadGenLog, samples: int | None) -> dict[str, Any] | None:
    """metadata.json's `power` of the run in `folder`: watts, samples per joule, mJ per query, and how it was measured.

    Args:
        samples: completed during the test; None where unknown.

    None where its power was not measured. PowerError where the analyser's log has no sample of the test.
    """
    if not (folder / SAMPLES_LOG).is_file():
        return None
    found, (begin, end) = watts(folder), window(folder)
    if not found:
        raise PowerError(f"{SAMPLES_LOG} has no sample between power_begin and power_end")
    average, seconds = sum(found) / len(found), (end - begin).total_seconds()
    content: dict[str, Any] = {
        **jsonfile.object_or_empty(folder / SESSION),
        "watts": round(average, 6),
        "joules": round(average * seconds, 6),
        "samples": len(found),
        "method": "an analyser between supply and system, through power-dev",
    }
    if samples and seconds > 0:
        content["samples_per_joule"] = float(f"{samples / (average * seconds):.6g}")
    if log.query_count and log.scenario in STREAMS:
        content["millijoules_per_query"] = float(f"{average * seconds * 1000 / log.query_count:.6g}")
    ranging = folder / "ranging"
    if (ranging / SAMPLES_LOG).is_file() and (drawn := watts(ranging)):
        content["ranging_watts"] = round(sum(drawn) / len(drawn), 6)
    return content
