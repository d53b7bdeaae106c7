"""What documents a result of MLCommons endpoints' client: measurements JSON, README.md and a paragraph on calibration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from code.rules.rounds import Round
from code.submission.stage import endpoint
from code.submission.stage.candidates import Candidate
from code.submission.stage.endpoint import EndpointResult

CALIBRATION = "{benchmark} on {system}, measured at an endpoint: weights of {precision}. Transformations: {transformations}."


def content(one: Candidate, read: EndpointResult, round_: Round) -> dict[str, Any]:
    """The measurements JSON: the submitter's fields, and what the client recorded of itself."""
    noted = {"division_note": one.open_only} if one.open_only else {}
    return {**one.measured_fields, **noted, "endpoints_version": _client(read), "round": round_.name}


def readme(one: Candidate, read: EndpointResult, round_: Round) -> str:
    """README.md of one result, with the steps to reproduce it."""
    value, unit = read.figure(one.scenario)
    shown = "not in the summary" if value is None else f"{value:.6g} {unit}"
    parts = [f"# {one.benchmark} {one.scenario} on {one.system}", "", f"Result: {shown}", f"Accuracy: {_score(read.score)}", ""]
    if one.open_only:
        parts += [f"**{one.open_only[0].upper()}{one.open_only[1:]}.**", ""]
    parts += [
        "## To reproduce it",
        "",
        "Start the server, then run MLCommons endpoints' client with the config beside this page:",
        "",
        "```",
        "inference-endpoint benchmark from-config --config config.yaml --mode both",
        "```",
        "",
        "## Inputs",
        "",
        "| What | Is |",
        "| --- | --- |",
        *(f"| {name} | {text} |" for name, text in _facts(one, read, round_) if text),
    ]
    return "\n".join(parts).rstrip() + "\n"


def calibration(one: Candidate) -> str:
    """The paragraph on a result's weights; '' for a result of another form."""
    if one.endpoint is None:
        return ""
    fields = one.measured_fields
    precision, transformations = (fields.get(name, "not stated") for name in ("weight_data_types", "weight_transformations"))
    return CALIBRATION.format(
        benchmark=one.benchmark, system=one.system, precision=precision, transformations=str(transformations).rstrip(".")
    )


def _client(read: EndpointResult) -> str:
    return " ".join(str(read.summary.get(name, "")) for name in ("version", "git_sha")).strip()


def _score(score: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in score.items()) if isinstance(score, dict) else str(score)


def _facts(one: Candidate, read: EndpointResult, round_: Round) -> Iterator[tuple[str, str]]:
    yield "Round", f"{round_.name}, with its seeds"
    yield "MLCommons endpoints", _client(read)
    yield "Model at the server", read.names[1]
    yield "Load", ", ".join(f"{name} {value}" for name, value in read.load.items())
    yield "Requests", f"{read.summary.get('n_samples_issued', 0):,} issued, {read.summary.get('n_samples_failed', 0):,} failed"
    for name, words in (("starting_weights_filename", "Weights"), ("weight_data_types", "Precision")):
        yield words, str(one.measured_fields.get(name, ""))
    for series in ("ttft", "tpot"):
        estimate = read.tail(series, 99)
        yield f"{series.upper()}, 99 %", "" if estimate is None else f"{estimate / endpoint.NS_PER_MS:.6g} ms"
