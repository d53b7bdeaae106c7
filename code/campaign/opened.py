"""A campaign as the options of a request name it: its plan, its state and the share of this node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from code.campaign import plan as plans
from code.campaign.estimate import Estimate, History
from code.campaign.plan import Plan
from code.campaign.state import PLAN, CampaignState, Share, campaigns_folder
from code.common.errors import UsageError, unknown
from code.common.files import write_json
from code.plan.request import Request
from code.submission.stage import runs

NODE_VARIABLES = ("SLURMD_NODENAME", "NODE_NAME")
"""Where Slurm, and the manifests of docker/examples, say which node this is."""


@dataclass(frozen=True)
class Campaign:
    """A campaign.

    Args:
        plan: the whole of its file, or the part for some systems.
        estimates: run → how long it takes.
    """

    plan: Plan
    state: CampaignState
    estimates: Mapping[str, Estimate]

    @property
    def seconds(self) -> float:
        """How long all its runs take, one after another."""
        return sum(one.seconds for one in self.estimates.values())

    def share(self, node: str | None) -> Share:
        """The share of a node: the named one, else this one. UsageError for a node that the file does not have."""
        if not self.plan.node_count:
            if node:
                why = "its file names no nodes, so that each run is made once"
                raise UsageError(
                    f"the campaign {self.plan.name} has no nodes", why, "leave NODE out, or write nodes = in the file"
                )
            return self.state.share()
        name = node or this_node()
        if self.plan.nodes and name not in self.plan.nodes:
            raise unknown("node", name, self.plan.nodes, str(self.plan.file), listing=False)
        if not plans.NAME.fullmatch(name):
            raise UsageError(f"the node cannot be {name!r}", "it names a folder", "name it: NODE=…")
        return self.state.share(name)

    def record(self) -> None:
        """Keep the plan beside the state, for `campaign_status`."""
        keys = ("name", "label", "target", "words", "system")
        content = {
            "name": self.plan.name,
            "file": str(self.plan.file),
            "nodes": list(self.plan.nodes),
            "node_count": self.plan.node_count,
            "seconds": {name: one.seconds for name, one in self.estimates.items()},
            "runs": [{key: getattr(one, key) for key in keys} for one in self.plan.runs],
        }
        write_json(self.state.folder / PLAN, content)


def this_node() -> str:
    """The name of this node: by Slurm or Kubernetes, else of the machine."""
    given = (os.environ.get(name, "") for name in NODE_VARIABLES)
    return next(filter(None, given), os.uname().nodename.partition(".")[0])


def opened(request: Request) -> Campaign:
    """The campaign of --campaign_file. UsageError where there is none, or another file has its name."""
    for name, value in request.given.items():
        if name in request.overrides() and value.origin.startswith("command line"):
            raise UsageError(
                f"--{name} is not read by a campaign",
                "its runs have the options that its file gives them",
                f'write args = "--{name}=…" in the file',
            )
    path = _file(request)
    plan = plans.read(path).of(tuple(request["systems"] or ()))
    state = CampaignState(campaigns_folder(request["campaign_dir"]) / plan.name)
    other = Path((state.plan or {}).get("file") or path)
    if other.absolute() != path.absolute() and other.is_file():
        raise UsageError(
            f"the name {plan.name} is another campaign's", f"it is that of {other}", 'write name = "…" in the file', str(path)
        )
    return Campaign(plan, state, History(runs.log_folder(None), state.shares()).estimates(plan))


def _file(request: Request) -> Path:
    if not request["campaign_file"]:
        raise UsageError(
            "no campaign was named", "a campaign is a file", "make campaign FILE=campaign.toml (documentation/campaigns.md)"
        )
    return Path(request["campaign_file"]).absolute()
