"""Which system a request is for, and which config of it a workload is planned with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from code.common.constants import ALL_SETTINGS, Benchmark, Scenario, WorkloadSetting
from code.common.errors import HarnessError, MissingError, UsageError, nearest
from code.machine.detect import DetectedSystem, detect
from code.plan.request import Request
from code.systems.described import as_described
from code.systems.folders import described_system, folded, known_system, same_system
from code.systems.matching import fitting, match, unregistered_name
from code.systems.system_list import KnownSystem, System
from configs.configuration import Registered
from configs.exports import MINIMAL
from configs.inspection import duplicates, place_of_field, system_of
from configs.loading import ConfigProblem, LoadedFile, folder_names, holds_configs, load, load_folders, use_folder
from configs.search import one_look


class NoConfigError(MissingError):
    """A system has no config at all for a benchmark and scenario."""


@dataclass(frozen=True)
class SystemChoice:
    """The system of a request.

    Args:
        name: a known system's name, or a system folder's.
        system_id: its name in results.
        names: every name that its configs may use.
        others: names of further systems that fit the detected machine, best first, each with its system ID.
    """

    name: str
    system_id: str
    detected: DetectedSystem
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Selected:
    """The config of a workload, and messages about the choice."""

    config: Registered
    notes: tuple[str, ...] = ()


def use_configs(request: Request) -> None:
    """Read configs of the folder that a request names before the project's own. UsageError for one without configs."""
    given = request["config_dir"]
    folder = Path(given).expanduser().resolve() if given else None
    try:
        held = folder is None or holds_configs(folder)
    except OSError as error:
        raise UsageError(
            f"config_dir {given} cannot be read",
            f"{error.filename}: {error.strerror}",
            "name the folder that contains the system folders, such as …/configs",
            request.given["config_dir"].origin,
        ) from error
    if folder is not None and not held:
        raise UsageError(
            f"config_dir {given} has no config files",
            "it holds neither <system folder>/<Scenario>/<benchmark>.py nor <benchmark>/<Scenario>/__init__.py"
            if folder.is_dir()
            else "it is not a directory",
            "name the folder that contains the system folders, such as …/configs",
            request.given["config_dir"].origin,
        )
    use_folder(folder)


@contextmanager
def one_look_at_configs(request: Request) -> Iterator[None]:
    """Read the configs that a request names; while this lasts their folders are searched once for each workload."""
    use_configs(request)
    with one_look():
        yield


def resolve_system(request: Request) -> SystemChoice:
    """The system that a request names, or the one that the machine is.

    MissingError for a machine that is neither known nor has a folder of configs of its own.
    """
    detected = _machine(request)
    if request["system"]:
        return _named(str(request["system"]), request, detected)
    try:
        found = match(detected)
    except MissingError:
        own = unregistered_name(detected)
        folder = _folder(own) or next((name for name in folder_names() if name == MINIMAL), None)
        if folder is None:
            raise
        note = f"this machine matches no known system; the configs in {folder}/ are used, and results are filed under {own}"
        return SystemChoice(own, own, detected, (note,), (own, folder))
    others = tuple((system.name, system.system_id) for system in fitting(detected) if system.name != found.system.name)
    names = (found.system.name, found.system_id)
    return SystemChoice(found.system.name, found.system_id, detected, tuple(found.warnings), names, others)


def _named(name: str, request: Request, detected: DetectedSystem) -> SystemChoice:
    known, folder = known_system(name), _folder(name)
    if known is not None:
        system_id = match(detected).system_id if known.name.startswith("CPU_") else known.system_id
        detected, notes = _as_planned(known, request, detected)
        return SystemChoice(known.name, system_id, detected, notes, (name, known.name, known.system_id))
    named = _class_for(name, request) if folder is None else None
    own = folder or (system_of(named) if named else name)
    described = described_system(own) if folder or named else None
    if described is None and folder is None:
        raise _unknown_system(name, request, named)
    if described is None:
        return SystemChoice(own, own, detected, (), (name, own))
    KnownSystem.define(described)
    note = f"{own} is taken for {described.accelerators} x {described.accelerator}, by its name"
    return SystemChoice(own, own, detected, (note,), (name, own))


def _as_planned(known: System, request: Request, detected: DetectedSystem) -> tuple[DetectedSystem, tuple[str, ...]]:
    """The machine to plan for a named system: with the processors of its description where nothing is run; and a note on that."""
    planned = as_described(known, detected) if _only_plans(request) and not request["capture"] else detected
    if planned is detected:
        return detected, ()
    return planned, (f"cores and NUMA nodes are those of {known.name}'s description, not of this machine",)


def _class_for(name: str, request: Request) -> Registered | None:
    """A config class of the requested workloads whose system, which nobody defined, is of that name."""
    wanted = folded(name)
    for benchmark in request.benchmarks():
        for scenario in request.scenarios(benchmark):
            for entry in (e for file in load(benchmark, scenario) for e in file.entries if folded(system_of(e)) == wanted):
                return entry
    return None


def _folder(name: str) -> str | None:
    """The system folder that a name means; one of exactly that name before one with a runtime's suffix."""
    found = [folder for folder in folder_names() if same_system(folder, name)]
    return min(found, key=lambda folder: folded(folder) != folded(name), default=None)


def _machine(request: Request) -> DetectedSystem:
    """This machine, or the captured one for actions that run nothing. UsageError for --capture with other actions."""
    if not request["capture"]:
        return detect()
    if not _only_plans(request):
        raise UsageError(
            f"--capture describes another machine, and {request['action']} works on this one",
            "a captured machine can be planned for but not run on",
            "add --dry_run, or leave --capture out",
        )
    return detect(request["capture"])


def _only_plans(request: Request) -> bool:
    return bool(request["dry_run"]) or request["action"] in ("explain", "simulate")


def _unknown_system(name: str, request: Request, named: Registered | None) -> UsageError:
    """The error for an undefined system whose name tells no accelerators. `named` is a config class for it."""
    near = nearest(name, [*KnownSystem.names(), *folder_names()])
    why = f"the nearest known system is {near!r}" if near else "no known system has a similar name"
    if KnownSystem.problems:
        why += f"; and some lists of systems could not be read: {KnownSystem.problems[0]}"
    if named is not None:
        return UsageError(
            f"config class {named.cls.__name__} is for an undefined system, {name!r}",
            why,
            f"run `make add_system NAME={name}` on that machine, or correct the name (see `make list_systems`)",
            place_of_field(named.cls, "system"),
        )
    where = request.given["system"].origin.removeprefix("command line ")
    return UsageError(
        f"unknown system {name!r}", why, "run `make list_systems`, or add this one with `make add_system NAME=…`", where
    )


def select(
    benchmark: Benchmark, scenario: Scenario, choice: SystemChoice, alternatives: Sequence[WorkloadSetting], suffix: str = ""
) -> Selected | None:
    """The config for a workload: of the system, of the next one that fits the machine, of the folder `minimal`.

    Two configs of the same layout for one workload are an error that cites both, whatever their order.

    Args:
        alternatives: the settings that satisfy the request, best first.
        suffix: the variant that the request names; '' for the one without.
    """
    for names in (choice.names, *choice.others):
        found = _of(benchmark, scenario, names, alternatives, suffix)
        if found is None:
            continue
        if names is choice.names:
            return found
        note = f"{choice.name} has no config for {benchmark} {scenario}; that of {names[0]}, which fits this machine too, is used"
        return Selected(found.config, (note, *found.notes))
    found = _of(benchmark, scenario, (MINIMAL,), alternatives, suffix)
    if found is None or MINIMAL in choice.names:
        return found
    note = f"{choice.name} has no config for {benchmark} {scenario}; the one of the folder {MINIMAL} is used"
    return Selected(found.config, (note, *found.notes))


def _of(
    benchmark: Benchmark, scenario: Scenario, names: Sequence[str], alternatives: Sequence[WorkloadSetting], suffix: str
) -> Selected | None:
    """The config of a system; a system folder goes before a class, which is named in a note."""
    files = load_folders(benchmark, scenario, lambda folder: any(same_system(folder, name) for name in names))
    wanted = {folded(name) for name in names}
    classes = [e for file in load(benchmark, scenario) for e in file.entries if folded(system_of(e)) in wanted]
    for setting in alternatives:
        exported = _with([entry for file in files for entry in file.entries], setting)
        folder = min((e.folder for e in exported), key=lambda name: folded(name) not in wanted, default="")
        config, notes = _one([e for e in exported if e.folder == folder], suffix)
        other, other_notes = _one(_with(classes, setting), suffix)
        if config is not None:
            return Selected(config, (*notes, *_remarks(files, config, other)))
        if other is not None:
            return Selected(other, other_notes)
    return None


def _with(entries: Sequence[Registered], setting: WorkloadSetting) -> list[Registered]:
    return [entry for entry in entries if entry.setting == setting]


def _remarks(files: Sequence[LoadedFile], config: Registered, other: Registered | None) -> list[str]:
    """Messages about a config of a system folder, and about the class that gave way to it."""
    remarks = [f"{file.file}: {remark}" for file in files if file.file == config.file for remark in file.remarks]
    if other is not None:
        remarks.append(f"the config at {config.where} is used; the class {other.cls.__name__} at {other.where} is not")
    return remarks


def _one(found: Sequence[Registered], suffix: str) -> tuple[Registered | None, tuple[str, ...]]:
    """One of the configs of a workload: of the wanted variant, else the one without a suffix, else the only variant."""
    for error in duplicates(found):
        raise error
    for entry in found:
        if entry.suffix.lower() == suffix.lower():
            return entry, ()
    variants = [entry.suffix for entry in found]
    if not found or (suffix and not any(variants)):
        return (found[0], ()) if found else (None, ())
    if len(found) == 1 and not suffix:
        return found[0], (f"the config at {found[0].where} is the variant {found[0].suffix}",)
    raise UsageError(
        f"no config variant {suffix!r}" if suffix else "several variants of one config",
        f"the variants are {', '.join(variant or '(none)' for variant in variants)}",
        "choose one with --config_suffix=…",
        found[0].where,
    )


def not_loaded(benchmark: Benchmark, scenario: Scenario, choice: SystemChoice, config: Registered) -> list[str]:
    """One line for each config file, class or list of systems that failed to load, of this system's folders or the chosen config's."""

    def concerned(folder: str) -> bool:
        return bool(folder == config.folder) or any(same_system(folder, name) for name in choice.names)

    files = [*load(benchmark, scenario), *load_folders(benchmark, scenario, concerned)]
    met = [f"{problem.where}: not loaded: {problem.reason}" for problem in problems(files)]
    return met + [f"{problem}: not loaded" for problem in KnownSystem.problems]


def problems(files: Sequence[LoadedFile]) -> list[ConfigProblem]:
    """The problems of all `files`."""
    return [problem for file in files for problem in file.problems]


def _versions_of(choice: SystemChoice, entries: Sequence[Registered]) -> list[str]:
    """The config versions that a system has among `entries`, and that can be asked for."""
    wanted = {folded(name) for name in choice.names}
    own = [entry for entry in entries if entry.folder or folded(system_of(entry)) in wanted]
    return sorted({entry.setting.config_ver() for entry in own if entry.setting in ALL_SETTINGS})


def no_config(benchmark: Benchmark, scenario: Scenario, choice: SystemChoice, setting: WorkloadSetting) -> HarnessError:
    """The error for a workload without a config: a file that failed, versions that exist, or the nearest system."""
    own = load_folders(benchmark, scenario, lambda folder: any(same_system(folder, name) for name in choice.names))
    files = [*own, *load(benchmark, scenario)]
    broken = problems(files)
    if broken:
        return UsageError(
            f"no config for {benchmark} {scenario} ({setting.config_ver()}) on {choice.name} could be loaded",
            broken[0].reason + (f", and {len(broken) - 1} more places failed" if len(broken) > 1 else ""),
            broken[0].hint or "fix the file",
            broken[0].where,
        )
    entries = [entry for file in files for entry in file.entries]
    here = _versions_of(choice, entries)
    if here:
        return UsageError(
            f"{choice.name} has no {setting.config_ver()!r} config for {benchmark} {scenario}",
            f"it has: {', '.join(here)}",
            f"choose one with --config_ver, or register one in configs/{benchmark}/{scenario}/custom.py",
        )
    others = sorted({system_of(e) for e in entries} | set(folder_names(benchmark)) - {""})
    near = nearest(choice.name, others)
    return NoConfigError(
        f"{choice.name} has no config for {benchmark} {scenario}",
        f"configs exist for {len(others)} systems" + (f", the nearest is {near}" if near else ""),
        f"run `make add_system NAME={choice.name}` for a first one with estimated values, or choose another with --system=NAME",
    )
