"""The command line: `python3 -m code.main --action=… [options]`; `make` passes RUN_ARGS through unread.

Request → plan → action → report. Actions raise; only this module prints errors and sets the exit status.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from code import actions
from code.actions import Context
from code.common import console
from code.common.errors import HarnessError, Interrupted, RunError, UsageError
from code.common.parent import end_with_make
from code.common.paths import ENGINE_DIR
from code.common.signals import SIGNALS
from code.plan.reads import prints_json
from code.plan.request import parse
from code.plan.selection import use_configs
from configs.loading import use_folder

INTERRUPTED_STATUS = 130
MAKE_VARIABLES = frozenset(
    (
        *(
            "A",
            "B",
            "BENCHMARKS",
            "CAPTURE",
            "CATEGORY",
            "CONTAINER",
            "DIR",
            "DIVISION",
            "FILE",
            "FROM",
            "IMAGE",
            "MIG",
            "NAME",
            "NODE",
            "NODES",
            "PASSPHRASE_FILE",
            "RAY",
            "ROUND",
            "SLURM_ARGS",
            "STATUS",
            "SYSTEMS",
        ),
        *("SUBMITTER", "TO", "benchmark", "scenario", "config"),
    )
)
"""Variables of make that are the value of one option."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status (documentation/commands.md). The process is left as it was found."""
    argv = sys.argv[:]
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
        use_configs(request)
        program = bool(request["json"]) and prints_json(request["action"], bool(request["dry_run"]))
        with console.for_programs(program), _engines_in(request["engine_dir"]):
            return actions.load(request["action"]).perform(Context(request))
    except KeyboardInterrupt:
        return _interrupted()
    except HarnessError as error:
        if SIGNALS.received and not isinstance(error, Interrupted):
            return _interrupted()  # it fell into an import or a call that reports it as a failure of its own
        console.fail(error.lines())
        return error.exit_status
    except BrokenPipeError:
        return INTERRUPTED_STATUS
    except Exception as error:
        if SIGNALS.received:
            return _interrupted()
        if sys.gettrace() is not None or "--verbose" in arguments:
            raise
        return _internal(error)
    finally:
        sys.argv[:] = argv
        use_folder(None)


@contextmanager
def _engines_in(folder: str | None) -> Iterator[None]:
    """Keep engines in the folder of --engine_dir, in this process and those that it starts; None for the usual one."""
    before = os.environ.get(ENGINE_DIR)
    if folder:
        os.environ[ENGINE_DIR] = str(Path(folder).absolute())
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ENGINE_DIR, None)
        else:
            os.environ[ENGINE_DIR] = before


def expanded(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """The arguments with make's variables in place, read from the environment, where neither make nor a shell has changed them.

    `@NAME` becomes the variable's words, quoted as in a shell; `--option=@NAME` the option with its whole text, or nothing where
    it is empty. UsageError where the variable's quotes do not match.
    """
    out: list[str] = []
    for word in arguments:
        option, equals, variable = word.partition("=@")
        if equals and variable in MAKE_VARIABLES:
            text = environment.get(variable, "").strip()
            if variable == "BENCHMARKS":
                text = ",".join(text.replace(",", " ").split())
            out += [f"{option}={text}"] if text else []
            continue
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
    """Report an unexpected exception as a bug in the harness, with its place; a file that changed or failed meanwhile by its name."""
    if isinstance(error, OSError) and error.filename is not None:
        refused = RunError(
            f"{error.filename!s} cannot be used",
            f"{error.strerror or error}: it was changed or removed meanwhile, or its disk failed",
            "run the same command again; with --verbose it shows where",
        )
        console.fail(refused.lines())
        return refused.exit_status
    frame = traceback.extract_tb(error.__traceback__)[-1]
    found = HarnessError(
        f"internal error: {type(error).__name__}: {error}",
        f"this is a bug in the harness, at {frame.filename}:{frame.lineno}",
        "run the same command with --verbose for the full traceback, and report it",
    )
    console.fail(found.lines())
    return found.exit_status


def _interrupted() -> int:
    console.fail(["interrupted"])
    return INTERRUPTED_STATUS


def run() -> int:
    """Do what the command line says, end on signals, and survive standard output that is closed or full."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:  # closed by the caller: the next file opened would take its place
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names that are not UTF-8, and terminals that are not
    SIGNALS.catch()
    end_with_make()
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status:
            return status
        if isinstance(error, BrokenPipeError):
            return INTERRUPTED_STATUS
        failed = console.unwritable(error)
        console.fail(failed.lines())
        return failed.exit_status
    return status


if __name__ == "__main__":
    sys.exit(run())
