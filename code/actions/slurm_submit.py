"""slurm_submit: write a Slurm job and submit it: a run on each node, a campaign as an array, or a fleet."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from code.actions import Context, OncePerRequest
from code.campaign import slurm
from code.campaign.opened import opened
from code.common import console, paths
from code.common.errors import UsageError
from code.common.paths import build_dir
from code.plan.request import Request

OWN = (
    "action",
    "slurm_nodes",
    "slurm_args",
    "slurm_container",
    "slurm_image",
    "campaign_file",
    "campaign_dir",
    "systems",
    "dry_run",
)
"""Options of the submission itself; all others are those of the run."""


def run(context: Context) -> int:
    """Write the script and submit it; --dry_run writes it only.

    Raises:
        UsageError: neither a benchmark nor a campaign, or both.
        MissingError, RunError: there is no Slurm here, or it refused the job.
    """
    request = context.request
    words = _run_words(sys.argv[1:])
    if request["campaign_file"]:
        return _campaign(request, words)
    for benchmark in request.benchmarks():
        request.scenarios(benchmark)
    folder = _folder("run")
    path = slurm.write(
        folder, [*_options(folder, "run"), f"--nodes={request['slurm_nodes'] or 1}"], _variables(request, folder, words)
    )
    job = _submitted(request, path)
    if job:
        console.say(f"Results of each node: build/logs/slurm-{job}/<node>   Logs: {paths.shown(folder)}   State: squeue -j {job}")
    return 0


def _campaign(request: Request, words: Sequence[str]) -> int:
    campaign = opened(request)
    plan, state = campaign.plan, campaign.state
    name = plan.name
    folder = _folder(name)
    options, missing = _options(folder, name), list[str]()
    if plan.node_count:
        count = request["slurm_nodes"] or plan.node_count
        options += [
            f"--nodes={count}",
            *([f"--nodelist={','.join(plan.nodes)}"] if plan.nodes and count == len(plan.nodes) else []),
        ]
    else:
        missing = [one.name for one in plan.runs if state.share().run(one.name).result is None]
        if not missing:
            console.say(f"every run of {name} is done")
            return 0
        limit = f"%{request['slurm_nodes']}" if request["slurm_nodes"] else ""
        options += ["--nodes=1", f"--array=1-{len(missing)}{limit}"]
    variables = _variables(request, folder, words)
    for option in ("campaign_dir", "systems"):
        if request[option]:
            value = request[option] if option == "campaign_dir" else ",".join(request[option])
            variables["RUN_ARGS"] = f"{variables['RUN_ARGS']} {shlex.quote(f'--{option}={value}')}".strip()
    path = slurm.write(folder, options, {**variables, "CAMPAIGN": str(plan.file)}, missing)
    campaign.record()
    job = _submitted(request, path)
    if job:
        state.add_job(job)
        console.say(f"Logs: {paths.shown(folder)}   State: make campaign_status FILE={paths.shown(plan.file)}")
    return 0


def _run_words(arguments: Sequence[str]) -> list[str]:
    """The words that belong to the run; every option is written as --name=value or is a switch."""
    found: list[str] = []
    skipping = False
    for word in arguments:
        if word.startswith("--"):
            skipping = word[2:].partition("=")[0].replace("-", "_") in OWN
        if not skipping:
            found.append(word)
    return found


def _folder(name: str) -> Path:
    return build_dir() / "slurm" / f"{name}-{time.strftime('%Y.%m.%d-%H.%M.%S')}"


def _options(folder: Path, name: str) -> list[str]:
    return [f"--job-name=mlperf-{name}", f"--output={folder}/%A_%a.log" if name != "run" else f"--output={folder}/%j.log"]


def _variables(request: Request, folder: Path, words: Sequence[str]) -> dict[str, str]:
    container = str(request["slurm_container"])
    image = str(request["slurm_image"] or "")
    if container != "none" and not image:
        raise UsageError(f"{container} without an image", "the tasks run in it", "IMAGE=…, a file that every node sees")
    return {
        "RUN_ARGS": shlex.join(words),
        "MLPERF_ROOT": str(paths.project_root()),
        "MLPERF_LOGS": str(folder),
        "MLPERF_CONTAINER": container,
        "MLPERF_IMAGE": image,
    }


def _submitted(request: Request, path: Path) -> str:
    """The ID of the submitted job; '' with --dry_run."""
    try:
        arguments = shlex.split(request["slurm_args"] or "")
    except ValueError as error:
        raise UsageError("SLURM_ARGS cannot be read", str(error), "close the quote", "--slurm_args") from error
    if request["dry_run"]:
        console.say(f"written, not submitted: sbatch {shlex.join([*arguments, paths.shown(path)])}")
        return ""
    job = slurm.submit(path, arguments)
    console.say(f"Slurm job {job}: {paths.shown(path)}")
    return job


ACTION = OncePerRequest(run)
