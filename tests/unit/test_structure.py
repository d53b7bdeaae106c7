"""The rules of documentation/architecture.md, "Layers", that import-linter does not check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.unit.structure import Graph, circles, complexities, import_graph, sources

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

MOST_IMPORTS = 15
MOST_LINES = 400
MOST_COMPLEX = 14
"""Radon's cyclomatic complexity of one function."""
SCRIPTS = (".py", ".sh", ".cc", ".cu", ".h")
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def graph(project: Path) -> Graph:
    return import_graph(project)


def test_there_is_no_circle(graph: Graph) -> None:
    assert circles(graph) == []


def test_no_module_imports_many_others(graph: Graph) -> None:
    wide = {name: sorted(imported) for name, imported in graph.items() if len(imported) > MOST_IMPORTS}
    assert not wide, "split it by responsibility"


def test_every_package_has_a_layer(project: Path) -> None:
    content = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in content["tool"]["importlinter"]["contracts"] if c["id"] == "layers"]
    placed = {name.strip() for line in contract["layers"] for name in line.split("|")}
    packages = {f"code.{path.parent.name}" for path in (project / "code").glob("*/__init__.py")}
    modules = {f"code.{path.stem}" for path in (project / "code").glob("[!_]*.py")}
    above = {name.rpartition(".")[0] for name in placed}  # code.harness, whose parts are placed one by one
    assert packages | modules <= placed | above


def test_files_are_small(project: Path) -> None:
    files = [path for folder in ("code", "scripts", "tests") for path in (project / folder).rglob("*") if path.suffix in SCRIPTS]
    lines = {str(p.relative_to(project)): p.read_text(encoding="utf-8").count("\n") for p in [*files, *sources(project)]}
    assert len(lines) > 300
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


@pytest.mark.parametrize("path", sources(PROJECT), ids=lambda path: str(path.relative_to(PROJECT)))
def test_functions_are_simple(path: Path) -> None:
    found = complexities(ast.parse(path.read_bytes()))
    assert not {name: count for name, count in found.items() if count > MOST_COMPLEX}


def test_imports_inside_functions_count_and_those_for_types_do_not(tmp_path: Path) -> None:
    files = {
        "code/a/__init__.py": "from . import b\nfrom code.c import name\n",
        "code/a/b.py": "import typing\nif typing.TYPE_CHECKING:\n    import code.c\nelse:\n    import scripts.s\n",
        "code/c.py": "def f():\n    from code.a import b, missing\n    from .a.b import x\n",
        "scripts/s.py": "import json\nimport code.c as c\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    graph = import_graph(tmp_path)
    assert graph == {
        "code.a": {"code.a.b", "code.c"},
        "code.a.b": {"scripts.s"},
        "code.c": {"code.a", "code.a.b"},
        "scripts.s": {"code.c"},
    }
    assert circles(graph) == [["code.a", "code.a.b", "code.c", "scripts.s"]]


def test_complexity_is_what_radon_counts() -> None:
    source = """
def f(xs, ys):
    assert xs and ys
    for x in xs:
        if x and (x > 1 or x < -1) and ys:
            continue
    else:
        ys = [y for y in ys if y if y > 1]
    try:
        g = (lambda y: 1 if y else 0)
    except (OSError, ValueError):
        pass
    except KeyError:
        pass
    else:
        while xs: pass
    def inner(z):
        return z or 1
    return inner

class C:
    async def m(self):
        async for x in self: pass
"""
    assert complexities(ast.parse(source)) == {"f:2": 16, "inner:17": 2, "m:22": 2}  # as Radon 6.0.1
