"""stage_results: check the newest complete runs and lay them out as the round requires."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.common import console, paths
from code.common.errors import MissingError
from code.plan.request import Request
from code.rules.benchmarks import short_name
from code.rules.rounds import Round
from code.submission.check.finding import Finding, errors
from code.submission.stage import candidates, endpoint_candidates, identity, inference, runs, staging
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Stage the results; returns 0 if every pair of runs was staged, 4 if some were left out."""
    request = context.request
    who = identity.read(request)
    found, findings = collect(request, who.round, who)
    done = staging.stage(found, findings, who, tree(request), infer=request["infer"])
    console.table(
        f"Staged in {paths.shown(done.root)}",
        ("Benchmark", "Scenario", "System", "Division", "Round", "Performance run", "Accuracy run"),
        [
            (p.benchmark, p.scenario, p.system, p.division, r.name, _shown(one, one.performance), _shown(one, one.accuracy))
            for p, r, one in done.results
        ],
    )
    for place, _, one in done.results:
        if note := inference.note(one):
            console.say(f"{place.label}: inferred: {note}")
    for note in dict.fromkeys(one.open_only for *_, one in done.results if one.open_only):
        console.say(note)
    print_findings(list(done.findings), None)
    console.say("Next: make truncate_results, then make check_submission")
    return FAILED_STATUS if errors(done.findings) else 0


def tree(request: Request) -> Path:
    """The submission tree: --submission_dir, else the default below build/."""
    given = request["submission_dir"]
    return Path(given).absolute() if given else staging.submission_dir()


def collect(request: Request, round_: Round | None, who: Identity) -> tuple[list[Candidate], list[Finding]]:
    """The candidates for a round (None: each benchmark's newest), filtered by the request, and findings on rejected runs."""
    if request["from_tree"]:
        found, findings = candidates.from_tree(Path(request["from_tree"]).absolute())
    elif request["endpoint_results"]:
        found, findings = _with_endpoints(request, round_, who)
    else:
        found, findings = candidates.from_logs(runs.log_folder(request["log_dir"]), request["runs"] or (), round_)
    if request["benchmarks"]:
        asked = request.benchmarks()
        wanted = {(definition_of(b).name, str(s)) for b in asked for s in request.scenarios(b)}
        short = {definition_of(b).name for b in asked}
        found = [one for one in found if (short_name(one.benchmark), one.scenario) in wanted]
        findings = [f for f in findings if any(f"/{name}" in str(f.path) for name in short)]
    return found, findings


def _with_endpoints(request: Request, round_: Round | None, who: Identity) -> tuple[list[Candidate], list[Finding]]:
    """The results of endpoints that were named, and beside them those of the harness's runs, if there are any."""
    asked = [definition_of(b).name for b in request.benchmarks()] if request["benchmarks"] else []
    named = endpoint_candidates.from_folders(request["endpoint_results"], asked, request["system"] or "", who)
    try:
        found, findings = candidates.from_logs(runs.log_folder(request["log_dir"]), request["runs"] or (), round_)
    except MissingError:
        return named, []
    keys = {one.key for one in named}
    return [*named, *(one for one in found if one.key not in keys)], findings


def print_findings(findings: list[Finding], root: Path | None) -> None:
    """Print each finding with its next step, errors first."""
    for finding in sorted(findings, key=lambda one: not one.error):
        lines = finding.lines(root)
        if finding.error:
            console.fail(lines)
        else:
            for line in lines:
                console.say(line)


def _shown(one: Candidate, folder: Path) -> str:
    run = one.performance_run if folder == one.performance else one.accuracy_run
    return run.started if run else paths.shown(folder)


ACTION = OncePerRequest(run)
