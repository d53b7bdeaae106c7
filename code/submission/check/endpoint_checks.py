"""Rules for a result of MLCommons endpoints' client, in its own folder or in a staged tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.rules.benchmarks import rules_in
from code.rules.metrics import TEN_MINUTES_MS
from code.rules.rounds import OFFLINE
from code.submission.check import log_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.stage import endpoint
from code.submission.stage.endpoint import EndpointResult

RUN_AGAIN = "run the client again"
ROUGE_KEYS = {"ROUGE1": "rouge1", "ROUGE2": "rouge2", "ROUGEL": "rougeL", "ROUGELSUM": "rougeLsum", "GEN_LEN": "gen_len"}
"""Metric → its key in a score of the client's ROUGE scorer."""


def check(folder: Path, claim: Claim) -> Iterator[Finding]:
    """Findings on a result in the client's form: config, summary and scores.

    Source: what the official checker asks of such a result (checks/performance_check.py and accuracy_check.py). What it does not ask,
    and the rules do, is an error in the closed division only.
    """
    rules = rules_in(claim.round, claim.benchmark)
    if rules is None or not rules.endpoint:
        what = f"{claim.round.name} does not take results of MLCommons endpoints for {claim.benchmark}"
        yield Finding(folder, what, "choose ROUND=v6.1, or measure it with LoadGen: make run", check="round")
        return
    read, faults = endpoint.read(folder)
    for path, what in faults:
        yield _unread(folder, path, what)
    unread = {path.name for path, _ in faults}
    if not unread & set(endpoint.CONFIGS):
        yield from _config(endpoint.config_file(folder) or folder, read, claim)
    if Path(endpoint.SUMMARY).name not in unread:
        yield from _summary(folder / endpoint.SUMMARY, read, claim)
    if Path(endpoint.ACCURACY).name not in unread:
        yield from _accuracy(folder / endpoint.ACCURACY, read, claim)


def _unread(folder: Path, path: Path, what: str) -> Finding:
    step = f"{RUN_AGAIN} with --mode both, which writes both reports"
    if what == "missing" and path == folder / endpoint.SUMMARY and (folder / endpoint.PUBLISHED).is_file():
        what = "missing: it is in run_1, where the official checker does not look"
        step = f"mv {folder / endpoint.PUBLISHED} {path}, and put config.yaml beside performance/"
    return Finding(path, what, step, check="files")


def _config(path: Path, read: EndpointResult, claim: Claim) -> Iterator[Finding]:
    if claim.scenario not in endpoint.TYPES.get(read.type, ()):
        kinds = " or ".join(kind for kind, scenarios in endpoint.TYPES.items() if claim.scenario in scenarios)
        what = f"type is {read.type!r}; the official checker takes {claim.scenario} from type {kinds or 'offline or online'}"
        yield Finding(path, what, f"{RUN_AGAIN} with type: {kinds or 'online'}", check="scenario")
    for ours, name in endpoint.SEEDS.items():
        found, wanted = read.runtime.get(ours), claim.round.seeds[name]
        if found != wanted:
            what = f"settings.runtime.{ours} is {found}, {claim.round.name} requires {wanted}"
            yield Finding(path, what, f"set it, and {RUN_AGAIN}", check="seeds")
    asked = read.runtime.get("min_duration_ms")
    if asked is None or asked < TEN_MINUTES_MS:
        what = f"settings.runtime.min_duration_ms is {asked}; the checker requires {TEN_MINUTES_MS} or more in every division"
        yield Finding(path, what, f"set it, and {RUN_AGAIN}", check="duration")


def _summary(path: Path, read: EndpointResult, claim: Claim) -> Iterator[Finding]:
    absent = [name for name, value in read.needed(claim.scenario).items() if not value]
    if absent:
        what = f"no {', '.join(absent)}: the official checker computes the result from it"
        step = f"{RUN_AGAIN} with a tokenizer_name, with streaming on if online, and for 662 samples or more, which early stopping needs"
        yield Finding(path, what, step, check="result")
    rules = rules_in(claim.round, claim.benchmark)
    bounds = rules.token_bounds.get(claim.scenario) if rules else None
    for name, most in (("ttft", bounds.first), ("tpot", bounds.each)) if bounds else ():
        found = read.tail(name, 99)
        if found is not None and found >= most:
            shown, bound = found / endpoint.NS_PER_MS, most / endpoint.NS_PER_MS
            what = f"{name} is {shown:.6g} ms for 99 % of the queries; {claim.scenario} requires less than {bound:g} ms"
            yield Finding(path, what, f"lower settings.load_pattern.target_qps, and {RUN_AGAIN}", check="latency")
    issued, least = read.summary.get("n_samples_issued"), claim.result.facts.samples
    if claim.scenario == OFFLINE and issued and issued < least:
        what = f"the run issued {issued:,} samples; {claim.benchmark} has {least:,}"
        step = f"set settings.runtime.n_samples_to_issue, and {RUN_AGAIN}"
        yield Finding(path, what, step, error=claim.closed, check="samples", own=True)
    if failed := read.summary.get("n_samples_failed"):
        yield Finding(path, f"{failed:,} requests failed", RUN_AGAIN, error=claim.closed, check="errors", own=True)
    if read.summary.get("complete") is not True:
        what = "the run is not complete: it was interrupted, or its metrics were"
        yield Finding(path, what, RUN_AGAIN, error=claim.closed, check="complete", own=True)


def _accuracy(path: Path, read: EndpointResult, claim: Claim) -> Iterator[Finding]:
    step = f"{RUN_AGAIN} with --mode both and the whole data set of type accuracy"
    if read.score is None:
        yield Finding(path, "no accuracy score", step, check="accuracy")
        return
    found, wanted = read.scored_samples, claim.result.facts.samples
    if found != wanted:
        what = f"the accuracy run covers {found:,} samples; {claim.benchmark} has {wanted:,}" if found else "no count of samples"
        yield Finding(path, what, step, check="samples")
    values = scores(read)
    for name in claim.result.target.least:
        if values.get(name) is None:
            what = f"no {name} in the score, which the rules bound and the official checker does not read in this form"
            yield Finding(path, what, f"{RUN_AGAIN} with eval_method: rouge", error=claim.closed, check="accuracy", own=True)
    yield from log_checks.against_targets(path, claim, values)


def scores(read: EndpointResult) -> dict[str, float | None]:
    """Metric → its value in the score; None for one that is not in it."""
    score = read.score if isinstance(read.score, dict) else {}
    return {name: _number(score.get(key)) for name, key in ROUGE_KEYS.items()}


def _number(value: object) -> float | None:
    """The client writes its means as text."""
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None
