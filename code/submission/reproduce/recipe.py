"""The config class and the command lines that repeat a published result, each value with where it was found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from code.common.constants import AccuracyTarget, Benchmark, HarnessType, PowerSetting, Scenario, WorkloadSetting
from code.common.errors import HarnessError, UsageError
from code.fields.accepted import ACCEPTED
from code.fields.field import Field
from code.fields.table import FIELDS, field_table
from code.plan.workload import TEXT, TEXT_BACKEND
from code.rules.benchmarks import BENCHMARKS, ResultFacts, required_audits, result_named
from code.submission.reproduce import config_files
from code.submission.reproduce.published import PublishedResult
from code.systems.stubs import base_class, config_folder
from code.systems.system_list import KnownSystem

NS_PER_MS = 1_000_000
FROM_DATA = ("performance_sample_count_override",)
"""Settings that follow from the data set in use."""


@dataclass
class Recipe:
    """How to repeat one result.

    Args:
        system: the name of the system here, known or to be added.
        known: whether the project knows it.
        values: field → (value, where it was found).
        notes: what could not be taken over, a line each.
    """

    result: PublishedResult
    facts: ResultFacts
    target: str
    system: str
    known: bool
    values: dict[str, tuple[Any, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark."""
        found = Benchmark.get_match(self.facts.name)
        assert found is not None
        return found

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return Scenario[self.result.place.scenario]

    @property
    def setting(self) -> WorkloadSetting:
        """The config version."""
        power = PowerSetting.MaxQ if self.result.measures_power else PowerSetting.MaxP
        return WorkloadSetting(HarnessType.Custom, AccuracyTarget[self.target], power)


def recipe_of(result: PublishedResult) -> Recipe:
    """The recipe of a result. UsageError for a benchmark or scenario that the harness does not have."""
    place = result.place
    facts = result_named(place.benchmark)
    if facts is None or place.scenario not in facts.facts.scenarios:
        raise UsageError(
            f"{place.benchmark} {place.scenario} does not run in this harness",
            f"it has {', '.join(sorted(BENCHMARKS))}",
            "name the folder of another result",
        )
    target = next(name for name, one in facts.facts.targets.items() if one.full_name == place.benchmark)
    system, known = _system(result)
    recipe = Recipe(result, facts, target, system, known)
    _from_configs(recipe)
    _from_measurements(recipe)
    _from_conf(recipe)
    _from_seeds(recipe)
    return recipe


def _system(result: PublishedResult) -> tuple[str, bool]:
    """The known system that a result's name contains, the longest; else its name as an identifier."""
    own = _plain(result.place.system)
    fitting = [one.name for one in KnownSystem if any(_names(own, _plain(name)) for name in (one.name, one.system_id))]
    if fitting:
        return max(fitting, key=lambda name: (len(name), name)), True
    name = re.sub(r"\W+", "_", result.place.system).strip("_")
    return (f"System_{name}" if name[:1].isdigit() else name), False


def _names(own: str, known: str) -> bool:
    """Whether a plain name contains another one; 'l40sx16' does not contain 'l40sx1'."""
    return re.search(rf"{re.escape(known)}(?!\d)", own) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _from_configs(recipe: Recipe) -> None:
    found = config_files.find(recipe.result, recipe.facts.name, recipe.target)
    if found is None:
        recipe.notes.append("no config file of its submitter fits it: fields come from user.conf and measurements alone")
        return
    for name, (value, where) in found.values.items():
        _take(recipe, name, value, _shown(recipe, where))
    recipe.notes += [f"{_shown(recipe, line)} is set by an expression that is not read" for line in found.skipped]


def _shown(recipe: Recipe, where: str) -> str:
    """A place in the tree, relative to its root."""
    return where.removeprefix(f"{recipe.result.root}/")


def _from_measurements(recipe: Recipe) -> None:
    if recipe.result.precision and "precision" not in recipe.values:
        _take(recipe, "precision", recipe.result.precision, "weight_data_types of the measurements")
    backend = recipe.result.backend
    if backend == "tensorrt" and recipe.facts.facts.family == TEXT:
        backend = TEXT_BACKEND  # system descriptions name TensorRT for TensorRT-LLM too
    if backend and "backend" not in recipe.values:
        _take(recipe, "backend", backend, "framework of the system description")


def _from_conf(recipe: Recipe) -> None:
    """What LoadGen was given goes before what a config file says."""
    where = _shown(recipe, str(recipe.result.conf_file)) if recipe.result.conf_file else ""
    scenario = recipe.result.place.scenario
    by_key = {one.loadgen: one for one in FIELDS if one.loadgen and (not one.scenarios or scenario in one.scenarios)}
    for key, text in recipe.result.conf.items():
        option = by_key.get(key)
        if key in FROM_DATA:
            continue
        if option is None:
            recipe.notes.append(f"{where}: {key} = {text} has no option here")
        else:
            _take(recipe, option.name, _from_loadgen(option, text), where)


def _from_loadgen(option: Field, text: str) -> Any:
    """A number of user.conf in the field's unit: LoadGen's times are in ms."""
    number = float(text)
    if option.unit == "ns":
        return round(number * NS_PER_MS)
    if option.name.endswith("_percentile"):
        return number / 100 if number > 1 else number
    if option.type == "bool":
        return bool(number)
    return int(number) if option.type == "int" or number == int(number) else number


def _from_seeds(recipe: Recipe) -> None:
    """A round that the harness knows is named on the command line; another one's seeds are given."""
    if recipe.result.log is not None and recipe.result.round is None:
        for name, seed in recipe.result.seeds.items():
            _take(recipe, name, seed, "its detail log, of a round that is not known here")


def _take(recipe: Recipe, name: str, value: Any, where: str) -> None:
    """Set a field, or note why it is not."""
    option = field_table().get(name)
    if option is None:
        recipe.notes.append(f"{where}: {name} = {value!r} has no option here")
    elif option.name in ACCEPTED:
        recipe.notes.append(f"{where}: {name} = {value!r} is ignored here: {ACCEPTED[option.name]}")
    elif value is not None and not option.request:
        try:
            recipe.values[option.name] = (option.check(value, where), where)
        except HarnessError as error:
            recipe.notes.append(f"{where}: {name} = {value!r} is not taken over: {error.why or error.what}")


def class_text(recipe: Recipe) -> str:
    """A file configs/<benchmark>/<Scenario>/custom.py with the config class."""
    gpu = "GPU" in recipe.result.system.get("accelerator_model_name", "") or recipe.result.backend == "tensorrt"
    base = base_class(recipe.benchmark, recipe.scenario, gpu) or base_class(recipe.benchmark, recipe.scenario, not gpu)
    setting = recipe.setting
    lines = [
        f'"""Repeats {recipe.result.folder.relative_to(recipe.result.root)}."""',
        "",
        "from . import *",
        "",
        "",
        f"@ConfigRegistry.register(HarnessType.{setting.harness_type.name}, AccuracyTarget.{setting.accuracy_target.name}, "
        f'PowerSetting.{setting.power_setting.name}, "{SUFFIX}")',
        f"class {recipe.system}_Reproduced({base}):",
        f"    system = KnownSystem.{recipe.system}",
        *(f"    {name} = {value!r}  # {where}" for name, (value, where) in recipe.values.items() if name not in _SEEDS),
    ]
    return "\n".join(lines) + "\n"


SUFFIX = "Reproduced"
"""The variant that the class is: a known system has a class of its own for the workload."""
_SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")


def file_name(recipe: Recipe) -> str:
    """Where the class belongs."""
    return f"configs/{config_folder(recipe.benchmark, recipe.scenario)}/custom.py"


def commands(recipe: Recipe) -> list[str]:
    """The command lines, in their order: with the config class, and for its audits."""
    name = recipe.facts.name
    lines = [f"make {target} BENCHMARKS={name}" for target in ("download_data", "download_model", "preprocess_data")]
    if not recipe.known:
        lines.append(f"make add_system NAME={recipe.system}")
    words = [*_words(recipe), f"--config_suffix={SUFFIX}"]
    lines.append(f"make run RUN_ARGS={_quoted([*words, '--test_mode=SubmissionRun'])}")
    known = recipe.result.round
    if known is not None and recipe.result.place.division != "open" and required_audits(known, name):
        lines.append(f"make run_audit_harness RUN_ARGS={_quoted(words)} ROUND={known.name}")
    return lines


def command_without_class(recipe: Recipe) -> str:
    """One command line that sets every field itself, on the system of this machine."""
    words = [f"--{name}={_on_command_line(value)}" for name, (value, _) in recipe.values.items() if name not in _SEEDS]
    return f"make run RUN_ARGS={_quoted([*_words(recipe), *words, '--test_mode=PerformanceOnly'])}"


def _words(recipe: Recipe) -> list[str]:
    words = [f"--benchmarks={recipe.facts.name}", f"--scenarios={recipe.result.place.scenario}"]
    version = recipe.setting.config_ver()
    words += [f"--config_ver={version}"] if version != "default" else []
    words += [f"--round={recipe.result.round.name}"] if recipe.result.round else []
    return words + [f"--{name}={recipe.values[name][0]}" for name in _SEEDS if name in recipe.values]


def _on_command_line(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return (
            ",".join(f"{name}:{number}" for name, number in value.items()) if len(value) > 1 else str(next(iter(value.values())))
        )
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _quoted(words: list[str]) -> str:
    text = " ".join(shlex.quote(word) for word in words)
    return '"' + text.replace('"', '\\"') + '"'
