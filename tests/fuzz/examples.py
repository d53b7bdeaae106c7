"""How many examples a fuzzer tries, and what each of them has to be.

`make test_full` tries 500 of each kind, the same in each run. `make fuzz` tries 10,000, and FUZZ_SEED=7 others:

    FUZZ_SEED=7 make fuzz
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

from code import main

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
THROUGH_MAIN = 50
"""One of so many examples goes through the whole command line; the others through the functions that read the files."""
FORESEEN = (0, 2, 3, 4, 5)
"""The exit statuses of a command that ended by itself."""


def fuzzed(test: Callable[..., None], examples: int = EXAMPLES) -> Callable[..., None]:
    """A test that is called with many examples. Nothing is remembered between runs, so that each run is the same."""
    return seed(SEED)(
        settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )(test)
    )


def said(arguments: Sequence[str]) -> str:
    """What a command prints; its exit status is a foreseen one, and nothing that it prints is of an error of the harness itself."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main.main(list(arguments))
    printed = out.getvalue() + err.getvalue()
    assert status in FORESEEN, f"{list(arguments)} ended with {status}"
    assert "internal error" not in printed and "Traceback" not in printed, printed
    printed.encode("utf-8", "backslashreplace")
    return printed


def each(number: int) -> Any:
    """Whether an example goes through the whole command line: a strategy."""
    from hypothesis import strategies

    return strategies.integers(0, number - 1).map(lambda drawn: drawn == number - 1)
