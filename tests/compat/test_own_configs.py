"""The project's own configs: every listed system has each benchmark, scenario and accuracy target, and each resolves by --dry_run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.actions import Context, dry_run, list_configs
from code.benchmarks.benchmark import definition_of
from code.common.constants import Benchmark, HarnessType, PowerSetting
from code.plan.request import parse, parse_benchmark
from code.plan.workload import build
from code.rules.benchmarks import BENCHMARKS
from code.systems.data import token_results
from code.systems.estimate import FIELD_OF, SYSTEM_OF
from code.systems.system_list import KnownSystem
from configs import loading
from configs.configuration import CONFIG_ROOT, Probed, Registered
from configs.inspection import duplicates, faults, misplaced, system_of
from tests.empty import some

LISTED = (
    *("A100_SXM4_40GBx1", "A100_SXM4_40GBx8", "A100_SXM_80GBx1", "A100_SXM_80GBx8", "A100_PCIe_80GBx1", "A100_PCIe_80GBx8"),
    *("ND_H100_v5", "H100_SXM_80GBx1", "H100_SXM_80GBx8", "H100_PCIe_80GBx1", "H100_PCIe_80GBx8", "H100_NVL_94GBx1"),
    *("H200_SXM_141GBx1", "H200_SXM_141GBx8", "GH200_96GB_ARMx1", "L4x1", "L40x1", "L40Sx1", "L40Sx8"),
    *("CPU_x86_64", "CPU_aarch64"),
)
BENCHMARKS = tuple(parse_benchmark(name) for name in sorted(BENCHMARKS))
PROCESSORS = ("CPU_x86_64", "CPU_aarch64")
TOKENS = parse_benchmark(token_results.BENCHMARK)
PUBLIC = {(group.accelerator, group.accelerators) for group in token_results.groups()}
REACHED = {(group.accelerator, group.scenario) for group in token_results.groups()}
"""Accelerators and scenarios with public results in tokens per second."""
SCALED = ("H100_SXM_80GBx8", "ND_H100_v5", "H200_SXM_141GBx1", "L40Sx8", "B200_SXM_180GBx1", "RTX_PRO_6000_96GBx1")
"""Systems whose expected tokens per second are scaled by count."""
SYSTEMS = {benchmark: PROCESSORS if str(benchmark).startswith("llama3.1") else LISTED for benchmark in BENCHMARKS}
SYSTEMS[TOKENS] = (*PROCESSORS, *(name for name, parts in SYSTEM_OF.items() if parts in PUBLIC), *SCALED)
"""Benchmark → the listed systems that it has configs for."""
EVERY = tuple(dict.fromkeys(name for systems in SYSTEMS.values() for name in systems))
EXPECTED = tuple(FIELD_OF.values())


@pytest.fixture(autouse=True)
def _own_configs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(loading.CUSTOM_ENVIRONMENT, raising=False)
    loading.forget()


def own(benchmark: Benchmark) -> list[Registered]:
    """The classes of the files that come with the project, not of a custom.py beside them."""
    files = [loading.load(benchmark, scenario)[0] for scenario in definition_of(benchmark).scenarios]
    assert all(file.problems == () for file in files)
    return [entry for file in files for entry in file.entries]


def expected(benchmark: Benchmark, system: str, scenario: str) -> bool:
    """Whether a system has a config of a scenario: in tokens per second, where such a result of its accelerator is public."""
    return benchmark is not TOKENS or system in PROCESSORS or (SYSTEM_OF[system][0], scenario) in REACHED


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=str)
def test_every_class_is_sound(benchmark: Benchmark) -> None:
    entries = own(benchmark)
    assert duplicates(entries) == []
    for entry in entries:
        assert faults(entry) == []
        assert (entry.setting.power_setting is PowerSetting.MaxQ) == entry.cls.__name__.endswith("_MaxQ")
        assert entry.setting.harness_type is HarnessType.Custom
        system = KnownSystem.get(system_of(entry))
        assert system is not None and not system.retired
        plain = entry.cls.__name__.removesuffix("_MaxQ").removesuffix("_HighAccuracy")
        assert plain == system.name, "a custom.py inherits by the system's name"


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=str)
def test_every_listed_system_has_every_scenario_and_target(benchmark: Benchmark) -> None:
    have = {(getattr(e.cls, "scenario", None), system_of(e), e.setting.accuracy_target.name) for e in own(benchmark)}
    for scenario in definition_of(benchmark).scenarios:
        for system in SYSTEMS[benchmark]:
            for target in definition_of(benchmark).facts.targets:
                wanted = expected(benchmark, system, scenario.name)
                assert ((scenario, system, target) in have) == wanted, (scenario, system, target)


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=str)
def test_classes_stand_where_they_belong(benchmark: Benchmark) -> None:
    for scenario in definition_of(benchmark).scenarios:
        for entry in loading.load(benchmark, scenario)[0].entries:
            assert misplaced(entry, benchmark, scenario) is None


def test_expected_values_say_where_they_are_from() -> None:
    for path in sorted(some(CONFIG_ROOT.glob("*/*/__init__.py"))):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400
        for line in lines:
            if any(f" {name} = " in line for name in EXPECTED) and "Probed" not in line:
                assert "  # " in line, f"{path}: {line}"


@pytest.mark.parametrize("system", EVERY)
def test_every_workload_of_a_listed_system_resolves_by_dry_run(system: str, capsys: pytest.CaptureFixture[str]) -> None:
    request = parse(["--action=run", "--dry_run", "--benchmarks=all", "--config_ver=all", f"--system={system}"], {})
    workloads, unplanned = build(request)
    assert unplanned == []
    at_full_power = [workload for workload in workloads if workload.setting.power_setting is PowerSetting.MaxP]
    wanted = [
        (str(benchmark), scenario.name, target.full_name)
        for benchmark in BENCHMARKS
        for scenario in definition_of(benchmark).scenarios
        for target in definition_of(benchmark).facts.targets.values()
        if system in SYSTEMS[benchmark] and expected(benchmark, system, scenario.name)
    ]
    found = [(str(one.benchmark), one.scenario.name, one.full_name) for one in at_full_power]
    assert sorted(found) == sorted(wanted) and wanted
    context = Context(request)
    for workload in workloads:
        value = workload[FIELD_OF[str(workload.scenario)]]
        assert isinstance(value, Probed) if system.startswith("CPU_") else value > 0
        dry_run.run(context.job(workload), context)
    said = capsys.readouterr().out
    assert said.count("\n  LoadGen  ") == len(workloads)


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_all_means_every_benchmark(name: str) -> None:
    runs = parse(["--action=run", "--benchmarks=all"], {}).benchmarks()
    looks = parse(["--action=run", "--benchmarks=all", "--dry_run"], {}).benchmarks()
    assert parse_benchmark(name) in looks
    assert parse_benchmark(name) in runs


def test_all_leaves_out_what_a_system_has_no_config_for() -> None:
    asked = ["--action=run", "--dry_run", "--system=L4x1"]
    workloads, unplanned = build(parse([*asked, "--benchmarks=all"], {}))
    assert unplanned == [] and {str(one.benchmark) for one in workloads} == {"3d-unet", "bert", "gptj"}
    assert "left out of --benchmarks=all, for L4x1 has no config: llama3.1-8b, llama3.1-8b-edge" in workloads[0].notes
    _, unplanned = build(parse([*asked, "--benchmarks=bert,llama3.1-8b", "--scenarios=offline"], {}))
    assert [one.label for one in unplanned] == ["llama3.1-8b Offline"]


def test_list_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_configs.run(Context(parse(["--action=list_configs", "--system=ND_H100_v5"], {}))) == 0
    out = capsys.readouterr().out
    assert out.count("ND_H100_v5") == sum("ND_H100_v5" in systems for systems in SYSTEMS.values()) and "L4x1" not in out
    arguments = ["--action=list_configs", "--benchmarks=bert", "--scenarios=server", "--json"]
    assert list_configs.run(Context(parse(arguments, {}))) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["scenario"] for row in content["configs"]} == {"Server"}
    assert {"ND_H100_v5", "CPU_x86_64"} <= {row["system"] for row in content["configs"]}
    where = Path(content["configs"][0]["where"].rpartition(":")[0])
    assert (CONFIG_ROOT.parent / where).is_file()
    assert list_configs.run(Context(parse(["--action=list_configs", "--scenarios=server"], {}))) == 0
    assert "3d-unet" not in capsys.readouterr().out
