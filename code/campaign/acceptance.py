"""[accept] of campaign.toml: when a node of a fleet passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from code.common.errors import UsageError
from code.common.tomlfile import Table
from code.rules.metrics import METRICS
from code.rules.rounds import INTERACTIVE

FAIL, RERUN, NOTE = "fail", "rerun", "note"
SEVERITIES = (FAIL, RERUN, NOTE)
CAUSES = {
    "throttled": "a limit of power, temperature or processor time held it back",
    "ecc": "a GPU met memory errors that ECC could not correct",
    "slow_link": "a GPU has fewer PCIe lanes or NVLinks, or an older PCIe generation, than most of the fleet",
    "busy": "other work ran beside it",
    "clocks": "a clock fell during the run",
}
"""What telemetry can say of a node."""
DEFAULTS = {"throttled": NOTE, "ecc": FAIL, "slow_link": NOTE, "busy": RERUN, "clocks": NOTE}
KEYS = ("robust_z", "least_difference", "most_spread", "least", *CAUSES)


@dataclass(frozen=True)
class Acceptance:
    """When a node passes.

    Args:
        robust_z: a node this many robust standard deviations worse than the fleet's median fails.
        least_difference: share of the median below which no node is an outlier, however even the fleet is.
        most_spread: highest less lowest result of a node's repeats, as a share of their median, above which it is run again.
        least: 'bert-99 Offline' → the worst result that passes, in the unit of reports (samples/s, queries/s, ms).
        severities: of each of CAUSES. 'fail': a node that has it fails, however fast it is; 'rerun': an outlier that has it was disturbed
            and is measured again instead of failing; 'note': it is said only.
    """

    robust_z: float = 3.5
    least_difference: float = 0.02
    most_spread: float = 0.05
    least: Mapping[str, float] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULTS))

    @classmethod
    def read(cls, table: Table) -> Acceptance:
        """Those of a table. UsageError, with its line, for a key or value that is not known."""
        table.only(KEYS)
        least = table.table("least")
        for name in least.content:
            if name.rpartition(" ")[2] not in (*METRICS, INTERACTIVE):
                raise UsageError(
                    f"{name!r} is no workload",
                    "a workload is a benchmark and a scenario",
                    'write "bert-99 Offline" = 1000',
                    least.where(name),
                )
        return cls(
            table.real("robust_z", 3.5, 0.1, 1000),
            table.real("least_difference", 0.02, 0.0, 1.0),
            table.real("most_spread", 0.05, 0.0, 10.0),
            {name: least.real(name, 0.0, 0.0, 1e18) for name in least.content},
            {name: table.choice(name, DEFAULTS[name], SEVERITIES) for name in CAUSES},
        )
