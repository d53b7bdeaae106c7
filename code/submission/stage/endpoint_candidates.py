"""Candidates for submission among folders that MLCommons endpoints' client has written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from code.common.errors import UsageError, unknown
from code.rules.benchmarks import every_facts, result_named
from code.rules.official_names import ALIASES
from code.rules.rounds import SERVER
from code.submission.stage import candidates, endpoint, system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.endpoint import TYPES, EndpointResult
from code.submission.stage.identity import Identity
from code.submission.stage.layout import SCENARIOS

OPTION = "--endpoint_results"


def from_folders(words: Iterable[str], benchmarks: list[str], system: str, identity: Identity) -> list[Candidate]:
    """The candidate of each folder.

    Args:
        words: '[scenario=]folder'; without a scenario it follows from the config: Offline, or Server.
        benchmarks: short names that were asked for; one alone is the benchmark of every folder whose config names none.
        system: the system's name in results; '' for this machine's.

    Raises UsageError for a folder that the client did not write, a benchmark or scenario that nothing tells, and two of one workload.
    """
    found: dict[tuple[str, str, str], Candidate] = {}
    for word in words:
        scenario, folder = _parsed(word)
        read, faults = endpoint.read(folder)
        if len(faults) == 3:
            why = f"it has none of {endpoint.CONFIGS[0]}, {endpoint.SUMMARY}, {endpoint.ACCURACY}"
            raise UsageError(f"{folder} is not a result of MLCommons endpoints", why, "name the client's report_dir", OPTION)
        name = system or system_file.endpoint_name()
        one = candidates.of_endpoint(folder, name, _benchmark(folder, read, benchmarks), scenario or _scenario(read), {})
        one = with_fields(one, identity)
        if one.key in found:
            why = f"{found[one.key].endpoint} and {folder}"
            raise UsageError(f"two results of {one.label}", why, f"name the scenario: {OPTION}=Interactive={folder}", OPTION)
        found[one.key] = one
    return list(found.values())


def with_fields(one: Candidate, identity: Identity) -> Candidate:
    """The candidate with the submitter's fields of its measurements JSON."""
    return replace(one, measured_fields=identity.measured_of(one.benchmark))


def _parsed(word: str) -> tuple[str, Path]:
    """The scenario, '' where none is named, and the folder."""
    name, equals, rest = word.partition("=")
    if not equals or Path(word).is_dir():
        return "", Path(word).absolute()
    by_lower = {written.lower(): scenario for written, scenario in SCENARIOS.items()}
    if name.lower() not in by_lower:
        raise unknown("scenario", name, sorted(set(SCENARIOS.values())), OPTION)
    return by_lower[name.lower()], Path(rest).absolute()


def _benchmark(folder: Path, read: EndpointResult, benchmarks: list[str]) -> str:
    """The benchmark of a result: as its config submits it, the one that was asked for, or the model's name at the server."""
    reference, model = read.names
    asked = benchmarks[0] if len(benchmarks) == 1 else ""
    for name in (reference, asked, model):
        if result_named(ALIASES.get(name, name)) is not None:
            return ALIASES.get(name, name)
    known = sorted(facts.name for facts in every_facts() if any(rules.endpoint for rules in facts.rounds.values()))
    raise UsageError(
        f"nothing tells which benchmark {folder} is a result of",
        f"its config has submission_ref.model {reference!r} and model_params.name {model!r}",
        f"add --benchmarks= with one of {', '.join(known)}",
        OPTION,
    )


def _scenario(read: EndpointResult) -> str:
    return TYPES.get(read.type, (SERVER,))[0]
