"""`python -m tests.soak.download URL FILE`: fetch a file as data sets are fetched."""

from __future__ import annotations

import sys
from pathlib import Path

from code.common.download import fetch
from code.common.errors import HarnessError

if __name__ == "__main__":
    try:
        fetch(sys.argv[1], Path(sys.argv[2]), label="the file", manual_steps="start the server again")
    except HarnessError as error:
        print(*error.lines(), sep="\n", file=sys.stderr)
        sys.exit(error.exit_status)
