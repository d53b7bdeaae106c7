"""Contents of a power measurement: what the official power_checker.py compares in the two session files, the logs and the samples.

Left to that script: the digests of the power tools' sources, and its lists of analyzers and PTDaemon versions, which change each round.
Source: tools/submission/power/power_checker.py of https://github.com/mlcommons/inference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.results.power_log import SAMPLES_LOG, TIME_STAMP, PowerError, moment, watts, window
from code.submission.stage import layout

FIELDS = ("version", "timezone", "modules", "sources", "messages", "uuid", "session_name", "results", "phases")
"""Fields of client.json and server.json."""
CLOCKS_S = 0.8
"""Most that the clocks of client and server may differ."""
LEAST_SHARE = 0.95
"""Average power of the test, at least, as a share of the ranging run's."""
DST_S = 3600
"""LoadGen's clock may be an hour ahead, where daylight saving was not taken into account."""
MARGIN_S = 800
"""Part of the test at its begin and its end in which the script overlooks an uncertain sample (it adds milliseconds to seconds)."""
_UNCERTAINTY = re.compile(r"Uncertainty checking for Yokogawa\S+ is activated")
_TOO_UNCERTAIN = re.compile(r"WARNING:.*Uncertainty \d+.\d+%, which is above 1.00% limit for the last sample!")
STAND_IN = "stand-in"
"""In the name that the analyser of a dry run gives itself (code/power/stand_in/meter.py)."""
RUNS = {"ranging": "ranging", "run_1": "testing"}
"""Folder → the phase's name in the session files."""
DIGESTED = (
    *(f"power/{name}" for name in layout.POWER_FILES if not name.endswith(".json")),
    *(f"{folder}/{name}" for folder in RUNS for name in (*layout.PERFORMANCE_FILES, SAMPLES_LOG)),
)


@dataclass(frozen=True)
class Session:
    """The measurement of one result.

    Args:
        folder: its performance folder, which holds power/, ranging/ and run_1/.
        client, server: the session files.
    """

    folder: Path
    client: Mapping[str, Any]
    server: Mapping[str, Any]

    def both(self, *path: str) -> tuple[Any, Any]:
        """A value of each session file. PowerError if one lacks it."""
        return _at(self.client, "client.json", path), _at(self.server, "server.json", path)


def _at(content: Any, name: str, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            raise PowerError(f"{name} has no {'.'.join(path)}")
        content = content[key]
    return content


def read(folder: Path) -> Session:
    """The session of a performance folder. PowerError if a session file cannot be used."""
    return Session(folder, *(_session(folder / "power" / name) for name in ("client.json", "server.json")))


def _session(path: Path) -> Mapping[str, Any]:
    try:
        content = jsonfile.read(path)
    except (OSError, ValueError) as error:
        raise PowerError(f"{path.name} cannot be read: {error}") from error
    absent = [name for name in FIELDS if not isinstance(content, Mapping) or name not in content]
    if absent:
        raise PowerError(f"{path.name} has no {', '.join(absent)}")
    return dict(content)


def problems(session: Session) -> Iterator[tuple[str, str]]:
    """(file, what is wrong) of every comparison that fails."""
    for name, check in CHECKS.items():
        try:
            for what in check(session):
                yield name, what
        except PowerError as error:
            yield name, str(error)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            yield name, f"not as the power tools write it: {type(error).__name__}: {error}"


def _identity(session: Session) -> Iterator[str]:
    for path in (("uuid", "client"), ("uuid", "server"), ("session_name",)):
        ours, theirs = session.both(*path)
        if str(ours).lower() != str(theirs).lower():
            yield f"{'.'.join(path)} is {theirs}, but {ours} in client.json"
    if session.server.get("debug", False) is not False:
        yield "the server ran in debug mode"
    if STAND_IN in str(session.server.get("ptd_messages", "")):
        yield "a stand-in for the analyser took the samples: `make power_dry_run` measures nothing"


def _messages(session: Session) -> Iterator[str]:
    ours, theirs = session.both("messages")
    if len(ours) != len(theirs):
        yield f"{len(theirs)} messages, but {len(ours)} in client.json"
        return
    for number, (sent, got) in enumerate(zip(ours, theirs, strict=True)):
        if sent["cmd"] != got["cmd"] or (sent["cmd"] != "time" and sent["reply"] != got["reply"]):
            yield f"message {number} is {got['cmd']!r}, {got['reply']!r}, but {sent['cmd']!r}, {sent['reply']!r} in client.json"


def _digests(session: Session) -> Iterator[str]:
    ours, theirs = session.both("results")
    recorded = {**ours, **theirs}
    for name in DIGESTED:
        path = session.folder / name
        noted = {digest for digest in (ours.get(name), theirs.get(name)) if digest}
        if name not in recorded:
            yield f"{name} is not in the results of the session files"
        elif len(noted) > 1:
            yield f"the session files have different digests of {name}"
        elif path.is_file() and hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest() not in noted:
            yield f"{name} is not the file of the measurement: its digest differs"


def _phases(session: Session) -> Iterator[str]:
    for folder, phase in RUNS.items():
        ours, theirs = session.both("phases", phase)
        if len(ours) != len(theirs):
            yield f"{phase} has {len(theirs)} phases, but {len(ours)} in client.json"
            continue
        apart = max(abs(a[0] - b[0]) for a, b in zip(ours, theirs, strict=True))
        if apart > CLOCKS_S:
            yield f"the clocks of client and server are {apart:.2f} s apart during {phase}; {CLOCKS_S} s are allowed"
        first, last = ours[1][0], ours[2][0]
        for name, when in zip(("begins", "ends"), window(session.folder / folder), strict=True):
            at = when.timestamp()
            if not (first < at < last or first < at - DST_S < last):
                yield f"LoadGen's test {name} outside the {phase} phase: see power_begin and power_end in {folder}"


def _samples(session: Session) -> Iterator[str]:
    averages = {}
    for folder in RUNS:
        found = watts(session.folder / folder)
        if not found:
            yield f"{folder}/{SAMPLES_LOG} has no sample between power_begin and power_end of {folder}"
        else:
            averages[folder] = sum(found) / len(found)
    if len(averages) == len(RUNS) and averages["run_1"] <= LEAST_SHARE * averages["ranging"]:
        yield (
            f"the test drew {averages['run_1']:.5g} W on average, the ranging run {averages['ranging']:.5g} W; "
            f"less than {LEAST_SHARE:.0%} of it is not accepted"
        )


def _analyzer(session: Session) -> Iterator[str]:
    """ptd_logs.txt: the uncertainty is checked from before the ranging run on, errors occur only during it."""
    mark = f": Go with mark '{session.both('session_name')[1]}_ranging'"
    text = (session.folder / "power" / "ptd_logs.txt").read_text(encoding="utf-8-sig", errors="replace").splitlines()
    lines = [(found.group(), line) for line in text if (found := TIME_STAMP.match(line))]
    start = next((stamp for stamp, line in lines if line[len(stamp) :].strip() == mark), None)
    if start is None:
        yield "the ranging run is not in it"
        return
    stop = next((s for s, line in lines if moment(s) >= moment(start) and line[len(s) :].strip() == ": Completed test"), None)
    if stop is None:
        yield "the end of the ranging run is not in it"
        return
    checked = next((stamp for stamp, line in lines if _UNCERTAINTY.search(line)), None)
    if checked is None or not moment(checked) < moment(start):
        yield "the uncertainty check was not active before the ranging run"
    yield from _analyzer_errors(lines, (moment(start), moment(stop)), window(session.folder / "run_1"))


def _analyzer_errors(
    lines: list[tuple[str, str]], ranging: tuple[datetime, datetime], test: tuple[datetime, datetime]
) -> Iterator[str]:
    """Errors outside the ranging run, and readings too uncertain during the test.

    Args:
        lines: of ptd_logs.txt, each with its time stamp.
        ranging, test: begin and end of each.
    """
    begin, end = (when.timestamp() for when in test)
    for stamp, line in lines:
        during_ranging = ranging[0] < moment(stamp) < ranging[1]
        if "ERROR:" in line and line.partition("ERROR:")[2].strip() != "USB." and not during_ranging:
            yield f"outside the ranging run: {line}"
        if _TOO_UNCERTAIN.search(line) and begin + MARGIN_S < moment(stamp).timestamp() < end - MARGIN_S:
            yield f"during the test: {line}"


CHECKS: Mapping[str, Callable[[Session], Iterator[str]]] = {
    "power/server.json": _identity,
    "power/server.json messages": _messages,
    "power/server.json results": _digests,
    "power/server.json phases": _phases,
    "run_1/spl.txt": _samples,
    "power/ptd_logs.txt": _analyzer,
}
"""File (and part of it) → the comparisons that concern it."""
