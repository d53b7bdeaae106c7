"""Telemetry of a run as charts over its time axis, and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from code.results import nodes, telemetry
from code.results.loadgen_log import LoadGenLog
from code.results.page import charts
from code.results.page.measured import Floats
from code.results.telemetry import Telemetry

BINS = 240
GPU_TRACKS = (("power_w", "power (W)"), ("sm_clock_mhz", "clock (MHz)"), ("temperature_c", "temperature (°C)"))


def drawn(folder: Path, log: LoadGenLog) -> Iterator[tuple[str, str, str, str]]:
    """(name, title, SVG, source) of each chart; none where nothing was recorded."""
    yield from _of(telemetry.read(folder, log))
    for node in nodes.names(folder):
        yield from _of(telemetry.read(folder, log, nodes.telemetry_file(node)), node)


def _of(found: Telemetry | None, node: str = "") -> Iterator[tuple[str, str, str, str]]:
    """The charts of one machine; `node` is its name among several."""
    if found is None:
        return
    of, suffix = (f"Node {node}: ", f"-{node}") if node else ("", "")
    if found.cpus():
        seconds, shares = processors(found)
        if len(seconds) > 1:  # one interval is no course of time
            svg = charts.stacked(f"processors{suffix}", seconds, shares, "processors in use")
            yield f"processors{suffix}", f"{of}Processors", svg, f"{len(found.cpus())} watched"
    for column, label in GPU_TRACKS:
        lines = dict(_lines(found, column))
        if lines:
            svg = charts.lines(f"{column}{suffix}", lines, label)
            yield f"{column}{suffix}", f"{of}GPU {label}", svg, f"{len(lines)} GPUs" if len(lines) > 1 else "NVML"


def processors(found: Telemetry) -> tuple[Floats, Mapping[str, Floats]]:
    """(seconds, who → processors' worth of time) in equal intervals of the test."""
    edges = np.linspace(found.begin, found.end, max(2, min(BINS, int(found.seconds)) + 1))
    widths = np.diff(edges)

    def used(source: str, column: str) -> Floats:
        times, values = found.of(source, column)
        share: Floats = np.zeros(len(widths)) if len(times) < 2 else np.diff(np.interp(edges, times, values)) / widths
        return share

    zero = np.zeros(len(widths))
    busy = sum((used("processors", f"cpu{cpu}_busy_s_total") for cpu in found.cpus()), zero)
    stolen = sum((used("processors", f"cpu{cpu}_stolen_s_total") for cpu in found.cpus()), zero)
    own = np.minimum(used("own", "cpu_s_total"), busy)
    shares = {"this run": own, "other work": busy - own}
    return (edges[:-1] + edges[1:]) / 2 - found.begin, {**shares, **({"hypervisor": stolen} if stolen.any() else {})}


def _lines(found: Telemetry, column: str) -> Iterator[tuple[str, tuple[Floats, Floats]]]:
    for gpu in found.gpus():
        times, values = found.of(gpu, column)
        inside = (times >= found.begin) & (times <= found.end)
        if inside.any():
            yield gpu, (times[inside] - found.begin, values[inside])


def rows(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what, value) of metadata.json's `telemetry`; entries of another type are left out."""
    found = [(name, show(content[key])) for key, name, show in ROWS if isinstance(content.get(key), (int, float))]
    events = content.get("noise")
    named = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    found += [("Disturbed by", str(event.get("words", ""))) for event in named]
    return found


ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("energy_j", "Energy", lambda joules: f"{joules:,.1f} J"),
    ("energy_per_sample_j", "Energy of a sample", lambda joules: f"{joules:.4g} J"),
    ("energy_per_token_j", "Energy of a token", lambda joules: f"{joules:.4g} J"),
    ("other_work_share", "Other work", lambda share: f"{share:.1%} of the processors' time"),
    ("stolen_share", "Taken by the hypervisor", lambda share: f"{share:.1%} of the processors' time"),
    ("throttled_s", "Held back by the control group", lambda seconds: f"{seconds:.1f} s of processor time"),
    ("resident_bytes_peak", "Most memory of the harness", lambda size: f"{size / 2**20:,.0f} MiB"),
    ("readings", "Readings", lambda count: f"{count:,}"),
)
