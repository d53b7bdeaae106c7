"""Generates the initial configs of a new system, with estimated values, as source text."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING

from code.common.constants import Benchmark, Scenario
from code.common.files import require_regular
from code.common.paths import project_root
from code.machine.accelerator import GPU
from code.machine.detect import DetectedSystem
from code.rules.benchmark_facts import BenchmarkFacts
from code.rules.benchmarks import every_facts, facts_of
from code.systems.estimate import SERVER_MARGIN, estimate, known_name
from code.systems.system_list import System

if TYPE_CHECKING:
    from code.systems.prediction import Prediction

REGISTER = "@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.{target}, PowerSetting.MaxP)"
WIDTH = 110
Highest = Mapping[tuple[str, str], float]
"""Benchmark with accuracy target and scenario → the highest Server rate that a simulation finds VALID, in queries/s; 0 for none."""


def benchmarks() -> dict[Benchmark, tuple[Scenario, ...]]:
    """The benchmarks that run here, each with the scenarios that MLPerf defines for it."""
    known = {str(benchmark.valstr): benchmark for benchmark in Benchmark}
    return {known[facts.name]: tuple(Scenario[name] for name in facts.scenarios) for facts in every_facts()}


@dataclass(frozen=True)
class Target:
    """Target of a stub: a number of accelerators of one kind (None: processors only), with their bandwidth in GB/s if known."""

    accelerator: str | GPU | None
    count: int
    bandwidth: float | None = None

    @classmethod
    def of_machine(cls, detected: DetectedSystem) -> Target:
        """A detected machine's visible accelerators."""
        if not detected.gpus:
            return cls(None, 0)
        device = detected.gpus[0]
        return cls(device.kind, len(detected.gpus), device.facts.get("memory_bandwidth_gb_s"))

    @classmethod
    def of_system(cls, system: System) -> Target:
        """A known system's accelerators."""
        return cls(system.accelerator or None, system.accelerators)


def config_folder(benchmark: Benchmark, scenario: Scenario) -> str:
    """The folder of a workload's configs, below configs/."""
    return f"{benchmark.folder}/{scenario.valstr}"


def base_class(benchmark: Benchmark, scenario: Scenario, gpu: bool) -> str | None:
    """The class that a stub inherits from; None if the project has no configs for such a system."""
    path = project_root() / "configs" / config_folder(benchmark, scenario) / "__init__.py"
    name = f"{scenario.valstr}{'GPU' if gpu else 'CPU'}BaseConfig"
    return name if name in _classes(path) else None


def _classes(path: Path) -> list[str]:
    try:
        tree = ast.parse(require_regular(path).read_bytes())
    except (OSError, SyntaxError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def stub(
    name: str, benchmark: Benchmark, scenario: Scenario, target: Target, base: str, highest: Highest = MappingProxyType({})
) -> str:
    """The classes of one workload, for each of its accuracy targets."""
    gpu = target.accelerator is not None
    lines = [REGISTER.format(target="k_99"), f"class {name}({base}):", f"    system = KnownSystem.{name}"]
    facts = facts_of(benchmark.valstr)
    lines += _expected(facts, "k_99", scenario, target, highest) if gpu else _measured()
    if "k_99_9" not in facts.targets:
        return "\n".join(lines) + "\n"
    lines += ["", "", REGISTER.format(target="k_99_9"), f"class {name}_HighAccuracy({name}):"]
    precision = facts.high_accuracy_precision if gpu else "fp32"
    own = [f'    precision = "{precision}"'] if precision else []
    own += _expected(facts, "k_99_9", scenario, target, highest) if gpu else []
    return "\n".join(lines + (own or ["    pass"])) + "\n"


def _expected(facts: BenchmarkFacts, accuracy: str, scenario: Scenario, target: Target, highest: Highest) -> list[str]:
    assert target.accelerator is not None
    full_name = facts.targets[accuracy].full_name
    found = estimate(facts.name, full_name, str(scenario.valstr), target.accelerator, target.count, target.bandwidth)
    if found is None:
        return ["    # No public result to estimate from: the base class's values are used."]
    # What somebody submitted is possible, and a simulation has no continuous batching.
    most = None if found.published or facts.family == "text" else highest.get((full_name, str(scenario.valstr)))
    if most == 0:
        return ["    # No rate is proposed: in a simulation with the predicted service times none is VALID."]
    predicted = _predicted(full_name, scenario, target)
    sentence = found.sentence
    if predicted is not None:
        sentence += f"; a submission would reach {predicted.words()}, predicted from {predicted.source}"
        if scenario == Scenario.Server and not found.published and found.value > SERVER_MARGIN * predicted.rate:
            # A rate that the devices cannot complete is INVALID however they are tuned.
            sentence = f"{SERVER_MARGIN:.0%} of {predicted.words()}, predicted from {predicted.source}"
            found = replace(found, value=SERVER_MARGIN * predicted.rate, sentence=sentence)
    if most is not None and found.value > SERVER_MARGIN * most:
        sentence = f"{SERVER_MARGIN:.0%} of {most:,.4g}, the highest rate that is VALID in a simulation; not {sentence}"
        found = replace(found, value=SERVER_MARGIN * most)
    comment = [f"    # {line}" for line in wrap(sentence[0].upper() + sentence[1:], WIDTH)]
    return [*comment, f"    {found.field} = {found.rounded}"]


def _predicted(full_name: str, scenario: Scenario, target: Target) -> Prediction | None:
    """What public results predict for the target; None where they cannot tell."""
    from code.systems.prediction import predict  # NumPy, which takes long to import

    assert target.accelerator is not None
    name = target.accelerator if isinstance(target.accelerator, str) else known_name(target.accelerator)
    return predict(full_name, str(scenario.valstr), name, target.count)


def _measured() -> list[str]:
    return [
        "    # Streams and threads follow from the detected cores, the expected value from a short measurement at the first",
        "    # run; write a number here to fix one, such as: cpu_inference_streams = 2",
    ]
