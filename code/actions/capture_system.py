"""capture_system: write what this machine says of itself to a file, for detection and preflight to be replayed elsewhere."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.preflight.capture import capture


def run(context: Context) -> int:
    """Take CAPTURE (the file to write) and NAME (a description) from the request."""
    path = context.request["capture"]
    if not path:
        raise UsageError("no file was named", "a capture is written to a file", "add CAPTURE=<file>.json")
    found = capture(Path(path), context.request["name"] or "")
    console.say(f"wrote {path}: {found.processors.model}, {len(found.gpus)} accelerators")
    console.say("Host name, UUIDs and serial numbers were replaced; look it over before you share it.")
    return 0


ACTION = OncePerRequest(run)
