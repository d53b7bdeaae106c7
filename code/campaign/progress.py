"""How far a campaign is: runs by stage, and the time that is left."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from code.campaign.state import CampaignState, Share, Stage


@dataclass(frozen=True)
class Entry:
    """One run on one node.

    Args:
        seconds: it took, or is expected to take; None where nothing tells.
        outcome: '3,054 samples/s VALID', or why it failed.
        logs: the folder of its logs; '' for none.
        output: the file of its last output; '' for none.
        verdicts: VALID, INVALID, PASSED, FAILED, … of its results.
    """

    name: str
    label: str
    node: str
    stage: Stage
    seconds: float | None
    outcome: str = ""
    logs: str = ""
    output: str = ""
    verdicts: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """It as an object."""
        return {
            **{name: getattr(self, name) for name in ("name", "label", "node", "seconds", "outcome", "logs", "output")},
            "state": self.stage.value,
            "verdicts": list(self.verdicts),
        }


@dataclass(frozen=True)
class Progress:
    """A campaign's.

    Args:
        entries: every run of every node that the plan names or that has begun.
        absent: nodes that are expected and have not begun, whatever their names.
        left_s: s until the last node is done; None where nothing tells.
        active: a process makes runs of it.
    """

    name: str
    file: str
    folder: str
    entries: tuple[Entry, ...]
    absent: int
    left_s: float | None
    active: bool
    jobs: tuple[str, ...] = ()

    def count(self, stage: Stage) -> int:
        """Runs of a stage."""
        return Counter(entry.stage for entry in self.entries)[stage]

    def as_json(self) -> dict[str, Any]:
        """It as an object."""
        return {
            **{name: getattr(self, name) for name in ("name", "file", "folder")},
            "active": self.active,
            "runs": len(self.entries),
            **{stage.value: self.count(stage) for stage in Stage},
            "nodes_absent": self.absent,
            "seconds_left": self.left_s,
            "jobs": list(self.jobs),
            "entries": [entry.as_json() for entry in self.entries],
        }


def read(state: CampaignState) -> Progress | None:
    """That of a campaign; None where it has not begun."""
    plan = state.plan
    if plan is None:
        return None
    shares = state.shares()
    seconds = plan.get("seconds", {})
    entries = [_entry(share, run, seconds.get(run["name"])) for share in shares for run in plan["runs"]]
    left = [_left(share, [entry for entry in entries if entry.node == share.node]) for share in shares]
    known = [one for one in left if one is not None]
    absent = max(0, plan["node_count"] - len(shares))
    return Progress(
        plan["name"],
        plan["file"],
        str(state.folder),
        tuple(entries),
        absent,
        max(known, default=0.0) if len(known) == len(left) and not absent else None,
        state.running(),
        tuple(state.jobs),
    )


def _entry(share: Share, run: dict[str, Any], expected: float | None) -> Entry:
    found = share.run(run["name"])
    stage, attempts = found.stage, found.attempts()
    last = attempts[-1] if attempts else None
    result, failure = found.result, found.failure
    results = result.get("results", []) if result else []
    words = ", ".join(f"{one.get('shown', '-')} {one.get('verdict', '')}" for one in results)
    if stage is Stage.FAILED and failure is not None:
        words = failure.get("reason", "")
    return Entry(
        run["name"],
        run["label"],
        share.node,
        stage,
        result["seconds"] if result else expected,
        words,
        (result or {}).get("logs", "") or (str(last.logs) if last else ""),
        str(last.output) if last else "",
        tuple(one.get("verdict", "") for one in results),
    )


def _left(share: Share, entries: list[Entry]) -> float | None:
    total = 0.0
    for entry in entries:
        if entry.stage in (Stage.DONE, Stage.FAILED):
            continue
        if entry.seconds is None:
            return None
        begun = 0.0
        if entry.stage is Stage.RUNNING and (attempts := share.run(entry.name).attempts()):
            begun = time.time() - attempts[-1].begun
        total += max(0.0, entry.seconds - begun)
    return total
