"""clean_engines: remove engines, optionally only those of some benchmarks or one backend; the timing cache is kept."""

from __future__ import annotations

import shutil

from code.actions import Context, OncePerRequest
from code.backends import store
from code.backends.base import backend as known
from code.common import console
from code.common.files import storage_error


def run(context: Context) -> int:
    """Remove engines that match --benchmarks and --backend (both optional), and leftovers of interrupted builds."""
    given = context.request.given
    benchmarks = {str(b) for b in context.request.benchmarks()} if given.get("benchmarks") else None
    backend = known(str(context.request["backend"])).name if "backend" in given else None
    doomed = [
        e
        for e in store.built()
        if (benchmarks is None or e.sidecar.get("benchmark") in benchmarks) and backend in (None, e.sidecar.get("backend"))
    ]
    freed = sum(e.size for e in doomed)
    folders = [e.folder for e in doomed] + (store.leftovers() if benchmarks is None and backend is None else [])
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise storage_error(error, folder) from error
    console.say(f"{len(doomed)} engines removed, {freed / 1e6:.1f} MB freed")
    return 0


ACTION = OncePerRequest(run)
