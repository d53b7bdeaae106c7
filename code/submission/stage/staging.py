"""Staging: lay the selected results out as a round requires.

The tree is rebuilt from scratch each time and replaces the previous one atomically.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.errors import HarnessError, UsageError
from code.common.files import atomic_directory, write_json
from code.common.paths import build_dir
from code.rules.benchmarks import newest_with, result_named, short_name
from code.rules.rounds import Round
from code.submission.check.finding import Finding, errors
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates as sources
from code.submission.stage import inference, lay_out, record, system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.eligible import check
from code.submission.stage.identity import Identity
from code.submission.stage.layout import Place
from code.submission.stage.record import read_record, record_path


@dataclass(frozen=True)
class Staged:
    """Result of staging.

    Args:
        root: the tree.
        results: each staged result with its place in the tree and its round.
        findings: problems found; each error names a result that was left out.
    """

    root: Path
    results: tuple[tuple[Place, Round, Candidate], ...]
    findings: tuple[Finding, ...]


def submission_dir() -> Path:
    """The default folder of the staged tree."""
    return build_dir() / "submission"


def rounds_for(found: Iterable[Candidate], identity: Identity) -> dict[str, Round]:
    """Benchmark → the round it is staged for: the requested one, else the newest with that benchmark."""
    out = {}
    for one in found:
        out[one.benchmark] = identity.round or newest_with(short_name(one.benchmark))
        result = result_named(one.benchmark)
        if result is not None and result.below:
            out.setdefault(result.below, out[one.benchmark])
    return out


def stage(found: list[Candidate], findings: list[Finding], identity: Identity, root: Path, infer: bool = True) -> Staged:
    """Check the candidates and stage those that pass.

    Raises:
        UsageError: no candidate passed; the first finding is given as the reason.
        MissingError: a system description is incomplete.
    """
    round_of = rounds_for(found, identity)

    def claim_of(one: Candidate) -> Claim:
        category = system_file.category_of(one, identity)
        return Claim(one.benchmark, one.scenario, identity.division, category, round_of[one.benchmark], one.tiny)

    found, passed_over = sources.newest_eligible(found, lambda one: check(one, claim_of(one)))
    findings = [*findings, *passed_over]
    chosen = inference.inferred(found, round_of, lambda one: system_file.category_of(one, identity)) if infer else found
    findings = [*findings, *(_given_way(one, round_of[one.benchmark]) for one in found if one not in chosen)]
    good: list[tuple[Candidate, Claim]] = []
    for one in chosen:
        claim = claim_of(one)
        met = check(one, claim)
        findings = [*findings, *(f for f in met if f not in findings)]
        if not errors(met):
            good.append((one, claim))
    _require_one_layout(good)
    if not good:
        raise _nothing_staged(findings)
    results = []
    with atomic_directory(root) as fresh:
        for one, claim in good:
            place = Place(identity.division, identity.submitter, one.system, one.benchmark, one.scenario)
            findings = [*findings, *lay_out.result(fresh, place, one, claim, identity)]
            results.append((place, claim.round, one))
        lay_out.common(fresh, results, identity)
    write_json(record_path(root), _record(root, results, identity))
    return Staged(root, tuple(results), tuple(findings))


def _require_one_layout(good: Iterable[tuple[Candidate, Claim]]) -> None:
    """UsageError where results need trees of different layouts."""
    rounds = [(one.benchmark, claim.round) for one, claim in good]
    if len({round_.layout for _, round_ in rounds}) > 1:
        names = ", ".join(sorted({f"{benchmark} for {round_.name}" for benchmark, round_ in rounds}))
        raise UsageError("these results need trees with different layouts", names, "stage them one round at a time with ROUND=…")


def _nothing_staged(findings: list[Finding]) -> UsageError:
    reasons = errors(findings) or findings
    first = next(iter(reasons), None)
    more = f" (and {len(reasons) - 1} more: {'; '.join(one.what for one in reasons[1:4])})" if len(reasons) > 1 else ""
    return UsageError(
        "nothing could be staged",
        f"{first.path}: {first.what}{more}" if first else "no pair of complete runs",
        (first.next_step if first else "") or 'make both with `make run RUN_ARGS="… --test_mode=SubmissionRun"`',
    )


def _given_way(one: Candidate, round_: Round) -> Finding:
    what = f"left out: a bug in the official checker at {round_.checkers[0].commit[:12]} makes it fail on {one.label}"
    return Finding(one.performance, what, "to stage it anyway: --infer=false", error=False, check="checker")


def _record(root: Path, results: list[tuple[Place, Round, Candidate]], identity: Identity) -> dict[str, Any]:
    """The record of staged results: their sources, and digests of the logs, which must not change after staging."""
    return {
        "submitter": identity.submitter,
        "division": identity.division,
        "category": identity.category,
        "results": [
            {
                **vars(place),
                "round": round_.name,
                "tiny": one.tiny,
                "performance_run": str(one.performance),
                "accuracy_run": str(one.accuracy),
                "inferred": inference.note(one),
                "endpoint": one.endpoint is not None,
            }
            for place, round_, one in results
        ],
        "files": record.digests(root),
    }


__all__ = ["HarnessError", "Staged", "check", "read_record", "record_path", "rounds_for", "stage", "submission_dir"]
