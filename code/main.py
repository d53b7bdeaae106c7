"""The command line: `python3 -m code.main --action=… [options]`; `make` passes RUN_ARGS through unread.

Request → plan → action → report. Actions raise; only this module prints errors and decides the exit status.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType, ModuleType

from code import actions
from code.actions import Context
from code.common import console
from code.common.errors import HarnessError
from code.plan.request import Request, parse
from code.results.report import Outcome, ReportRow, error_row, print_report

INVALID_STATUS = 5
INTERRUPTED_STATUS = 130
REPORTING = ("run", "run_harness")


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit status (documentation/commands.md)."""
    try:
        if any(word in ("-h", "--help") for word in arguments):
            from code.fields.page import usage

            console.say(usage())
            return 0
        request = parse(arguments)
        for warning in request.warnings:
            console.warn(warning)
        action = actions.load(request["action"])
        context = Context(request)
        if action.SCOPE == "request":
            return int(action.run(context))
        if request["dry_run"]:
            action = actions.load("dry_run")
        return _each_workload(action, context, request)
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


def _each_workload(action: ModuleType, context: Context, request: Request) -> int:
    """Run the action for every workload; one that fails does not stop the rest. The status is the first failure's."""
    from code.plan.workload import build

    workloads, unplanned = build(request)
    status = 0
    rows: list[ReportRow] = []
    for missed in unplanned:
        name, scenario = missed.label.rsplit(" ", 1)
        console.fail(missed.error.lines())
        rows.append(error_row(name, scenario, request["action"], missed.error))
        status = status or missed.error.exit_status
    for workload in workloads:
        for note in workload.notes:
            if context.once(note):
                console.warn(note)
        try:
            rows.extend(action.run(workload, context) or [])
        except HarnessError as error:
            console.fail(error.lines())
            rows.append(error_row(workload.full_name, str(workload.scenario), request["action"], error))
            status = status or error.exit_status
            if error.exit_status == INTERRUPTED_STATUS:
                break
    if request["action"] in REPORTING and not request["dry_run"] and rows and not (len(rows) == 1 and rows[0].error):
        print_report(rows)
    if not status and request["strict"] and any(row.outcome in (Outcome.INVALID, Outcome.FAILED) for row in rows):
        status = INVALID_STATUS
    return status


def _internal(error: Exception) -> int:
    """An error nobody foresaw is a fault of the harness, and the user is told that it is none of theirs."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    found = HarnessError(
        f"internal error: {type(error).__name__}: {error}",
        f"this is a fault of the harness, at {frame.filename}:{frame.lineno}",
        "run the same command with --verbose for the whole trace, and report it",
    )
    console.fail(found.lines())
    return found.exit_status


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main(sys.argv[1:]))
