"""Sets limits for the time of a run and puts back what was there, also after the run was killed.

Before a limit changes, a journal says what it was. Whoever starts next finds a journal whose process has ended and puts the limits back.
Journals lie in a folder that a restart of the machine empties, as it resets the limits.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from code.common import console, jsonfile
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.common.files import shared_folder, write_json
from code.common.typed import listing, real, record, whole, words
from code.power.knob import Knob
from code.power.knobs import KNOBS

FOLDER_VARIABLE = "HARNESS_POWER_DIR"
FOLDER = "/tmp/mlperf-inference-power"  # nosec B108  # another account's files are not trusted
SETTLE_S = 2.0
"""In which a limit takes effect: clocks step down."""

JOURNAL = record(
    {
        "pid": whole(1, 2**31),
        "started": real(0, 1e12),
        "changes": listing(record({"knob": words(40), "item": words(200), "before": real(0, 1e9), "wanted": real(0, 1e9)})),
    }
)


@dataclass(frozen=True)
class Change:
    """A limit that a run changes.

    Args:
        knob: a name in KNOBS.
        item: of the knob, such as a GPU's UUID.
        wanted: in the knob's unit.
        before: what it was.
    """

    knob: str
    item: str
    wanted: float
    before: float = 0.0


@contextlib.contextmanager
def limited(wanted: Sequence[Change]) -> Iterator[None]:
    """Set limits for the block.

    Raises:
        UsageError: one is out of range.
        MissingError: the machine does not allow it. Nothing is changed then.
        RunError: a limit does not read back as it was set.
    """
    if not wanted:
        yield
        return
    changes = [_checked(change) for change in wanted]
    path = _folder() / f"{os.getpid()}.json"
    started = psutil.Process().create_time()
    write_json(path, {"pid": os.getpid(), "started": started, "changes": [asdict(change) for change in changes]})
    done: list[Change] = []
    try:
        for change in changes:
            done.append(change)
            _set(change)
        yield
    finally:
        restored = [_put_back(change) for change in reversed(done)]
        if all(restored):
            path.unlink(missing_ok=True)


def recover() -> list[str]:
    """Put back the limits of runs that ended without doing so; a line for each, also for those that could not be."""
    lines: list[str] = []
    for path, content in _orphans():
        changes = [Change(**{key: entry[key] for key in ("knob", "item", "wanted", "before")}) for entry in content["changes"]]
        restored = [_put_back(change, lines) for change in changes]
        if all(restored):
            path.unlink(missing_ok=True)
    return lines


def _checked(change: Change) -> Change:
    knob = KNOBS[change.knob]()
    limits = knob.limits(change.item)
    if not limits.least <= change.wanted <= limits.most:
        raise UsageError(
            f"{knob.what} {change.item} cannot be {change.wanted:,.0f} {knob.unit}",
            f"it takes {limits.words(knob.unit)}",
            "choose a value in this range",
        )
    return Change(change.knob, change.item, change.wanted, knob.read(change.item))


def _set(change: Change) -> None:
    knob = KNOBS[change.knob]()
    knob.write(change.item, change.wanted)
    end = time.monotonic() + SETTLE_S
    while not knob.holds(found := knob.seen(change.item), change.wanted) and time.monotonic() < end:
        time.sleep(0.05)
    if not knob.holds(found, change.wanted):
        raise RunError(
            f"{knob.what} {change.item} is {found:,.0f} {knob.unit}",
            f"it was set to {change.wanted:,.0f} {knob.unit}",
            f"see what else sets it, then try `{knob.command(change.item, change.wanted)}`",
        )


def _put_back(change: Change, lines: list[str] | None = None) -> bool:
    """Whether the limit is what it was, or is no longer ours to change. Says what it does."""
    knob: Knob = KNOBS[change.knob]()
    name = f"{knob.what} {change.item}"
    try:
        if not knob.holds(knob.seen(change.item), change.wanted):
            return True  # somebody else has set it since, or it was never changed
        knob.write(change.item, change.before)
    except HarnessError as error:
        text = f"{name} is still {change.wanted:,.0f} {knob.unit}: {error.why}; `{knob.command(change.item, change.before)}` puts it back"
        console.warn(text) if lines is None else lines.append(text)
        return False
    if lines is not None:
        now = f"{change.before:,.0f} {knob.unit}" if change.before else "the driver's choice"
        lines.append(f"{name} is {now} again: a run that was killed had left it at {change.wanted:,.0f} {knob.unit}")
    return True


def _orphans() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Journals of processes that have ended. A file of another user, other than root, is not trusted."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            owner = path.lstat().st_uid
        except OSError:
            continue
        if path.is_symlink() or owner not in (0, os.geteuid()) or not re.fullmatch(r"\d+", path.stem):
            continue
        content = JOURNAL.read(jsonfile.object_or_empty(path), path.name, [])
        if content and not _runs(content["pid"], content["started"]) and all(one["knob"] in KNOBS for one in content["changes"]):
            yield path, content


def _runs(pid: int, started: float) -> bool:
    try:
        return bool(abs(psutil.Process(pid).create_time() - started) < 1)
    except psutil.Error:
        return False


def _folder() -> Path:
    folder = Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)
    try:
        return shared_folder(folder)
    except OSError as error:
        raise MissingError(
            f"limits cannot be set: {folder} cannot be made",
            error.strerror or str(error),
            f"set {FOLDER_VARIABLE} to a folder of yours",
        ) from error
