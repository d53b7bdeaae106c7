"""configure_mig: cut GPUs into the MIG slices that MIG=… names; what they were is kept for teardown_mig."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.mig import change, wanted
from code.mig.machine import Cutter
from code.run import device_lock

LABEL = "configure_mig"


def run(context: Context) -> int:
    """Cut the GPUs that --devices selects, or print the commands with --dry_run. Errors are those of `change.configure`."""
    request = context.request
    asked = wanted.parse(str(request["mig"] or ""))
    cutter = Cutter(request["capture"] or None)
    gpus = change.chosen(cutter.state.gpus, str(request["devices"] or ""))
    if request["dry_run"]:
        change.require_free(gpus)
        lines = change.rehearsed(gpus, asked)
        for line in lines or ["nothing to do: the GPUs have these slices already"]:
            console.say(line)
        return 0
    if not cutter.live:
        raise UsageError("a capture cannot be cut", "CAPTURE describes another machine", "add RUN_ARGS=--dry_run")
    with device_lock.held(cutter.names(gpus), LABEL):
        for line in change.configure(cutter.again(gpus), asked, cutter.driver, cutter.reread):
            console.say(line)
    console.say("`make mig_status` lists the slices; `make teardown_mig` puts back what was there before")
    return 0


ACTION = OncePerRequest(run)
