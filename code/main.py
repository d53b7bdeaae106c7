"""The command line: `python3 -m code.main --action=… [options]`; `make` passes RUN_ARGS through unread.

Request → plan → action → report. Actions raise; only this module prints errors and sets the exit status.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType

from code import actions
from code.actions import Context
from code.common import console
from code.common.errors import HarnessError, UsageError
from code.plan.request import parse

INTERRUPTED_STATUS = 130


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status (documentation/commands.md)."""
    try:
        arguments = expanded(arguments)
        sys.argv[1:] = arguments  # recorded in provenance.json as the command
        if any(word in ("-h", "--help") for word in arguments):
            from code.plan.option_pages import usage

            console.say(usage(actions.names()))
            return 0
        request = parse(arguments)
        for warning in request.warnings:
            console.warn(warning)
        return actions.load(request["action"]).perform(Context(request))
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    except KeyboardInterrupt:
        console.fail(["interrupted"])
        return INTERRUPTED_STATUS
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED_STATUS
    except Exception as error:
        if sys.gettrace() is not None or "--verbose" in arguments:
            raise
        return _internal(error)


def expanded(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """The arguments with `@NAME` replaced by the content of that environment variable, split as in a shell.

    UsageError if the variable's quotes do not match.
    """
    out: list[str] = []
    for word in arguments:
        if not word.startswith("@"):
            out.append(word)
            continue
        text = environment.get(word[1:], "")
        try:
            out += shlex.split(text)
        except ValueError as error:
            raise UsageError(f"{word[1:]} cannot be read: {text}", str(error), "close the quote", word[1:]) from error
    return out


def _internal(error: Exception) -> int:
    """Report an unexpected exception as a bug in the harness, with its place."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    found = HarnessError(
        f"internal error: {type(error).__name__}: {error}",
        f"this is a bug in the harness, at {frame.filename}:{frame.lineno}",
        "run the same command with --verbose for the full traceback, and report it",
    )
    console.fail(found.lines())
    return found.exit_status


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main(sys.argv[1:]))
