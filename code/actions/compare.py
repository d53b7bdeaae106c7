"""compare: show two runs, or a run and a public result, side by side."""

from __future__ import annotations

import json
from typing import Any

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import UsageError
from code.submission.audit import comparison
from code.submission.audit.comparison import Side


def run(context: Context) -> int:
    """Print the comparison as tables, or as JSON with --json. UsageError with the reasons if the results are not comparable."""
    request = context.request
    if not request["a"] or not request["b"]:
        raise UsageError(
            "two results are needed",
            "give two run folders, or one run folder and a public result such as H100_SXM_80GBx8",
            "make compare A=build/logs/…/Offline B=H100_SXM_80GBx8 (`make list_results` lists the runs)",
        )
    a, b = comparison.read_pair(request["a"], request["b"])
    obstacles = comparison.obstacles(a, b)
    if obstacles and not request["anyway"]:
        raise UsageError(
            "the results are not comparable",
            "; ".join(obstacles),
            "compare results that share these, or add --anyway for the tables without a percentage",
        )
    differing = comparison.differences(a, b)
    change = None if obstacles else comparison.change_percent(a, b)
    noise = comparison.noise(a, b)
    if request["json"]:
        content = {
            "a": vars(a),
            "b": vars(b),
            "change_percent": change,
            "obstacles": obstacles,
            "differences": differing,
            "noise": noise,
        }
        console.emit(content)
        return 0
    console.table(f"{a.benchmark} {a.scenario}", ("", a.name, b.name), _rows(a, b))
    for obstacle in obstacles:
        console.say(f"not comparable: {obstacle}")
    if change is not None:
        console.say(in_words(a, change) + (f": {noise}" if noise else ""))
    if a.config and b.config:
        shown = [(name, _text(x), _text(y)) for name, x, y in differing]
        console.table("Differences in config", ("Field", "A", "B"), shown or [("none", "", "")])
    return 0


def in_words(a: Side, change: float) -> str:
    """The change as a sentence: of a latency, more is worse."""
    size = f"{abs(change):.1f} %"
    if not a.higher_is_better:
        return f"B's latency is {size} {'higher' if change > 0 else 'lower'} than A's ({'worse' if change > 0 else 'better'})"
    return f"B is {size} {'better' if change >= 0 else 'worse'} than A per accelerator"


def _rows(a: Side, b: Side) -> list[tuple[str, str, str]]:
    rows = [
        ("result", _value(a.value, a.unit), _value(b.value, b.unit)),
        ("accelerators", str(a.accelerators), str(b.accelerators)),
        ("per accelerator", _value(a.per_accelerator, a.unit), _value(b.per_accelerator, b.unit)),
        ("verdict", a.validity, b.validity),
    ]
    scores = sorted(set(a.accuracy) | set(b.accuracy))
    rows += [(name, _value(a.accuracy.get(name), ""), _value(b.accuracy.get(name), "")) for name in scores]
    facts = sorted(set(a.facts) | set(b.facts))
    return rows + [(name, a.facts.get(name, ""), b.facts.get(name, "")) for name in facts]


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.6g} {unit}".strip()


def _text(value: Any) -> str:
    return "unset" if value is None else json.dumps(value) if isinstance(value, (dict, list)) else str(value)


ACTION = OncePerRequest(run)
