"""The part of a run's page on what ran beside it: its neighbours, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from code.common.typed import listing, real, record, whole, words
from code.results.page.text import table
from code.rules.metrics import METRICS
from code.rules.rounds import loadgen_scenario

_RATES = {"samples": whole(0, 2**53), "samples_per_second": real(0, 1e12)}
_NEIGHBOUR = record({"label": words(200), "devices": listing(words(200))}, _RATES)
BESIDE = record({"neighbours": listing(_NEIGHBOUR)}, {"alone": real(0, 1e18), "alone_logs": words(), "price": real(-1e9, 1)})
"""`beside` of metadata.json, as code/run/company.py writes it."""


def part(metadata: Mapping[str, Any]) -> str:
    """Its HTML; '' for a run without neighbours."""
    found = BESIDE.read(metadata["beside"], "beside", []) if "beside" in metadata else None
    if not found:
        return ""
    rows = [
        (one["label"], ", ".join(one["devices"]), f"{one.get('samples') or 0:,}", f"{one.get('samples_per_second') or 0:,.4g}")
        for one in found["neighbours"]
    ]
    return _price(found, str(metadata.get("scenario"))) + table(("Neighbour", "Devices", "Samples", "Samples per second"), rows)


def _price(found: Mapping[str, Any], scenario: str) -> str:
    price, metric = found.get("price"), METRICS.get(loadgen_scenario(scenario))
    if price is None or metric is None or found.get("alone") is None:
        return ""
    told = f"its neighbours cost {price:.1%}" if price >= 0 else f"its neighbours cost nothing: it was {-price:.1%} faster"
    return f'<p class="note">{escape(metric.shown(float(found["alone"])))} alone; {escape(told)}</p>'
