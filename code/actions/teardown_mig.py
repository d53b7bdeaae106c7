"""teardown_mig: put back what GPUs were before configure_mig cut them."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.mig import change, journal
from code.mig.machine import Cutter
from code.run import device_lock

LABEL = "teardown_mig"


def run(context: Context) -> int:
    """Put back the GPUs that --devices selects; with MIG=all remove all their slices. With --dry_run print the commands."""
    request = context.request
    asked = str(request["mig"] or "").lower()
    if asked not in ("", "all"):
        raise UsageError(
            f"MIG={asked} is not for teardown_mig", "it puts back what was there before", "leave MIG out, or MIG=all"
        )
    cutter = Cutter(request["capture"] or None)
    gpus = change.chosen(cutter.state.gpus, str(request["devices"] or ""))
    if request["dry_run"]:
        for gpu in gpus:
            kept = journal.read(gpu) if asked == "" else journal.Kept(gpu.uuid, bool(gpu.on), ())
            for line in change.put_back_commands(gpu, kept) if kept is not None else ():
                console.say(line)
        return 0
    if not cutter.live:
        raise UsageError("a capture cannot be changed", "CAPTURE describes another machine", "add RUN_ARGS=--dry_run")
    with device_lock.held(cutter.names(gpus), LABEL):
        for line in change.teardown(cutter.again(gpus), cutter.driver, everything=asked == "all"):
            console.say(line)
    return 0


ACTION = OncePerRequest(run)
