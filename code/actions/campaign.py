"""campaign: make every run that a file asks for and that is not done; --dry_run shows the plan and its hours."""

from __future__ import annotations

from typing import Any

from code.actions import INVALID_STATUS, Context, OncePerRequest
from code.campaign import over_ray, progress, work
from code.campaign.opened import Campaign, opened
from code.campaign.plan import PlannedRun
from code.campaign.progress import Entry
from code.campaign.state import Stage
from code.common import console
from code.common.errors import RunError, UsageError, unknown
from code.common.typed import natural
from code.plan.request import Request

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Make the runs of this machine, of one node, or of all nodes of a Ray cluster.

    Returns 4 where one failed; with --strict 5 where a result is INVALID.
    """
    request = context.request
    campaign = opened(request)
    if request["campaign_ray"] or request["campaign_nodes"]:
        return _over_ray(campaign, request)
    share = campaign.share(request["node"])
    if request["dry_run"]:
        _show(campaign, share.node, bool(request["json"]))
        return 0
    campaign.record()
    only = _only(campaign, request["campaign_run"])
    if only is None:
        console.say(f"{campaign.plan.name}: {len(campaign.plan.runs)} runs, about {console.duration(campaign.seconds)}")
    tally = work.make_runs(campaign.plan, campaign.state, share, only)
    found = _found(campaign)
    names = {one.name for one in campaign.plan.runs} if only is None else {only.name}
    mine = [one for one in found.entries if one.node == share.node and one.name in names]
    if request["json"]:
        console.emit(found.as_json())
    console.say(f"{campaign.plan.name}: {tally.done} runs made, {tally.before} were done before, {tally.failed} failed")
    if campaign.plan.node_count:
        console.say(f"The nodes side by side: make fleet FILE={campaign.plan.file}")
    return _status(mine, bool(request["strict"]))


def _over_ray(campaign: Campaign, request: Request) -> int:
    """The same on the nodes of a Ray cluster."""
    _require_consistent(request)
    plan = campaign.plan
    asked = over_ray.wanted(str(request["campaign_ray"]), request["campaign_nodes"], plan.node_count)
    if request["dry_run"]:
        _show(campaign, "", bool(request["json"]))
        if not request["json"]:
            console.say(over_ray.outlook(campaign, asked))
        return 0
    campaign.record()
    words = [f"--campaign_dir={request['campaign_dir']}"] if request["campaign_dir"] else []
    words += [f"--systems={','.join(request['systems'])}"] if request["systems"] else []
    over_ray.make_runs(campaign, asked, words, campaign.state.folder / "ray")
    found = _found(campaign)
    if request["json"]:
        console.emit(found.as_json())
    names = {one.name for one in plan.runs}
    entries = [one for one in found.entries if one.name in names]
    done = sum(one.stage is Stage.DONE for one in entries)
    console.say(f"{plan.name}: {done} of {len(entries)} runs are done")
    if plan.node_count:
        console.say(f"The nodes side by side: make fleet FILE={plan.file}")
    return FAILED_STATUS if found.absent else _status(entries, bool(request["strict"]))


def _require_consistent(request: Request) -> None:
    """UsageError for options that contradict RAY."""
    if not request["campaign_ray"]:
        raise UsageError(
            "NODES is set, and RAY is not", "a campaign is made here, or on a Ray cluster", "RAY=auto, or leave NODES out"
        )
    for option, name in (("node", "NODE"), ("campaign_run", "--campaign_run")):
        if request[option]:
            raise UsageError(f"{name} and RAY are given together", "with RAY every node has a part", f"leave {name} out", name)


def _found(campaign: Campaign) -> progress.Progress:
    """How far it is. RunError where its state is gone."""
    found = progress.read(campaign.state)
    if found is None:
        raise RunError(
            f"the state of {campaign.plan.name} is gone", f"{campaign.state.folder} was removed meanwhile", "start it again"
        )
    return found


def _only(campaign: Campaign, word: str | None) -> PlannedRun | None:
    """The run of --campaign_run, by its name or its number from 1; None for all. UsageError for one that the file does not ask for."""
    if word is None:
        return None
    runs, number = campaign.plan.runs, natural(word)
    if number is not None and 1 <= number <= len(runs):
        return runs[number - 1]
    if number is not None:
        raise UsageError(f"there is no run {number}", f"the file asks for {len(runs)}", "name one of these")
    found = next((one for one in runs if one.name == word), None)
    if found is None:
        raise unknown("run", word, [one.name for one in runs], str(campaign.plan.file), listing=False)
    return found


def _status(entries: list[Entry], strict: bool) -> int:
    if any(one.stage is not Stage.DONE for one in entries):
        return FAILED_STATUS
    wrong = any(verdict.startswith(("INVALID", "FAILED")) for one in entries for verdict in one.verdicts)
    return INVALID_STATUS if strict and wrong else 0


def _show(campaign: Campaign, node: str, as_json: bool) -> None:
    plan = campaign.plan
    left = [one for one in plan.runs if campaign.state.share(node).run(one.name).result is None]
    hours = sum(campaign.estimates[one.name].seconds for one in left) / 3600
    if as_json:
        console.emit(
            {"name": plan.name, "nodes": plan.node_count, "hours": hours, "runs": [_json(campaign, one) for one in plan.runs]}
        )
        return
    rows = []
    for number, one in enumerate(plan.runs, start=1):
        about = campaign.estimates[one.name]
        done = "missing" if one in left else "done"
        rows.append((number, one.label, f"make {one.target}", console.duration(about.seconds), about.source, done))
    console.table(f"{plan.name}: {len(plan.runs)} runs", ("", "Run", "By", "Takes", "As in", "State"), rows)
    nodes = f" on each of {plan.node_count} nodes" if plan.node_count else ""
    console.say(
        f"{len(left)} of {len(plan.runs)} runs are missing{nodes}: {hours:.1f} h, without building engines and downloads."
    )


def _json(campaign: Campaign, one: PlannedRun) -> dict[str, Any]:
    about = campaign.estimates[one.name]
    return {
        "name": one.name,
        "label": one.label,
        "target": one.target,
        "arguments": list(one.words),
        "seconds": about.seconds,
        "source": about.source,
    }


ACTION = OncePerRequest(run)
