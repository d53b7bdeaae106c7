"""remove_system: undo add_system: remove a system with its generated configs and description."""

from __future__ import annotations

import sys

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.systems.adding import plan_removal, remove


def run(context: Context) -> int:
    """Remove the system named by NAME, prompting for confirmation unless YES=1."""
    request = context.request
    name = request["name"]
    if not name:
        raise UsageError("no system name given", "", "add NAME=<name>; `make list_systems` shows the added systems")
    change = plan_removal(name)
    lines = change.lines()
    if not request["yes"]:
        for line in lines:
            console.say(f"  {line}")
        if not sys.stdin.isatty():
            raise UsageError("nothing was removed", "cannot prompt: not a terminal", "add YES=1 to remove without asking")
        if input("Proceed? [y/N] ").strip().lower() not in ("y", "yes"):
            console.say("nothing was removed")
            return 0
    remove(change)
    if request["json"]:
        paths = [str(path) for path in change.texts]
        console.emit({"name": name, "changed": paths, "remarks": change.remarks})
        return 0
    for remark in change.remarks:
        console.warn(remark)
    console.say(f"{name} was removed")
    return 0


ACTION = OncePerRequest(run)
