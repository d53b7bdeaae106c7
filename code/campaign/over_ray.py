"""Making a campaign's runs on the nodes of a Ray cluster: each node makes the next run that is missing, or of a fleet all of its own."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from code.campaign.opened import Campaign
from code.common import console, paths
from code.common.errors import RunError, UsageError
from code.common.signals import SIGNALS
from code.run.nodes.cluster import Ended, Member, opened
from code.run.nodes.wanted import Wanted, own_count

HANDED_ON = ("BUILD_DIR", "LOG_DIR", "MLPERF_SCRATCH_PATH", "PYTHON3", "VENV")
"""Variables of this process that its nodes get: Ray's processes have those of the command that started them."""


@dataclass(frozen=True)
class Duty:
    """What one node does by one command.

    Args:
        name: of the run, or of the node that makes all of its own.
        words: options of the command.
        only: the number of the one node that may; None: any.
    """

    name: str
    words: tuple[str, ...]
    only: int | None = None


class Nodes(Protocol):
    """What carries out commands: `Cluster`."""

    members: tuple[Member, ...]

    def begin(self, number: int, task: str, command: Sequence[str], variables: Mapping[str, str], output: Path) -> None:
        """Have a node carry out a command."""

    def ended(self) -> Ended | None:
        """The next command that has ended."""


def wanted(address: str, count: int | None, nodes: int) -> Wanted:
    """The nodes that are asked for.

    Args:
        address: RAY of make.
        count: NODES of make; None: those of the file.
        nodes: of the file; 0 where it has none.

    UsageError for an address that is none, or where nothing says how many.
    """
    own = own_count(address, "RAY")
    many = count or nodes or own
    if not many:
        raise UsageError(
            f"RAY is {address}, and nothing says how many nodes to use",
            "a cluster may have more than this campaign is to use",
            "add NODES=2, or write nodes = in the file for a fleet",
        )
    if own and own != many:
        raise UsageError(
            f"{many} nodes are asked for, and RAY is {address}",
            "a local cluster has as many as its address says",
            f"RAY=local:{many}",
        )
    return Wanted(many, address)


def outlook(campaign: Campaign, asked: Wanted) -> str:
    """What the nodes will do, and how long that takes, in one line."""
    where = f"of the Ray cluster {asked.address}"
    if campaign.plan.node_count:
        return f"Each of {asked.count} nodes {where} makes all runs, side by side."
    seconds = [campaign.estimates[duty.name].seconds for duty in duties(campaign, ())]
    at_once = min(asked.count, len(seconds)) or 1
    return f"{asked.count} nodes {where} make them side by side: about {console.duration(sum(seconds) / at_once)}."


def make_runs(campaign: Campaign, asked: Wanted, words: Sequence[str], logs: Path) -> None:
    """Make every run that is missing. What each node prints is in a file of `logs`.

    Args:
        words: options of every command, such as --campaign_dir.

    Raises:
        UsageError: Ray has a node that the file does not name.
        MissingError, RunError: as for `opened`; no node is left.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with opened(asked, log=logs / "ray.txt") as cluster:
        before = campaign.state.stop_request
        found = duties(campaign, [member.name for member in cluster.members])
        console.say(f"{campaign.plan.name}: {len(cluster.members)} nodes; what each prints is in {paths.shown(logs)}")
        command = [sys.executable, "-m", "code.main", "--action=campaign", f"--campaign_file={campaign.plan.file}", *words]
        hand_out(cluster, found, command, logs, lambda: campaign.state.stop_request != before)


def duties(campaign: Campaign, nodes: Sequence[str]) -> list[Duty]:
    """What is to be done: of a fleet by each node, else of the runs that are missing."""
    if campaign.plan.node_count:
        return [Duty(campaign.share(name).node, (f"--node={name}",), number) for number, name in enumerate(nodes)]
    share = campaign.state.share()
    missing = [one.name for one in campaign.plan.runs if share.run(one.name).result is None]
    return [Duty(name, (f"--campaign_run={name}",)) for name in missing]


def hand_out(nodes: Nodes, todo: Sequence[Duty], command: Sequence[str], logs: Path, stopped: Callable[[], bool]) -> None:
    """Have nodes do what is to be done, each one thing at a time. What a lost node did another one does, where any may.

    Args:
        stopped: whether nothing more is to begin.

    RunError where no node is left for something.
    """
    work = _Work(nodes, command, logs, deque(todo), list(range(len(nodes.members))))
    while work.waiting or work.under_way:
        SIGNALS.check()
        if stopped():
            work.waiting.clear()
        work.begin()
        if work.waiting and not work.under_way:
            raise RunError(
                f"{len(work.waiting)} of {len(todo)} are left, and no node for them",
                "every node that could was lost",
                "see `ray status`, then start the campaign again: it goes on at what is missing",
            )
        ended = nodes.ended()
        if ended is not None:
            work.end(ended)


@dataclass
class _Work:
    """What waits, which nodes are free, and what is under way.

    Args:
        command, logs: of `hand_out`.
        free: numbers of nodes.
    """

    nodes: Nodes
    command: Sequence[str]
    logs: Path
    waiting: deque[Duty]
    free: list[int]

    def __post_init__(self) -> None:
        self.under_way: dict[str, tuple[int, Duty]] = {}
        self._variables = {name: os.environ[name] for name in HANDED_ON if name in os.environ}

    def begin(self) -> None:
        """Give each free node the next thing that it may do."""
        for number in list(self.free):
            duty = next((one for one in self.waiting if one.only in (None, number)), None)
            if duty is not None:
                self.waiting.remove(duty)
                self.free.remove(number)
                self.under_way[duty.name] = (number, duty)
                output = self.logs / f"{self.nodes.members[number].name}.txt"
                self.nodes.begin(number, duty.name, [*self.command, *duty.words], self._variables, output)

    def end(self, ended: Ended) -> None:
        """Something is over: its node is free, or lost."""
        number, duty = self.under_way.pop(ended.task)
        name = self.nodes.members[number].name
        if ended.status is not None:
            self.free.append(number)
            console.say(f"{name}: {duty.name}: {'done' if ended.status == 0 else f'ended with status {ended.status}'}")
        elif duty.only is None:
            self.waiting.appendleft(duty)
            console.warn(f"node {name} was lost ({ended.why}): another one makes {duty.name}")
        else:
            console.warn(f"node {name} was lost ({ended.why}): its runs are missing")
