"""Strict parsing of the command line and environment into a request."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.benchmarks.benchmark import definition_of
from code.common.constants import AccuracyTarget, Benchmark, HarnessType, PowerSetting, Scenario, WorkloadSetting
from code.common.errors import UsageError, nearest, unknown
from code.fields.field import FALSE, TRUE, Field
from code.fields.table import FIELDS, field_table, lookup
from code.plan import config_versions
from code.plan.reads import READ_BY, prints_json
from code.rules.benchmarks import BENCHMARKS

ENVIRONMENT_PREFIX = "MLPINF_"
OTHER_VARIABLES = ("MLPINF_CUSTOM_DEFINITION_PATH",)
OLDER_VARIABLES = {"GPTJ_BEAM_SIZE": "num_beams", "SYSTEM_NAME": "system", "CONFIG_DIR": "config_dir"}
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
        """The requested benchmarks that are supported.

        UsageError if there are none, or one is unknown. A request for others alone is an error too; beside supported ones they
        are among `warnings`.
        """
        words = self["benchmarks"]
        if not words:
            raise UsageError(
                "no benchmark given",
                "there is no default, so that a typo cannot start every benchmark",
                f"add --benchmarks=… with one or more of {', '.join(sorted(BENCHMARKS))}, or all",
            )
        if "all" in [w.lower() for w in words]:
            return [parse_benchmark(name) for name in sorted(BENCHMARKS)]
        supported, others = sorted_out(words)
        if not supported:
            raise others[0]
        return supported

    def scenarios(self, benchmark: Benchmark) -> list[Scenario]:
        """The requested scenarios that the benchmark has, or all of them; UsageError for an unknown one."""
        return self.scenarios_among(definition_of(benchmark).scenarios)

    def undefined(self) -> list[tuple[Benchmark, Scenario]]:
        """The requested pairs that MLPerf does not define. UsageError if there is no other."""
        benchmarks = self.benchmarks()
        missing = [(b, s) for b in benchmarks for s in self._named_scenarios() if s not in definition_of(b).scenarios]
        if missing and not any(self.scenarios(b) for b in benchmarks):
            benchmark, scenario = missing[0]
            raise UsageError(
                f"{benchmark} has no {scenario} scenario",
                f"MLPerf defines {', '.join(str(s) for s in definition_of(benchmark).scenarios)} for it",
                f"leave {scenario} out of --scenarios, or run it for another benchmark",
            )
        return missing

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
        """The requested config versions, each as the settings that satisfy it, best first (config_versions.py)."""
        words = self["config_ver"] or ["default"]
        if "all" in [word.lower() for word in words]:
            return config_versions.every()
        return [version.settings() for version in config_versions.versions(words, self._parts())]

    def _parts(self) -> config_versions.Version:
        return config_versions.by_parts(self["harness_type"], self["accuracy_target"], self["power_setting"])

    def unused(self) -> list[str]:
        """What of the request this harness does not act on, a line each with the reason."""
        supported, others = sorted_out(self["benchmarks"] or [])
        lines = [f"{error.what}: {error.why}" for error in others if supported]
        lines += config_versions.notes(self["config_ver"] or ["default"], self._parts())
        for name, actions in READ_BY.items():
            if name == "json" and prints_json(self["action"], bool(self["dry_run"])):
                continue
            if name in self.given and self["action"] and self["action"] not in actions:
                some = " and ".join(actions) if len(actions) < 4 else f"{', '.join(actions[:3])} and others"
                lines.append(f"{name} is for {some}, and {self['action']} does not read it")
        return lines


def sorted_out(words: Sequence[str]) -> tuple[list[Benchmark], list[UsageError]]:
    """(the supported benchmarks among `words`, an error for each of the others). UsageError for an unknown one; 'all' is neither."""
    supported: list[Benchmark] = []
    others = []
    for word in words:
        if word.lower() == "all":
            continue
        benchmark = Benchmark.get_match(word)
        if benchmark is not None and benchmark.valstr not in BENCHMARKS:
            others.append(not_supported(benchmark))
        else:
            supported.append(parse_benchmark(word))
    return _unique(supported), others


def parse_benchmark(word: str) -> Benchmark:
    """The supported benchmark named by `word`; UsageError otherwise."""
    benchmark = Benchmark.get_match(word)
    if benchmark is None:
        raise unknown("benchmark", word, sorted(BENCHMARKS), "--benchmarks")
    if benchmark.valstr not in BENCHMARKS:
        raise not_supported(benchmark)
    return benchmark


def not_supported(benchmark: Benchmark) -> UsageError:
    """The error for a benchmark whose configs load alone."""
    return UsageError(
        f"{benchmark} is not supported",
        "its configs load, but this harness does not implement it",
        f"run one of {', '.join(sorted(BENCHMARKS))}",
    )


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Request:
    """Parse the command line and environment. UsageError for an unknown option or value."""
    given, warnings = _from_environment(environment)
    given.update(_from_command_line(arguments))
    fast = given.get("fast", Value(False, ""))
    if fast.value:
        given.setdefault("min_duration", Value(FAST_MIN_DURATION_MS, fast.origin))
    return Request(given, (*warnings, *Request(given).unused()))


def _from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    by_variable = {field.environment: field for field in FIELDS if not field.placed}
    given: dict[str, Value] = {}
    warnings = []
    for variable, name in OLDER_VARIABLES.items():
        if environment.get(variable, "").strip():
            given[name] = Value(lookup(name).parse(environment[variable], variable), f"environment {variable}")
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES or not text.strip():
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
    """The value of `--name value`; 'true' for a switch without one.

    Whether an option of another harness takes a value is not known: the next word is its value unless it is an option.
    """
    if field.type == "any":
        return rest.pop(0) if rest and not rest[0].startswith("--") else "true"
    if field.type == "bool":
        if rest and rest[0].lower() in (*TRUE, *FALSE):
            return rest.pop(0)
        return "true"
    if field.type == "any" and (not rest or rest[0].startswith("--")):
        return "true"  # a switch of another harness
    if not rest or rest[0].startswith("--"):
        raise UsageError(f"--{name} needs a value", field.help, f"write --{name}=VALUE")
    return rest.pop(0)


def _unique(items: list[Any]) -> list[Any]:
    return [item for i, item in enumerate(items) if item not in items[:i]]


__all__ = ["AccuracyTarget", "HarnessType", "PowerSetting", "Request", "Value", "parse", "parse_benchmark"]
