"""Reader of LoadGen's accuracy log, for any benchmark.

mlperf_log_accuracy.json is a JSON list, one response per line: {"seq_id", "qsl_idx", "data"}, where `data` is the response's bytes in
hex. A full run's log can have gigabytes, so it is read line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from code.common import jsonfile
from code.common.errors import MissingError, RunError
from code.common.files import require_regular

LOG_NAME = "mlperf_log_accuracy.json"
AGAIN = "run `make run_harness` with --test_mode=AccuracyOnly again"
_NAMED = 5


def entries(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number, sample index, response) of every entry. MissingError without the log, RunError if damaged or incomplete."""
    for number, entry in records(path):
        try:
            yield number, index_of(entry), bytes.fromhex(entry["data"])
        except (ValueError, TypeError) as error:
            raise _no_response(path, number, error) from error


def index_of(entry: dict[str, Any]) -> int:
    """The sample index of an entry. TypeError for anything but a whole number."""
    index = entry["qsl_idx"]
    if isinstance(index, bool) or not isinstance(index, int):
        raise TypeError(f"qsl_idx is {str(index)[:40]!r}, not a whole number")
    return index


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, entry as LoadGen wrote it, at least `qsl_idx` and `data`) of every entry; errors as for `entries`."""
    closed = False
    with opened(path) as source:
        for number, raw in enumerate(source, 1):
            text = raw.decode("ascii", "replace").strip()
            if number == 1 and text.startswith("["):
                text = text[1:].strip()
            elif number == 1:
                raise bad_line(path, number, "this is not an accuracy log", "it does not start with '['")
            if text.endswith("]"):
                closed, text = True, text[:-1].strip()
            if text:
                yield from _of_line(path, number, text)
    require_closed(path, closed)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The opened log. MissingError if it does not exist or cannot be read."""
    try:
        with require_regular(path).open("rb") as source:
            yield source
    except FileNotFoundError as error:
        raise MissingError(f"no accuracy log at {path}", "the run did not write one", AGAIN) from error
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), AGAIN) from error


def require_closed(path: Path, closed: bool) -> None:
    """RunError if the list is not closed: the run was interrupted."""
    if not closed:
        raise RunError(f"{path} is incomplete", "its last line does not close the list with ']'", AGAIN)


def _of_line(path: Path, number: int, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of one line: LoadGen writes one per line, other writers may write all on one."""
    try:
        found = jsonfile.parse(f"[{text.strip(',')}]")
    except ValueError as error:
        raise _no_response(path, number, error) from error
    for entry in found:
        if not isinstance(entry, dict) or not {"qsl_idx", "data"} <= set(entry):
            raise bad_line(path, number, "the line is not a response", "it has no qsl_idx or no data")
        try:
            index_of(entry)
        except TypeError as error:
            raise _no_response(path, number, error) from error
        yield number, entry


def _no_response(path: Path, number: int, error: Exception) -> RunError:
    return bad_line(path, number, "the line is not a response", f"{type(error).__name__}: {error}")


def incomplete(path: Path, absent: Sequence[int], count: int) -> RunError:
    """The error for a log without the samples `absent` of the `count` there are."""
    names = ", ".join(map(str, absent[:_NAMED])) + (", …" if len(absent) > _NAMED else "")
    return RunError(
        f"{path} lacks {len(absent):,} of {count:,} samples: {names}",
        "the run ended early, or it was not an accuracy run over the whole data set",
        AGAIN,
    )


def bad_line(path: Path, line: int, what: str, why: str) -> RunError:
    """The RunError for an invalid line."""
    return RunError(what, why, AGAIN, where=f"{path}:{line}")
