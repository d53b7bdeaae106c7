"""Trees of config files of both layouts: where they are below a folder, and what every other file of a tree is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.constants import Scenario
from code.common.errors import MissingError, UsageError
from configs import endpoints, exports

LEAVES = ("__init__.py", "custom.py")
LISTS = tuple(
    f"{folder}custom_list.{ending}" for folder in ("code/common/systems/", "custom_systems/", "") for ending in ("json", "py")
)
SCENARIOS = {str(scenario.valstr).lower(): str(scenario.valstr) for scenario in Scenario}
SKIPPED = {".git", "__pycache__", "node_modules", ".venv"}
EXPORTS = re.compile(rb"^(ATOMIC_)?EXPORTS\b\s*[:=]", re.MULTILINE)
MOST_BYTES = 4 << 20
"""A longer file is no config file."""
REGISTRY = ("configuration.py", "error.py")

CLASSES, EXPORTED, ENDPOINT, OTHER = "classes", "EXPORTS", "endpoint", ""
"""Layouts of a file."""


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree: its layout, and for one without a layout why it is not read."""

    path: Path
    layout: str
    note: str = ""


@dataclass
class Tree:
    """A folder of configs of either layout, or one file by itself.

    Fields: `files` are all of its files, config files in the order in which they load; `lone` tells that a class file is outside
    such a folder; `systems` are the lists of systems beside the tree.
    """

    root: Path
    files: list[TreeFile] = field(default_factory=list)
    lone: bool = False
    systems: list[Path] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The form passed to the loading process."""
        return {
            "root": str(self.root),
            "files": [[str(file.path), file.layout, file.note] for file in self.files],
            "lone": self.lone,
            "systems": [str(path) for path in self.systems],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Tree:
        """The tree that `as_json` described."""
        files = [TreeFile(Path(path), layout, note) for path, layout, note in content["files"]]
        return cls(Path(content["root"]), files, content["lone"], [Path(path) for path in content["systems"]])


@dataclass
class Found:
    """The trees below some places, and the number of files there that belong to none."""

    trees: list[Tree]
    outside: int = 0


def find_trees(places: Iterable[Path]) -> Found:
    """Every tree below the given folders, and every given file. UsageError for a place that does not exist, MissingError for none."""
    trees: dict[Path, Tree] = {}
    every: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise UsageError(f"{place} does not exist", "", "name a folder of config files")
        found = [place.resolve()] if place.is_file() else list(_files(place.resolve()))
        every.update(dict.fromkeys(found))
        for path in found:
            _sort_in(path, place.is_file(), trees)
    if not trees:
        raise MissingError(
            f"no config files below {', '.join(map(str, places))}",
            "config files are <benchmark>/<Scenario>/__init__.py and custom.py, or <system folder>/<Scenario>/<benchmark>.py",
            "name a folder that holds some, or the files themselves",
        )
    outside = _sort_in_others(every, trees)
    for tree in trees.values():
        tree.files = _in_order(tree)
    return Found([trees[root] for root in sorted(trees)], outside)


def _sort_in(path: Path, named: bool, trees: dict[Path, Tree]) -> None:
    """Add a config file to its tree; one that is named and in no tree gets a tree of its own."""
    layout = layout_of(path)
    root = _root_of(path, layout)
    if root is not None:
        trees.setdefault(root, Tree(root, systems=_lists_beside(root))).files.append(TreeFile(path, layout))
    elif named and path.suffix == ".py":
        trees[path] = Tree(path.parent, [TreeFile(path, CLASSES)], lone=True, systems=_lists_beside(path.parent))


def _sort_in_others(paths: Iterable[Path], trees: dict[Path, Tree]) -> int:
    """Add the files that are no configs to the trees that they are in. Returns how many are in none."""
    taken = {file.path for tree in trees.values() for file in tree.files}
    outside = 0
    for path in paths:
        root = next((above for above in path.parents if above in trees), None)
        if path in taken:
            continue
        if root is None:
            outside += 1
        else:
            trees[root].files.append(_remaining(path, root))
    return outside


def layout_of(path: Path) -> str:
    """The layout of a file by its place and, for the newer one, by a first look at its text."""
    if path.name in LEAVES and path.parent.name.lower() in SCENARIOS:
        return CLASSES
    if path.name in ("endpoint.yaml", "endpoint.yml"):
        return ENDPOINT
    if path.suffix == ".py" and path.name not in LEAVES and path.stat().st_size <= MOST_BYTES:
        return EXPORTED if EXPORTS.search(path.read_bytes()) else OTHER
    return OTHER


def _root_of(path: Path, layout: str) -> Path | None:
    """The folder of configs that a file belongs to; None if its place is not that of a config."""
    if layout == CLASSES:
        return path.parents[2]
    if layout == ENDPOINT:
        return path.parents[4] if len(path.parents) > 4 and endpoints.located(path, path.parents[4]) else None
    if layout != EXPORTED:
        return None
    for above in path.parents:
        if exports.scenario_folder(above.name):
            return above.parents[1]
        if above.name in ("configs", "custom_configs"):
            return above
    return path.parents[1]


def _remaining(path: Path, root: Path) -> TreeFile:
    """A file of a tree that is not in the place of a config."""
    if path.name == "__init__.py" and path.parent.parent == root:
        return TreeFile(path, CLASSES)  # a benchmark's base classes
    if path.suffix != ".py":
        return TreeFile(path, OTHER, "not a config file")
    if path.name in REGISTRY and path.parent == root:
        return TreeFile(path, OTHER, "the registry of another harness; this project has its own")
    return TreeFile(path, OTHER, "it has no EXPORTS; read only where a config imports it")


def _in_order(tree: Tree) -> list[TreeFile]:
    """A tree's files in the order in which they load, with the `__init__.py` of each benchmark; those that do not load are last."""
    files = {file.path: file for file in tree.files}
    if not tree.lone:
        for path in [file.path for file in tree.files if file.layout == CLASSES and file.path.parent.parent != tree.root]:
            base = path.parents[1] / "__init__.py"
            if base.is_file():
                files[base] = TreeFile(base, CLASSES)
    return sorted(files.values(), key=lambda file: (file.layout == OTHER, file.path.parent, file.path.name))


def _files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            path = Path(above, name)
            if path.is_file():
                yield path


def _lists_beside(root: Path) -> list[Path]:
    """The lists of systems beside a tree: those of the nearest folder that has any."""
    for above in (root, root.parent):
        found = [above / name for name in LISTS if (above / name).is_file()]
        if found:
            return found
    return []
