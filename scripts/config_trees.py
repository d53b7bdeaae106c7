"""Finds trees of config files below a folder, and loads one into a report.

Run as `python3 -m scripts.config_trees TREE.json REPORT.json` it loads one tree; scripts/check_configs.py does so for each.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError, MissingError, UsageError
from code.common.files import atomic_write

LEAVES = ("__init__.py", "custom.py")
LISTS = ("code/common/systems/custom_list.py", "custom_systems/custom_list.py", "custom_list.py")
SCENARIOS = {str(scenario.valstr).lower(): str(scenario.valstr) for scenario in Scenario}
SKIPPED = {".git", "__pycache__", "node_modules", ".venv"}


@dataclass
class Tree:
    """A folder of `<benchmark>/<Scenario>/{__init__,custom}.py`, or one file by itself.

    Fields: `files` are the config files, with each benchmark's own `__init__.py`, in the order in which they load; `lone` tells
    that a file is outside such a folder; `systems` is the custom_list.py beside the tree.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    lone: bool = False
    systems: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """The form passed to the loading process."""
        return {
            "root": str(self.root),
            "files": [str(path) for path in self.files],
            "lone": self.lone,
            "systems": str(self.systems or ""),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Tree:
        """The tree that `as_json` described."""
        systems = Path(content["systems"]) if content["systems"] else None
        return cls(Path(content["root"]), [Path(path) for path in content["files"]], content["lone"], systems)


def find_trees(places: Iterable[Path]) -> list[Tree]:
    """Every tree below the given folders, and every given file. UsageError for a path that does not exist, MissingError for none."""
    trees: dict[Path, Tree] = {}
    for place in places:
        if not place.exists():
            raise UsageError(f"{place} does not exist", "", "name a folder of config files")
        place = place.resolve()
        for path in [place] if place.is_file() else _python_files(place):
            root = _root_of(path)
            if root is None and place.is_file():
                trees[path] = Tree(path.parent, [path], lone=True, systems=_list_beside(path.parent))
            elif root is not None:
                trees.setdefault(root, Tree(root, systems=_list_beside(root))).files.append(path)
    if not trees:
        raise MissingError(
            f"no config files below {', '.join(map(str, places))}",
            "config files are <benchmark>/<Scenario>/__init__.py and custom.py",
            "name a folder that holds some, or the files themselves",
        )
    for tree in trees.values():
        tree.files = _in_order(tree)
    return [trees[root] for root in sorted(trees)]


def _in_order(tree: Tree) -> list[Path]:
    """A tree's files in the order in which they load, with the `__init__.py` of each benchmark."""
    files = set(tree.files)
    if not tree.lone:
        files |= {base for path in tree.files if (base := path.parents[1] / "__init__.py").is_file()}
    return sorted(files, key=lambda path: (path.parent, path.name))


def _python_files(folder: Path) -> Iterable[Path]:
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink() and child.name not in SKIPPED:
            yield from _python_files(child)
        elif child.suffix == ".py" and child.is_file():
            yield child


def _root_of(path: Path) -> Path | None:
    """The folder that contains the benchmarks' folders; None if the file's location is not that of a config."""
    if path.name in LEAVES and path.parent.name.lower() in SCENARIOS:
        return path.parents[2]
    return None


def _list_beside(root: Path) -> Path | None:
    for above in (root, root.parent):
        for name in LISTS:
            if (above / name).is_file():
                return above / name
    return None


def check(tree: Tree) -> dict[str, Any]:
    """Load a tree into this process and report it. Changes this process's config search path: call it once."""
    import configs
    from code.systems.system_list import KnownSystem
    from configs.configuration import Registered
    from configs.inspection import duplicates, faults, misplaced, place_of_field, system_of
    from configs.loading import load_file

    if not tree.lone:
        configs.__path__.insert(0, str(tree.root))
    if tree.systems is not None:
        KnownSystem.include(tree.systems)
    files, entries = [], list[Registered]()
    refused: dict[tuple[str, str], dict[str, Any]] = {}
    for path in tree.files:
        loaded = load_file(_module_name(tree, path), path)
        failures = [{"line": p.line, "reason": p.reason, "hint": p.hint} for p in loaded.problems]
        files.append({"file": str(path), "classes": len(loaded.entries), "failures": failures})
        entries += loaded.entries
        place = _place(tree, path)
        if place is not None:
            for wrong in filter(None, (misplaced(entry, *place) for entry in loaded.entries)):
                note(refused, wrong)
    undefined: dict[str, dict[str, Any]] = {}
    for entry in entries:
        for error in faults(entry):
            note(refused, error)
        placeholder = getattr(getattr(entry.cls, "system", None), "undefined", "")
        if placeholder:
            uses = undefined.setdefault(
                system_of(entry), {"where": place_of_field(entry.cls, "system"), "why": placeholder, "classes": []}
            )
            uses["classes"].append(entry.where)
    for error in duplicates(entries):
        note(refused, error)
    return {
        "tree": str(tree.root),
        "files": files,
        "refused": list(refused.values()),
        "undefined": undefined,
        "systems_list": [f"{p.path}:{p.line}: {p.message}" for p in KnownSystem.problems if p.path == tree.systems],
    }


def note(refused: dict[tuple[str, str], dict[str, Any]], error: HarnessError) -> None:
    """Count a fault; one inherited by many classes counts once."""
    fault = refused.setdefault(
        (error.where, error.why), {"where": error.where, "what": error.what, "why": error.why, "classes": 0}
    )
    fault["classes"] += 1


def _place(tree: Tree, path: Path) -> tuple[Benchmark, Scenario] | None:
    """The benchmark and scenario that a file's folder names, None where it names no benchmark of MLPerf's."""
    if tree.lone or path.parent.parent == tree.root:
        return None
    names = {str(benchmark.valstr): benchmark for benchmark in Benchmark}
    benchmark = names.get(path.parents[1].name)
    scenario = Scenario.get_match(path.parent.name)
    return (benchmark, scenario) if benchmark and scenario else None


def _module_name(tree: Tree, path: Path) -> str:
    """The file's module name; a lone file is treated as custom.py of its benchmark and scenario."""
    if not tree.lone:
        if path.parent.parent == tree.root:
            return f"configs.{path.parent.name}"
        scenario = SCENARIOS[path.parent.name.lower()]
        package = f"configs.{path.parents[1].name}.{scenario}"
        return package if path.name == "__init__.py" else f"{package}.custom"
    text = f"{path.name} {path.read_text(encoding='utf-8', errors='replace')}"
    benchmarks = [
        b.valstr for b in Benchmark if re.search(rf"Benchmark\.{b.name}\b|(configs\.|['\"]){re.escape(b.valstr)}\b", text)
    ]
    scenarios = [s.valstr for s in Scenario if s.name in text]
    if not benchmarks or not scenarios:
        return f"configs.lone_{path.stem}"
    return f"configs.{benchmarks[0]}.{scenarios[0]}.lone_{path.stem}"


if __name__ == "__main__":
    described = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = check(Tree.from_json(described))
    with atomic_write(Path(sys.argv[2])) as out:
        json.dump(found, out)
