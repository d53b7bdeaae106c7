"""Loads one tree of config files and reports it, as a process of its own: `python3 -m scripts.config_load TREE.json REPORT`.

Each line of REPORT is a JSON object: {"start": file} before a file is loaded, {"file": …} after it, {"tree": …} at the end. So the process
that started this one knows which file it is in (scripts/check_configs.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError
from scripts.config_trees import CLASSES, ENDPOINT, SCENARIOS, Tree, TreeFile

MOST_MEMORY = 4 << 30
"""Bytes of address space that config files may use: one that fills a list for ever fails itself, not the machine."""


def check(tree: Tree, out: TextIO, skipped: dict[str, str], values: bool = False) -> None:
    """Load a tree into this process and report it. Changes where this process finds configs: call it once.

    Args:
        skipped: files that are not to be loaded, each with the reason.
        values: whether to report every config with its values.
    """
    import configs
    from code.systems.system_list import KnownSystem
    from configs.configuration import Registered
    from configs.inspection import duplicates, faults

    def say(**what: Any) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    if not tree.lone:
        configs.__path__.insert(0, str(tree.root))
    for path in tree.systems:
        KnownSystem.include(path)
    entries = list[Registered]()
    refused: dict[tuple[str, str], dict[str, Any]] = {}
    for file in tree.files:
        reason = skipped.get(str(file.path))
        if reason is not None:
            say(file=_report(file, failures=[{"line": 0, "reason": reason, "hint": "the others load"}]))
        elif not file.layout:
            say(file=_report(file, notes=[file.note]))
        else:
            say(start=str(file.path))
            loaded, report = _loaded(tree, file)
            say(file=report)
            for entry in loaded if values else ():
                say(config=described(entry))
            entries += loaded
            for wrong in _misplaced(tree, file, loaded):
                note(refused, wrong)
    for error in (*(error for entry in entries for error in faults(entry)), *duplicates(entries)):
        note(refused, error)
    undefined = _undefined(entries)
    problems = [f"{p.path}:{p.line}: {p.message}" for p in KnownSystem.problems if p.path in tree.systems]
    say(tree={"refused": list(refused.values()), "undefined": undefined, "systems_list": problems})


def _loaded(tree: Tree, file: TreeFile) -> tuple[Sequence[Any], dict[str, Any]]:
    """The configs of a file, and its line of the report."""
    loaded, unread = _load(tree, file)
    failures = [{"line": p.line, "reason": p.reason, "hint": p.hint} for p in loaded.problems]
    notes = [note for note in (unread, *loaded.remarks) if note]
    return loaded.entries, _report(file, len(loaded.entries), failures, notes)


def _misplaced(tree: Tree, file: TreeFile, entries: Sequence[Any]) -> list[HarnessError]:
    """The errors of configs that are of another workload than their file's place."""
    from configs.inspection import misplaced

    place = _place(tree, file)
    found = [misplaced(entry, *place) for entry in entries] if place is not None else []
    return [error for error in found if error is not None]


def _undefined(entries: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """System → where it is named and by which configs, for each that is no known system."""
    from configs.inspection import place_of_field, system_of

    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        placeholder = getattr(getattr(entry.cls, "system", None), "undefined", "")
        if placeholder:
            uses = {"where": place_of_field(entry.cls, "system"), "why": placeholder, "classes": []}
            found.setdefault(system_of(entry), uses)["classes"].append(entry.where)
    return found


def described(entry: Any) -> dict[str, Any]:
    """A config with its values, and what of it is not a value."""
    from code.fields.texts import plain
    from code.systems.folders import known_system
    from configs.configuration import Detected, Probed
    from configs.inspection import CLASS_ONLY, fields_of, place_of, system_of

    values, unsaid = {}, []
    for name, (value, owner) in fields_of(entry.cls).items():
        if isinstance(value, (Detected, Probed)):
            unsaid.append([name, place_of(owner, name), f"it follows from the machine: {value!r}"])
        elif name not in CLASS_ONLY:
            values[name] = plain(value)
    system = entry.folder or system_of(entry)
    known = known_system(system)
    benchmark = getattr(entry.cls, "benchmark", "")
    return {
        "where": entry.where,
        "folder": entry.folder,
        "benchmark": str(benchmark),
        "member": benchmark.name if isinstance(benchmark, Benchmark) else "",
        "scenario": str(getattr(entry.cls, "scenario", "")),
        "system": system,
        "known": known.name if known else "",
        "system_id": known.system_id if known else "",
        "setting": [entry.setting.harness_type.name, entry.setting.accuracy_target.name, entry.setting.power_setting.name],
        "suffix": entry.suffix,
        "values": values,
        "unsaid": unsaid,
    }


def _report(file: TreeFile, configs: int = 0, failures: Any = (), notes: Any = ()) -> dict[str, Any]:
    return {
        "file": str(file.path),
        "layout": file.layout,
        "classes": configs,
        "failures": list(failures),
        "notes": list(notes),
    }


def _load(tree: Tree, file: TreeFile) -> tuple[Any, str]:
    """(what loading a file gives, why no run selects it or '')."""
    from configs import endpoints, exports
    from configs.loading import load_endpoint, load_export, load_file

    if file.layout == CLASSES:
        return load_file(_module_name(tree, file.path), file.path), ""
    if file.layout == ENDPOINT:
        server = endpoints.located(file.path, tree.root)
        assert server is not None, "a tree's endpoint files are in their places"
        return load_endpoint(
            server
        ), "" if server.benchmark else f"no benchmark is called {server.folder!r}, so no run selects it"
    placed = exports.located(file.path, tree.root)
    if placed is None:  # deeper than a scenario folder, or beside the system folders
        placed = exports.ExportFile(file.path, tree.root, file.path.parent.name, "", file.path.stem)
    return load_export(placed), placed.unread


def note(refused: dict[tuple[str, str], dict[str, Any]], error: HarnessError) -> None:
    """Count a fault; one that many classes inherit is one fault."""
    fault = refused.setdefault(
        (error.where, error.why), {"where": error.where, "what": error.what, "why": error.why, "classes": 0}
    )
    fault["classes"] += 1


def _place(tree: Tree, file: TreeFile) -> tuple[Benchmark, Scenario] | None:
    """The benchmark and scenario that a class file's folder names, None where it names no benchmark of MLPerf's."""
    if tree.lone or file.layout != CLASSES or file.path.parent.parent == tree.root:
        return None
    names = {benchmark.folder: benchmark for benchmark in Benchmark}
    benchmark = names.get(file.path.parents[1].name)
    scenario = Scenario.get_match(file.path.parent.name)
    return (benchmark, scenario) if benchmark and scenario else None


def _module_name(tree: Tree, path: Path) -> str:
    """What the file is called when it is imported; a lone file is taken for its benchmark's and scenario's custom.py."""
    if not tree.lone:
        if path.parent.parent == tree.root:
            return f"configs.{path.parent.name}"
        scenario = SCENARIOS[path.parent.name.lower()]
        package = f"configs.{path.parents[1].name}.{scenario}"
        return package if path.name == "__init__.py" else f"{package}.custom"
    text = f"{path.name} {path.read_text(encoding='utf-8-sig', errors='replace')}"
    benchmarks = [
        b.folder
        for b in Benchmark
        if re.search(rf"Benchmark\.{b.name}\b|(configs\.|['\"])({re.escape(b.valstr)}|{re.escape(b.folder)})\b", text)
    ]
    scenarios = [s.valstr for s in Scenario if s.name in text]
    if not benchmarks or not scenarios:
        return f"configs.lone_{path.stem}"
    return f"configs.{benchmarks[0]}.{scenarios[0]}.lone_{path.stem}"


def limit_memory() -> None:
    """Bound this process's address space, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    limit_memory()
    with Path(sys.argv[2]).open("w", encoding="utf-8") as report:
        check(Tree.from_json(given), report, given["skipped"], given["values"])
