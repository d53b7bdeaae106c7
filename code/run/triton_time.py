"""Where the time of requests went in a Triton server, by its own statistics, and which server a test asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import write_json
from code.common.typed import real, whole, words
from code.common.typed import record as shape

SERVER_FILE = "triton.json"
"""Which server a test asked, and how: its version, its address or program, the protocol, and the time of its requests."""
STATISTICS_FILE = "triton_statistics.json"
"""What a server inside the harness process left: {"version", "before", "after"}, its statistics before and after the test."""
PARTS = {
    "success": "total_s",
    "queue": "queue_s",
    "compute_input": "input_s",
    "compute_infer": "compute_s",
    "compute_output": "output_s",
}
"""Triton's name of a duration → the key of metadata.json's `triton_time`. Source: server, docs/protocol/extension_statistics.md."""
COUNT = whole(0, 2**63)
RECORD = shape(
    {"version": words(80), "server": words()},
    {
        "protocol": words(20),
        "time": shape({"requests": COUNT, "executions": COUNT, **{key: real(0, 1e12) for key in PARTS.values()}}),
    },
)


def summed(statistics: Mapping[str, Any]) -> dict[str, float]:
    """The counts and durations of all models, from a server's answer: numbers, or numbers as text (gRPC's JSON)."""
    found = dict.fromkeys(("requests", "executions", *PARTS.values()), 0.0)
    for model in _listed(statistics.get("model_stats")):
        durations = model.get("inference_stats")
        for name, key in PARTS.items():
            entry = durations.get(name) if isinstance(durations, Mapping) else None
            found[key] += _number(entry, "ns") / 1e9
            if name == "success":
                found["requests"] += _number(entry, "count")
        found["executions"] += _number(model, "execution_count")
    return found


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float | int] | None:
    """What a server did between two readings of its statistics; None for nothing."""
    first, last = summed(before), summed(after)
    spent = {key: max(0.0, last[key] - first[key]) for key in last}
    if not spent["requests"]:
        return None
    return {key: int(value) if key in ("requests", "executions") else round(value, 9) for key, value in spent.items()}


def record(folder: Path, version: str, where: str, protocol: str = "grpc", time: Mapping[str, float] | None = None) -> None:
    """Note which server a test asked.

    Args:
        where: its address, or its program.
        time: of its requests; None: not known.
    """
    write_json(
        folder / SERVER_FILE,
        {"version": version, "server": where, "protocol": protocol, **({} if time is None else {"time": dict(time)})},
    )


def record_in_process(folder: Path, library: str) -> None:
    """Note the server that was inside the harness process, by the statistics that it left; nothing where it left none.

    Args:
        library: of its C API.
    """
    content = jsonfile.object_or_empty(folder / STATISTICS_FILE)
    before, after = (part if isinstance(part := content.get(name), dict) else {} for name in ("before", "after"))
    if content:
        record(folder, str(content.get("version") or "unknown"), library, "in_process", between(before, after))


def recorded(folder: Path) -> dict[str, Any]:
    """What is noted of the server that a test asked, as metadata.json has it; {} for a test without one."""
    found = RECORD.read(jsonfile.object_or_empty(folder / SERVER_FILE), SERVER_FILE, [])
    if not found:
        return {}
    named = {"version": found["version"], "server": found["server"], "protocol": found.get("protocol"), "time": found.get("time")}
    return {f"triton_{name}": value for name, value in named.items() if value is not None}


def _listed(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _number(found: Any, key: str) -> float:
    value = found.get(key, 0) if isinstance(found, Mapping) else 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**63 else 0.0
