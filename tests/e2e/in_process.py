"""A command line carried out in the tests' own process: what `python3 -m code.main` does, without starting a Python for it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import pytest

from code.main import main


def called(*arguments: str, **variables: str) -> CompletedProcess[str]:
    """Status and output of a command line, with these environment variables and no config folders of the user's."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["code.main"])
        for name in [name for name in os.environ if name.startswith("MLPINF_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        status = main(arguments)
    return CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
