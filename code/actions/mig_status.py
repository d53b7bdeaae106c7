"""mig_status: how the GPUs are cut into MIG slices, what runs on them, and what teardown_mig would put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from code.actions import Context, OncePerRequest
from code.common import console
from code.mig import change, journal
from code.mig.machine import Cutter
from code.mig.state import Gpu

MODES = {True: "on", False: "off", None: "none"}


def run(context: Context) -> int:
    """Print a table, or JSON with --json. MissingError where no driver answers."""
    request = context.request
    cutter = Cutter(request["capture"] or None)
    gpus = change.chosen(cutter.state.gpus, str(request["devices"] or ""))
    if request["json"]:
        console.emit([_as_json(gpu) for gpu in gpus])
        return 0
    console.table("MIG", ("GPU", "Mode", "Slices", "UUID", "In use by"), [row for gpu in gpus for row in _rows(gpu)])
    for gpu in gpus:
        if gpu.refused:
            console.say(f"{gpu.label}: its instances are hidden from this account: {gpu.refused}")
        if (kept := journal.read(gpu)) is not None:
            state = "" if kept.made is not None else "; configure_mig did not end"
            before = f"{len(kept.before)} slices before" if kept.on else "MIG mode was off before"
            console.say(f"{gpu.label} was cut by configure_mig: {before}{state}; `make teardown_mig` puts it back")
    return 0


def _rows(gpu: Gpu) -> Iterator[tuple[str, str, str, str, str]]:
    mode = MODES[gpu.on] + ("" if gpu.on is gpu.pending else f", {MODES[gpu.pending]} after a reset")
    counts = ", ".join(f"{count} × {name}" for name, count in gpu.counts().items())
    offered = ", ".join(f"{one.name} (up to {one.most})" for one in gpu.profiles)
    yield (
        f"{gpu.index} {gpu.name}",
        mode,
        counts or (f"none; it offers {offered}" if offered else "none"),
        gpu.uuid,
        ", ".join(gpu.processes),
    )
    for one in gpu.slices:
        yield "", "", one.profile, one.uuid, ""


def _as_json(gpu: Gpu) -> dict[str, Any]:
    kept = journal.read(gpu)
    return {**asdict(gpu), "counts": gpu.counts(), "kept": None if kept is None else asdict(kept)}


ACTION = OncePerRequest(run)
