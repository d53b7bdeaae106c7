"""campaign_status: how far campaigns are: done, running, failed, and the time that is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from code.actions import Context, OncePerRequest
from code.campaign import progress
from code.campaign.opened import opened
from code.campaign.progress import Entry, Progress
from code.campaign.state import PLAN, CampaignState, Stage, campaigns_folder
from code.common import console, paths
from code.common.errors import MissingError
from code.plan.request import Request

MOST_SHOWN = 20


def run(context: Context) -> int:
    """Print the state of one campaign, or of all; JSON with --json."""
    request = context.request
    found = [one for one in map(progress.read, _states(request)) if one is not None]
    if request["json"]:
        console.emit([one.as_json() for one in found])
        return 0
    if not found:
        named = request["campaign_file"]
        what = (
            f"{named} has not been started"
            if named
            else f"no campaign in {paths.shown(campaigns_folder(request['campaign_dir']))}"
        )
        raise MissingError(what, "", f"make campaign FILE={named or 'campaign.toml'}")
    for one in found:
        _print(one)
    return 0


def _states(request: Request) -> Iterator[CampaignState]:
    if request["campaign_file"]:
        yield opened(request).state
        return
    for path in sorted(campaigns_folder(request["campaign_dir"]).glob(f"*/{PLAN}")):
        yield CampaignState(path.parent)


def _print(one: Progress) -> None:
    counts = ", ".join(f"{one.count(stage)} {stage.value}" for stage in Stage if one.count(stage))
    left = "" if not _going_on(one) else f"; about {console.duration(one.left_s)} left" if one.left_s is not None else ""
    console.say(f"{one.name}: {len(one.entries)} runs: {counts}{left}")
    if one.absent:
        console.say(f"  {one.absent} nodes have not begun")
    if one.jobs:
        console.say(f"  Slurm jobs: {', '.join(one.jobs)}")
    _print_entries([entry for entry in one.entries if entry.stage in (Stage.RUNNING, Stage.FAILED)])
    if _going_on(one) and not one.active:
        console.say(f"  Nothing makes its runs now. Go on with: make campaign FILE={one.file}")


def _print_entries(entries: Sequence[Entry]) -> None:
    for entry in entries[:MOST_SHOWN]:
        node = f" on {entry.node}" if entry.node else ""
        console.say(f"  {entry.stage.value}: {entry.label}{node}" + (f": {entry.outcome}" if entry.outcome else ""))
        if entry.output:
            console.say(f"    {paths.shown(Path(entry.output))}")
    if len(entries) > MOST_SHOWN:
        console.say(f"  and {len(entries) - MOST_SHOWN} more (--json lists all)")


def _going_on(one: Progress) -> bool:
    return any(entry.stage not in (Stage.DONE, Stage.FAILED) for entry in one.entries)


ACTION = OncePerRequest(run)
