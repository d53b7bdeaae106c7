"""list_systems: list the known systems and mark the one that matches this machine."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import HarnessError
from code.machine.detect import detect
from code.systems.matching import match
from code.systems.system_list import KnownSystem, System


def run(context: Context) -> int:
    """Print the table, or JSON with --json. Also works on a machine that matches no known system."""
    capture = context.request["capture"] or None
    detected = detect(capture)
    try:
        found = match(detected)
        here, system_id = found.system.name, found.system_id
    except HarnessError as error:
        here, system_id = "", error.what
    if context.request["json"]:
        content = {
            "this_machine": {"system": here, "system_id": system_id if here else ""},
            "systems": [as_json(system) for system in KnownSystem],
            "problems": [str(problem) for problem in KnownSystem.problems],
        }
        console.emit(content)
        return 0
    rows = [_row(system, here, system_id) for system in KnownSystem]
    console.table("Known systems", ("Name", "System ID", "Accelerators", "Architecture", ""), rows)
    for problem in KnownSystem.problems:
        console.warn(str(problem))
    if here:
        console.say(f"This machine is {here}; its results go under {system_id}.")
    else:
        console.say(f"{system_id}. Add it with: make add_system NAME=<name>")
    return 0


def as_json(system: System) -> dict[str, object]:
    """One system as JSON."""
    return {
        "name": system.name,
        "system_id": system.value.system_id or "",
        "accelerator": system.accelerator,
        "count": system.accelerators,
        "retired": bool(system.retired),
        "origin": system.origin,
        "configuration": repr(system.value),
    }


def _row(system: System, here: str, system_id: str) -> tuple[str, str, str, str, str]:
    architecture = system.value.host_cpu_conf.get_architecture()
    layout = system.value.accelerator_conf.layout
    accelerators = ", ".join(f"{count} x {system.accelerator or kind.name}" for kind, count in layout.items()) or "none"
    marks = [
        "this machine" if system.name == here else "",
        "added" if system.custom else "",
        "retired" if system.retired else "",
        f"on {system.platform} only" if system.platform else "",
    ]
    shown_id = system.value.system_id or (system_id if system.name == here else "<processor>x<sockets>")
    name = "any" if architecture is None else architecture.name
    return system.name, shown_id, accelerators, name, ", ".join(mark for mark in marks if mark)


ACTION = OncePerRequest(run)
