"""fleet: nodes that each ran the same workloads, side by side: who is slow, why, and who passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from code.actions import INVALID_STATUS, Context, OncePerRequest
from code.campaign import fleet, measures, rerun
from code.campaign.acceptance import Acceptance
from code.campaign.fleet import Fleet
from code.campaign.measures import Measure
from code.campaign.opened import Campaign, opened
from code.common import console, paths, tomlfile
from code.common.errors import MissingError, UsageError
from code.common.paths import build_dir

MOST_SHOWN = 40


def run(context: Context) -> int:
    """Write the page, CSV and JSON of a fleet. Returns 5 where a node does not pass.

    MissingError where there is no result, UsageError without a campaign of nodes or a folder.
    """
    request = context.request
    if request["fleet_dir"]:
        title, found, campaign = _of_folder(Path(request["fleet_dir"]).absolute(), request["campaign_file"])
    else:
        campaign = opened(request)
        title, found = campaign.plan.name, _of_campaign(campaign)
    to = Path(request["report_dir"]).absolute() if request["report_dir"] else build_dir() / "report"
    folder = to / f"fleet-{title}"
    page = rerun.write(found, title, folder, campaign.plan if campaign else None)
    if request["json"]:
        console.emit({"page": str(page), **found.as_json()})
    _print(found, title)
    console.say(f"page: {paths.shown(page)}; the same as {rerun.TABLE} and {rerun.DATA} beside it")
    again = folder / rerun.RERUN_FILE
    if again.is_file():
        console.say(f"To run what did not pass again, on those nodes: make campaign FILE={paths.shown(again)}")
    return 0 if found.accepted else INVALID_STATUS


def _of_folder(root: Path, file: str | None) -> tuple[str, Fleet, Campaign | None]:
    if not root.is_dir():
        raise UsageError(f"{root} is not a directory", "it has a folder for each node", "DIR=…")
    nodes, found = measures.of_folder(root)
    _require(found, str(root))
    rules = Acceptance.read(tomlfile.read(Path(file)).table("accept")) if file else Acceptance()
    return root.name, fleet.judge(nodes, list(dict.fromkeys(one.workload for one in found)), found, rules), None


def _of_campaign(campaign: Campaign) -> Fleet:
    plan = campaign.plan
    if not plan.node_count:
        raise UsageError(
            f"the campaign {plan.name} has no nodes",
            "a fleet is nodes that each make all runs",
            'write nodes = ["…"], or how many, in the file',
            str(plan.file),
        )
    shares = campaign.state.shares() if campaign.state.plan else []
    found = [one for share in shares for one in measures.of_share(share, plan.runs)]
    _require(found, str(plan.file))
    workloads = list(dict.fromkeys(measures.workload_of(one) for one in plan.runs if one.request["test_mode"] != "AccuracyOnly"))
    nodes = [share.node for share in shares]
    absent = max(0, plan.node_count - len(nodes))
    return fleet.judge(nodes, workloads, found, plan.acceptance, measures.node_facts(shares), absent)


def _require(found: Sequence[Measure], where: str) -> None:
    if not found:
        raise MissingError(
            f"no result of any node for {where}", "", "make campaign FILE=… on each node, or copy their logs to DIR/<node>"
        )


def _print(found: Fleet, title: str) -> None:
    columns = [column for column in found.columns if column.median is not None]
    rows = [
        (one.workload, one.nodes, f"{one.median:,.6g} {one.unit}", f"{100 * (one.sigma or 0) / (one.median or 1):.2f} %")
        for one in columns
    ]
    console.table(title, ("Workload", "Nodes", "Median", "Robust deviation"), rows)
    bad = [cell for cell in found.cells if cell.verdict != fleet.PASS]
    for cell in bad[:MOST_SHOWN]:
        causes = "; ".join(words for _, words in cell.causes)
        console.say(
            f"{cell.verdict}: {cell.node}, {cell.workload}: {'; '.join(cell.reasons)}"
            + (f"; telemetry: {causes}" if causes else "")
        )
    if len(bad) > MOST_SHOWN:
        console.say(f"and {len(bad) - MOST_SHOWN} more")
    simulated = " (SIMULATED)" if found.simulated else ""
    console.say(f"{rerun.summary(found)}{simulated}: {'accepted' if found.accepted else 'not accepted'}")


ACTION = OncePerRequest(run)
