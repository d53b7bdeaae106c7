"""How good predictions are: each public result predicted from the others, written into documentation/predictions.md.

python -m scripts.write_predictions          writes the table anew
python -m scripts.write_predictions --fit    prints the amplitudes of the highest likelihood (needs SciPy)
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np

from code.common import paths
from code.common.files import atomic_write
from code.systems import prediction
from code.systems.prediction import Check, Point

BEGIN, END = "<!-- begin predictions -->", "<!-- end predictions -->"
PAGE = "predictions.md"
GOALS = {"Offline": 0.08, "Server": 0.12}
"""Scenario → greatest median error that is aimed for."""
LEFT_OUT: dict[str, Callable[[Point], Any]] = {
    "the result alone": lambda point: point,
    "its machine: all results of that submitter's system": lambda point: point.machine,
    "its system: all machines with as many of the accelerator": lambda point: (point.accelerator, point.accelerators),
    "its accelerator, in any count": lambda point: point.accelerator,
}


def table() -> str:
    """The table as Markdown."""
    lines = []
    for words, group in LEFT_OUT.items():
        checks = prediction.leave_out(group)
        lines += [
            f"Left out: {words}.",
            "",
            "| benchmark | scenario | results | median error | 90 % of errors below | interval holds |",
        ]
        lines.append("| --- | --- | --- | --- | --- | --- |")
        kinds = sorted({(check.point.network, check.point.scenario, check.point.configured) for check in checks})
        for kind in sorted(kinds, key=lambda kind: kind[2]):
            lines.append(_row(*kind, [c for c in checks if (c.point.network, c.point.scenario, c.point.configured) == kind]))
        lines.append("")
    return "\n".join(lines)


def _row(network: str, scenario: str, configured: bool, checks: list[Check]) -> str:
    errors = [check.error for check in checks]
    median = statistics.median(errors)
    held = sum(check.held for check in checks) / len(checks)
    goal = GOALS[scenario]
    words = f"{median:.1%}" if median <= goal else f"**{median:.1%}**"
    name = f"{network}, vendor's config" if configured else network
    return f"| {name} | {scenario} | {len(checks)} | {words} | {np.quantile(errors, 0.9):.1%} | {held:.0%} |"


def fit() -> dict[str, float]:
    """The amplitudes of the highest likelihood, with a broad log-normal prior that keeps those without evidence small."""
    from scipy.optimize import minimize

    points, rates = zip(*prediction.measured(), strict=True)
    logs = np.log([rate / point.accelerators for point, rate in zip(points, rates, strict=True)])
    parts = prediction.effects(points, points)
    stacked = np.array(list(parts.values()))

    def objective(variances: Any) -> tuple[float, Any]:
        weights = np.exp(variances)
        whole = np.tensordot(weights, stacked, 1) + 1e-9 * np.eye(len(logs))
        inverse = np.linalg.inv(whole)
        weighted = inverse @ logs
        value = 0.5 * logs @ weighted + 0.5 * np.linalg.slogdet(whole)[1] + 0.5 * np.sum(((variances + 4) / 4) ** 2)
        outer = 0.5 * (inverse - np.outer(weighted, weighted))
        return float(value), np.einsum("ij,kij->k", outer, stacked) * weights + (variances + 4) / 16

    start = np.full(len(parts), -4.0)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(-16, 6)] * len(parts))
    return {name: float(np.exp(value / 2)) for name, value in zip(parts, found.x, strict=True)}


def write() -> None:
    """Write the tables between the page's marks."""
    page = paths.project_root() / "documentation" / PAGE
    text = page.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    stamp = f"Written {date.today().isoformat()} by `python -m scripts.write_predictions`."
    parts = [BEGIN, stamp, "", table(), END]
    with atomic_write(page) as out:
        out.write(before + "\n".join(parts) + after)
    print(f"wrote documentation/{PAGE}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--fit"]:
        for name, amplitude in fit().items():
            print(f'    "{name}": {amplitude:.3g},')
    elif sys.argv[1:]:
        sys.exit(f"unknown arguments: {' '.join(sys.argv[1:])}; see the head of this file")
    else:
        write()
