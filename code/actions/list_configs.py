"""list_configs: list every config class and everything that failed to load."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.common import console
from code.common.constants import Benchmark, Scenario
from code.fields.consumer import Consumer
from code.plan.request import Request, parse_benchmark
from code.rules.benchmarks import BENCHMARKS
from code.systems.folders import known_system, same_system
from code.systems.system_list import KnownSystem
from configs.configuration import Registered
from configs.inspection import duplicates, faults, misplaced, system_of
from configs.loading import LoadedFile, load, load_folders

READS = Consumer("make list_configs", ("verbose",))


def run(context: Context) -> int:
    """One line per system with its scenarios and config versions, or per class with --verbose. Nothing is measured."""
    request = context.request
    pairs = [(b, s) for b in wanted_benchmarks(request) for s in _scenarios(request, b)]
    files = [(b, s, [*load(b, s), *load_folders(b, s, lambda folder: _named(request, folder))]) for b, s in pairs]
    loaded = [file for _, _, found in files for file in found]
    entries = [(b, s, e) for b, s, found in files for file in found for e in file.entries if _wanted(request, e)]
    if request["json"]:
        console.emit(as_json(entries, loaded))
        return 0
    if READS.of(request)["verbose"]:
        rows = [(str(b), str(s), _system(e), e.setting.config_ver(), e.cls.__name__, e.where) for b, s, e in entries]
        console.table("Configs", ("Benchmark", "Scenario", "System", "Version", "Class", "Where"), rows)
    else:
        console.table("Configs", ("Benchmark", "System", "Versions", "Scenarios"), _by_system(entries))
    for line in _complaints(entries, loaded):
        console.warn(line)
    return 0


def wanted_benchmarks(request: Request) -> list[Benchmark]:
    """The requested benchmarks, else all that have configs."""
    return request.benchmarks() if request["benchmarks"] else [parse_benchmark(name) for name in sorted(BENCHMARKS)]


def _scenarios(request: Request, benchmark: Benchmark) -> list[Scenario]:
    """The requested scenarios; if no benchmark was named, those of them that each benchmark has."""
    if request["benchmarks"]:
        return request.scenarios(benchmark)
    return request.scenarios_among(definition_of(benchmark).scenarios)


def _wanted(request: Request, entry: Registered) -> bool:
    return _named(request, _system(entry)) or _named(request, system_of(entry))


def _named(request: Request, system: str) -> bool:
    """Whether a system, or a system folder, is one that the request asks for."""
    asked = request["system"]
    known = known_system(str(asked)) if asked else None
    return not asked or any(same_system(system, name) for name in (asked, *((known.name, known.system_id) if known else ())))


def _system(entry: Registered) -> str:
    """The system folder of a config, or the system of a class."""
    return entry.folder or system_of(entry)


def _by_system(entries: list[tuple[Benchmark, Scenario, Registered]]) -> list[tuple[str, str, str, str]]:
    """One row per benchmark, system and set of versions."""
    versions: dict[tuple[str, str, str], list[str]] = {}
    for benchmark, scenario, entry in entries:
        found = versions.setdefault((str(benchmark), _system(entry), str(scenario)), [])
        if entry.setting.config_ver() not in found:
            found.append(entry.setting.config_ver())
    scenarios: dict[tuple[str, str, str], list[str]] = {}
    for (name, system, where), have in versions.items():
        scenarios.setdefault((name, system, ", ".join(have)), []).append(where)
    return [(name, system, words, ", ".join(where)) for (name, system, words), where in scenarios.items()]


def _complaints(entries: list[tuple[Benchmark, Scenario, Registered]], loaded: list[LoadedFile]) -> list[str]:
    """Configs that cannot run, one line each."""
    lines = [str(problem) for file in loaded for problem in file.problems]
    for benchmark, scenario, entry in entries:
        wrong = misplaced(entry, benchmark, scenario)
        found = [*faults(entry), *([wrong] if wrong else [])]
        lines += [f"{fault.where}: {fault.what}; {fault.why}" for fault in found]
    lines += [f"{error.what}: {error.why}" for error in duplicates(entry for _, _, entry in entries)]
    for name in dict.fromkeys(system_of(entry) for _, _, entry in entries if not entry.folder):
        if name and name not in KnownSystem:
            lines.append(f"{getattr(KnownSystem, name).undefined}; add it with `make add_system NAME={name}`")
    return list(dict.fromkeys(lines))


def as_json(entries: list[tuple[Benchmark, Scenario, Registered]], loaded: list[LoadedFile]) -> dict[str, object]:
    """The listing as JSON."""
    return {
        "configs": [
            {
                "benchmark": str(benchmark),
                "scenario": str(scenario),
                "system": _system(entry),
                "config_ver": entry.setting.config_ver(),
                "setting": entry.setting.shortname(),
                "class": entry.cls.__name__,
                "where": entry.where,
            }
            for benchmark, scenario, entry in entries
        ],
        "problems": _complaints(entries, loaded),
    }


ACTION = OncePerRequest(run)
