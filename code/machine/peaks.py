"""Peaks of this machine's processors as they were last measured (`make roofline`), for whoever only reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from code.machine.measurements import PRECISIONS, Memory, best_of


def identity(model: str, isa: Iterable[str], cores: int, runtime: str) -> dict[str, Any]:
    """What peaks depend on.

    Args:
        model: the processor's name.
        isa: its instruction sets.
        cores: that this process may use.
        runtime: version of OpenVINO.
    """
    return {"what": "peaks", "model": model, "isa": sorted(isa), "cores": cores, "runtime": runtime}


def word(of: Mapping[str, Any]) -> str:
    """The argument of the probe `peaks` for an identity."""
    return hashlib.sha256(repr(sorted(of.items())).encode()).hexdigest()[:16]


def memory(key: str) -> Memory:
    """The measurements of peaks with a word."""
    return Memory({"what": "peaks", "word": key})


def known(key: str) -> dict[str, Any]:
    """{"gflops": {precision: 10^9 operations per second}, "when": seconds since 1970} of the latest measurements; {} for none."""
    found = memory(key).read()
    best = {precision: best_of(found, f"gflops_{precision}") for precision in PRECISIONS}
    gflops = {precision: one[0] for precision, one in best.items() if one is not None}
    return {"gflops": gflops, "when": max(one.when for one in found)} if gflops else {}
