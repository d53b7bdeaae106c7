"""campaign_stop: end the run that a campaign makes, and the campaign; `make campaign` goes on later."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid

from code.actions import Context, OncePerRequest
from code.campaign.opened import opened
from code.campaign.state import POLL_S, STOP, CampaignState
from code.campaign.work import GRACE_S
from code.common import console
from code.common.errors import RunError
from code.common.files import atomic_write


def run(context: Context) -> int:
    """Ask every process that makes runs of it to stop, on whichever node, and wait for them; cancel its Slurm jobs.

    RunError where one goes on after GRACE_S.
    """
    campaign = opened(context.request)
    state = campaign.state
    with atomic_write(state.folder / STOP) as out:
        out.write(uuid.uuid4().hex)
    _cancel(state)
    if not state.running():
        console.say(f"{campaign.plan.name} is not running")
        return 0
    end = time.monotonic() + GRACE_S
    while state.running():
        if time.monotonic() > end:
            raise RunError(
                f"{campaign.plan.name} goes on after {GRACE_S:.0f} s",
                "the process that makes its runs does not see this folder, or hangs",
                f"make campaign_status FILE={campaign.plan.file}",
            )
        time.sleep(POLL_S)
    console.say(f"{campaign.plan.name} was stopped; go on with: make campaign FILE={campaign.plan.file}")
    return 0


def _cancel(state: CampaignState) -> None:
    """Cancel the campaign's Slurm jobs. One that has ended already is no error to Slurm."""
    jobs = state.jobs
    if jobs and shutil.which("scancel"):
        subprocess.run(["scancel", "--quiet", *jobs], check=False)
        console.say(f"Slurm jobs cancelled: {', '.join(jobs)}")


ACTION = OncePerRequest(run)
