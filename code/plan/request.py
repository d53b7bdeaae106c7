"""Strict parsing of the command line and environment into a request."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.benchmarks.benchmark import definition_of
from code.common.constants import ALL_SETTINGS, AccuracyTarget, Benchmark, HarnessType, PowerSetting, Scenario, WorkloadSetting
from code.common.errors import UsageError, nearest, unknown
from code.fields.field import FALSE, TRUE, Field
from code.fields.table import FIELDS, field_table, lookup
from code.rules.benchmarks import BENCHMARKS

ENVIRONMENT_PREFIX = "MLPINF_"
OTHER_VARIABLES = ("MLPINF_CUSTOM_DEFINITION_PATH",)
OLDER_VARIABLES = {"GPTJ_BEAM_SIZE": "num_beams"}
"""Environment variables of older harnesses → the fields they set."""
FAST_MIN_DURATION_MS = 60_000


@dataclass(frozen=True)
class Value:
    """A value and its origin."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Request:
    """The parsed command line and environment.

    Args:
        given: request options and field overrides by name; the command line overrides the environment.
        warnings: printed before anything runs.
    """

    given: Mapping[str, Value]
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The value of an option, or its default."""
        if name in self.given:
            return self.given[name].value
        return lookup(name).default

    def overrides(self) -> dict[str, Value]:
        """The given values of config fields, without request options."""
        return {name: value for name, value in self.given.items() if not lookup(name).request}

    def benchmarks(self) -> list[Benchmark]:
        """The requested benchmarks; UsageError if there are none, or one is unknown or unsupported."""
        words = self["benchmarks"]
        if not words:
            raise UsageError(
                "no benchmark given",
                "there is no default, so that a typo cannot start every benchmark",
                f"add --benchmarks=… with one or more of {', '.join(sorted(BENCHMARKS))}, or all",
            )
        if "all" in [w.lower() for w in words]:
            return [parse_benchmark(name) for name in sorted(BENCHMARKS)]
        return _unique([parse_benchmark(word) for word in words])

    def scenarios(self, benchmark: Benchmark) -> list[Scenario]:
        """The requested scenarios, or all of the benchmark's; UsageError for one that is unknown or that it lacks."""
        has = definition_of(benchmark).scenarios
        named = self._named_scenarios()
        for scenario in named:
            if scenario not in has:
                raise UsageError(
                    f"{benchmark} has no {scenario} scenario",
                    f"MLPerf defines {', '.join(str(s) for s in has)} for it",
                    f"leave {scenario} out of --scenarios, or run it for another benchmark",
                )
        return named or list(has)

    def scenarios_among(self, has: Sequence[Scenario]) -> list[Scenario]:
        """The requested scenarios out of `has`, or all of them; UsageError for an unknown one."""
        named = self._named_scenarios()
        return [scenario for scenario in named if scenario in has] if named else list(has)

    def _named_scenarios(self) -> list[Scenario]:
        """The scenarios requested by name; [] for none or "all"."""
        words = self["scenarios"]
        if not words or [w.lower() for w in words] == ["all"]:
            return []
        found = []
        for word in words:
            scenario = Scenario.get_match(word)
            if scenario is None:
                raise unknown("scenario", word, Scenario.spellings(), "--scenarios")
            found.append(scenario)
        return _unique(found)

    def settings(self) -> list[list[WorkloadSetting]]:
        """The requested config versions, each as the settings that satisfy it, best first.

        A version does not distinguish Custom from LWIS, so both can satisfy 'default'.
        """
        versions: dict[str, list[WorkloadSetting]] = {}
        for setting in ALL_SETTINGS:
            versions.setdefault(setting.config_ver(), []).append(setting)
        words = [w.lower() for w in self["config_ver"]]
        if "all" in words:
            return list(versions.values())
        out = []
        for word in words:
            if word not in versions:
                raise unknown("config version", word, [*versions, "all"], "--config_ver", listing=True)
            out.append(versions[word])
        return _unique(out)


def parse_benchmark(word: str) -> Benchmark:
    """The supported benchmark named by `word`; UsageError otherwise."""
    benchmark = Benchmark.get_match(word)
    if benchmark is None:
        raise unknown("benchmark", word, sorted(BENCHMARKS), "--benchmarks")
    if benchmark.valstr not in BENCHMARKS:
        raise UsageError(
            f"{benchmark} is not supported",
            "its configs load, but this harness does not implement it",
            f"run one of {', '.join(sorted(BENCHMARKS))}",
        )
    return benchmark


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Request:
    """Parse the command line and environment. UsageError for an unknown option or value."""
    given, warnings = _from_environment(environment)
    given.update(_from_command_line(arguments))
    if given.get("fast", Value(False, "")).value:
        given.setdefault("min_duration", Value(FAST_MIN_DURATION_MS, "command line --fast"))
    return Request(given, tuple(warnings))


def _from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    by_variable = {field.environment: field for field in FIELDS if not field.placed}
    given: dict[str, Value] = {}
    warnings = []
    for variable, name in OLDER_VARIABLES.items():
        if environment.get(variable):
            given[name] = Value(lookup(name).parse(environment[variable], variable), f"environment {variable}")
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES or text == "":
            continue
        field = by_variable.get(variable)
        if field is None:
            near = nearest(variable, [*by_variable, *OTHER_VARIABLES])
            warnings.append(f"unknown environment variable {variable}" + (f"; did you mean {near}?" if near else ""))
            continue
        given[field.name] = Value(field.parse(text, variable), f"environment {variable}")
    return given, warnings


def _from_command_line(arguments: Sequence[str]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise UsageError(
                f"unexpected argument {word!r}",
                "options have the form --name=value",
                _spelling_hint(word),
            )
        name, equals, text = word[2:].partition("=")
        field = lookup(name, kind="flag")
        if not equals:
            text = _following_value(field, name, rest)
        value = Value(field.parse(text, f"--{name}"), f"command line --{name}")
        if field.name in given and given[field.name].value != value.value:
            raise UsageError(
                f"--{field.name} was given twice with different values",
                f"{given[field.name].value!r} and {value.value!r}",
                f"keep one; lists are comma-separated: --{field.name}=a,b",
            )
        given[field.name] = value
    return given


def _spelling_hint(word: str) -> str:
    name = word.lstrip("-").partition("=")[0].replace("-", "_")
    near = nearest(name, field_table())
    return f"did you mean --{near}=…?" if near else 'write RUN_ARGS="--benchmarks=bert --scenarios=offline"'


def _following_value(field: Field, name: str, rest: list[str]) -> str:
    """The value of `--name value`; 'true' for a switch without one."""
    if field.type == "bool":
        if rest and rest[0].lower() in (*TRUE, *FALSE):
            return rest.pop(0)
        return "true"
    if not rest or rest[0].startswith("--"):
        raise UsageError(f"--{name} needs a value", field.help, f"write --{name}=VALUE")
    return rest.pop(0)


def _unique(items: list[Any]) -> list[Any]:
    return [item for i, item in enumerate(items) if item not in items[:i]]


__all__ = ["AccuracyTarget", "HarnessType", "PowerSetting", "Request", "Value", "parse", "parse_benchmark"]
