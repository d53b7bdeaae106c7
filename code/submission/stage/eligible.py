"""Every reason not to stage a candidate."""

from __future__ import annotations

from code.rules.benchmarks import required_scenarios, rules_in
from code.submission.check import endpoint_checks, log_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates as sources
from code.submission.stage import measurements
from code.submission.stage.candidates import Candidate


def check(one: Candidate, claim: Claim) -> list[Finding]:
    """Every reason not to stage a candidate."""
    found: list[Finding] = []
    if rules_in(claim.round, one.benchmark) is None:
        step = f"choose a round that has it with ROUND=…, or leave {one.benchmark} out with --benchmarks"
        found.append(Finding(one.performance, f"{claim.round.name} has no {one.benchmark}", step, check="round"))
    if claim.closed and one.open_only:
        found.append(
            Finding(
                one.performance,
                f"not allowed in closed: {one.open_only}",
                "stage it with DIVISION=open",
                check="open_only",
            )
        )
    if claim.closed and not required_scenarios(claim.round, one.benchmark, claim.category):
        what = f"{claim.round.name} has no {one.benchmark} in closed {claim.category}"
        found.append(Finding(one.performance, what, "choose another CATEGORY, or DIVISION=open", check="category"))
    if any(finding.error for finding in found):
        return found
    if one.endpoint is not None:
        return [*found, *endpoint_checks.check(one.endpoint, claim), *measurements.lacking(one)]
    found += sources.sealed_findings(one)
    found += log_checks.performance(one.performance, claim)
    found += log_checks.accuracy(one.accuracy, claim)
    found += sources.pair_findings(one)
    found += sources.power_findings(one)
    return found
