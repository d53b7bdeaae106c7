"""Checks before loading whether a model fits in this machine's memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from code.common.errors import MissingError
from code.common.typed import natural

WEIGHT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.05, "int4": 0.65}
LOADED = 1.3
"""Memory of loaded weights, as a multiple of their file size: kernels keep repacked copies of some of them."""
TRACED = 2.2
"""Memory of an export, as a multiple of the weights in the traced precision: the graph holds a second copy."""
SMALLER = {"fp32": "bf16", "bf16": "int8", "fp16": "int8", "int8": "int4"}


def available() -> int:
    """Bytes available without swapping, within the container's limit."""
    found = [int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:")]
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    most, taken = natural(limit[0] if limit else ""), natural(used[0] if used else "")
    if most is not None and taken is not None:
        found.append(max(0, most - taken))
    return min(found) if found else 0


def to_export(parameters: int, precision: str, exported: bool) -> int:
    """Bytes needed to make an engine: to read an exported model, or to trace a checkpoint (in bf16 if that is enough)."""
    if exported:
        return int(parameters * 4 * LOADED)
    return int(parameters * (4 if precision == "fp32" else 2) * TRACED)


def kv_bytes(weights: int) -> int:
    """Bytes that the KV cache may take: half of what is available beside the weights."""
    return max(0, available() - int(weights * LOADED)) // 2


def require(wanted: int, what: str, instead: str = "", *, have: int | None = None, lower: Mapping[str, str] = SMALLER) -> None:
    """MissingError when fewer than `wanted` bytes are available.

    Args:
        what: is to be done; its last word is the precision.
        instead: an alternative for the next step.
        have: bytes that are available; None: of this machine's memory.
        lower: precision → the next smaller one that can be chosen.
    """
    have = available() if have is None else have
    if 0 < have < wanted:
        precision = what.rsplit(" ", 1)[-1]
        smaller = lower.get(precision)
        ways = ["use a machine with more memory", *([instead] if instead else [])]
        if smaller:
            ways.append(f"run with --precision={smaller}")
        raise MissingError(
            f"not enough memory to {what}",
            f"it needs about {wanted / 2**30:.1f} GiB, but {have / 2**30:.1f} GiB are available",
            ", or ".join(ways),
        )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
