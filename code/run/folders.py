"""Log folders: a new one for each LoadGen test, marked INCOMPLETE until its result is complete."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from code.common import paths
from code.common.errors import UsageError
from code.common.files import storage_error
from code.plan.workload import Workload
from code.run.spec_fields import log_dir

INCOMPLETE = "INCOMPLETE"


def log_root(workload: Workload) -> Path:
    """The folder of this invocation's results: --log_dir, else $LOG_DIR, else build/logs/<timestamp>."""
    given = log_dir(workload) or paths.variable("LOG_DIR")
    return Path(given).absolute() if given else paths.build_dir() / "logs" / _started()


@cache
def _started() -> str:
    return time.strftime("%Y.%m.%d-%H.%M.%S")


def new_log_folder(root: Path, workload: Workload) -> Path:
    """Create <root>/<system_id>/<benchmark_full>/<scenario>, with '.2', '.3', … appended if it exists.

    It holds an INCOMPLETE marker until its result is complete.
    """
    parent = root / workload.system_id / workload.full_name
    number = 1
    while True:
        folder = parent / (str(workload.scenario) + (f".{number}" if number > 1 else ""))
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            (folder / INCOMPLETE).write_text(
                "This run has not finished, or failed. Its logs are not a result.\n", encoding="utf-8"
            )
            return folder
        except FileExistsError:
            if not parent.is_dir():
                raise UsageError(
                    f"{root} is not a directory", "results are written there", "set LOG_DIR to a directory"
                ) from None
            number += 1
        except OSError as error:
            raise storage_error(error, folder) from error
