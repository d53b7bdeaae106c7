"""capture_system: record this machine's detection data in a file, to replay detection and preflight elsewhere."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.preflight.capture import capture


def run(context: Context) -> int:
    """Write the capture to CAPTURE, described by NAME."""
    path = context.request["capture"]
    if not path:
        raise UsageError("no capture file given", "a capture is written to a file", "add CAPTURE=<file>.json")
    found = capture(Path(path), context.request["name"] or "")
    console.say(f"wrote {path}: {found.processors.model}, {len(found.gpus)} accelerators")
    console.say("Host name, UUIDs and serial numbers were replaced; review the file before you share it.")
    return 0


ACTION = OncePerRequest(run)
