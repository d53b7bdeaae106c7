"""How good predictions are: each public result predicted from the others, written into documentation/predictions.md.

python -m scripts.write_predictions             writes the tables anew
python -m scripts.write_predictions --nested    writes the table whose amplitudes are fitted without what is left out; minutes
python -m scripts.write_predictions --fit       prints the amplitudes of the highest likelihood (needs SciPy, as --nested does)
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from code.common import paths
from code.common.files import atomic_write
from code.systems import prediction
from code.systems.prediction import Check, Point

TABLES, NESTED = "predictions", "nested"
"""Parts of the page that are written here, between marks of their name."""
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
    """The tables as Markdown."""
    return "\n".join(
        line for words, group in LEFT_OUT.items() for line in [f"Left out: {words}.", "", *rows(prediction.leave_out(group)), ""]
    )


def rows(checks: list[Check]) -> list[str]:
    """A table of these checks."""
    kinds = sorted({(check.point.network, check.point.scenario, check.point.configured) for check in checks})
    return [
        "| benchmark | scenario | results | median error | 90 % of errors below | interval holds |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            _row(*kind, [c for c in checks if (c.point.network, c.point.scenario, c.point.configured) == kind])
            for kind in sorted(kinds, key=lambda kind: kind[2])
        ),
    ]


def nested() -> str:
    """The table of left-out accelerators whose amplitudes were fitted to the others alone."""
    start = fit()

    def fitted(left_out: Sequence[int]) -> dict[str, float]:
        print(f"fitting without {len(left_out)} of the figures", flush=True)
        return fit(left_out, start)

    return "\n".join([*rows(prediction.leave_out(lambda point: point.accelerator, fitted)), ""])


def _row(network: str, scenario: str, configured: bool, checks: list[Check]) -> str:
    errors = [check.error for check in checks]
    median = statistics.median(errors)
    held = sum(check.held for check in checks) / len(checks)
    goal = GOALS[scenario]
    words = f"{median:.1%}" if median <= goal else f"**{median:.1%}**"
    name = f"{network}, vendor's config" if configured else network
    return f"| {name} | {scenario} | {len(checks)} | {words} | {np.quantile(errors, 0.9):.1%} | {held:.0%} |"


def fit(left_out: Sequence[int] = (), start: Mapping[str, float] | None = None) -> dict[str, float]:
    """The amplitudes of the highest likelihood, with a broad log-normal prior that keeps those without evidence small.

    Args:
        left_out: indices of measured points that are not used.
        start: amplitudes that are near; None for a search from far.
    """
    from scipy.optimize import minimize

    chosen = [one for index, one in enumerate(prediction.measured()) if index not in set(left_out)]
    points, rates = zip(*chosen, strict=True)
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
        return float(value), np.tensordot(stacked, outer, 2) * weights + (variances + 4) / 16

    first = np.array([2 * np.log(start[name]) if start else -4.0 for name in parts])
    found = minimize(objective, first, jac=True, method="L-BFGS-B", bounds=[(-16, 6)] * len(parts))
    return {name: float(np.exp(value / 2)) for name, value in zip(parts, found.x, strict=True)}


def write(name: str, words: str, content: str) -> None:
    """Write a part of the page between its marks."""
    page = paths.project_root() / "documentation" / PAGE
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    stamp = f"Written {date.today().isoformat()} by `python -m scripts.write_predictions{words}`."
    with atomic_write(page) as out:
        out.write(before + "\n".join([begin, stamp, "", content, end]) + after)
    print(f"wrote documentation/{PAGE}")


def main(arguments: list[str]) -> None:
    """See the head of the file."""
    if arguments == ["--fit"]:
        for name, amplitude in fit().items():
            print(f'    "{name}": {amplitude:.3g},')
    elif arguments == ["--nested"]:
        write(NESTED, " --nested", nested())
    elif arguments:
        sys.exit(f"unknown arguments: {' '.join(arguments)}; see the head of this file")
    else:
        write(TABLES, "", table())


if __name__ == "__main__":
    main(sys.argv[1:])
