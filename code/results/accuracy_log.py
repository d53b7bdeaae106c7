"""LoadGen's accuracy log, whatever the benchmark.

mlperf_log_accuracy.json is a JSON list with one response a line: {"seq_id", "qsl_idx", "data"}, where `data` is the response's bytes in
hex. That of a whole run may have hundreds of megabytes, so it is read line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from code.common.errors import MissingError, RunError

LOG_NAME = "mlperf_log_accuracy.json"
AGAIN = "run `make run_harness` with --test_mode=AccuracyOnly again"


def entries(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number, sample index, response) of every entry. MissingError without the log, RunError where it is no whole one."""
    try:
        with path.open(encoding="ascii", errors="replace") as source:
            closed = False
            for number, line in enumerate(source, 1):
                text = line.strip()
                if number == 1 and text.startswith("["):
                    text = text[1:].strip()
                elif number == 1:
                    raise bad_line(path, number, "this is not an accuracy log", "it does not begin with '['")
                if text.endswith("]"):
                    closed, text = True, text[:-1].strip()
                if text:
                    yield from _of_line(path, number, text)
    except FileNotFoundError as error:
        raise MissingError(f"there is no accuracy log {path}", "the run left none", AGAIN) from error
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), AGAIN) from error
    if not closed:
        raise RunError(f"{path} is cut off", "its last line does not close the list with ']'", AGAIN)


def _of_line(path: Path, number: int, text: str) -> Iterator[tuple[int, int, bytes]]:
    """The entries of one line: LoadGen writes one a line, other writers may put all into one."""
    try:
        for entry in json.loads(f"[{text.strip(',')}]"):
            yield number, int(entry["qsl_idx"]), bytes.fromhex(entry["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise bad_line(path, number, "the line is not a response", f"{type(error).__name__}: {error}") from error


def bad_line(path: Path, line: int, what: str, why: str) -> RunError:
    """The error for a line of an accuracy log."""
    return RunError(what, why, AGAIN, where=f"{path}:{line}")
