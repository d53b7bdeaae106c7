"""Which modules are changed, and which test files import them."""

from __future__ import annotations

import fnmatch
import functools
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutation.traced import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OUTSIDE = re.compile(r"pytest\.mark\.(e2e|container)\b|pytestmark *= *pytest\.mark\.(e2e|container|cpp)")


def floors() -> dict[str, int]:
    """[tool.mutation.floors] of pyproject.toml: pattern of paths → the least share of noticed changes, in percent."""
    found: dict[str, int] = _settings()["floors"]
    return found


def named_tests() -> dict[str, list[str]]:
    """[tool.mutation.tests]: pattern of paths → test files that reach its modules through others, beside those that import them."""
    found: dict[str, list[str]] = _settings()["tests"]
    return found


def _settings() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["tool"]["mutation"]
    return found


def floor_of(path: str, patterns: dict[str, int]) -> int | None:
    """That of the last pattern that fits; None for a module that is not changed."""
    fitting = [least for pattern, least in patterns.items() if fnmatch.fnmatch(path, pattern)]
    return fitting[-1] if fitting else None


def modules(patterns: dict[str, int], wanted: Iterable[str] = ()) -> list[str]:
    """Paths of the modules that have a floor; of those, what is wanted: parts of paths, or all where there are none."""
    every = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "code").rglob("*.py"))
    named = list(wanted)
    return [path for path in every if floor_of(path, patterns) is not None and (not named or any(part in path for part in named))]


def changed_lines(since: str) -> dict[str, set[int]]:
    """Module → its lines that differ from a commit, those not committed yet included."""
    text = subprocess.run(
        ["git", "diff", "--unified=0", "--no-color", since, "--", "code"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, set[int]] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("+++ "):
            path = line[6:]
        elif (hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line)) and path.endswith(".py"):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found.setdefault(path, set()).update(range(first, first + count))
    return found


def importers() -> dict[str, dict[str, int]]:
    """Module's path → test file → how many other modules of the project lie between them: 0, or 1 where no file imports it.

    A file that `named_tests` names for a module is as one that imports it.
    """
    graph = {path: _imports(path) for folder in ("code", "configs", "tests") for path in _python_files(folder)}
    found: dict[str, dict[str, int]] = {}
    for path in graph:
        if not Path(path).name.startswith("test_") or OUTSIDE.search((ROOT / path).read_text(encoding="utf-8")):
            continue
        direct = _through_tests(path, graph)
        for module in direct:
            for inner in graph.get(module, ()):
                found.setdefault(inner, {}).setdefault(path, 1)
        for module in direct:
            found.setdefault(module, {})[path] = 0
    for pattern, files in named_tests().items():
        for module in fnmatch.filter(graph, pattern):
            found.setdefault(module, {}).update(dict.fromkeys(files, 0))
    return {module: {file: far for file, far in files.items() if far == min(files.values())} for module, files in found.items()}


def in_order(files: Iterable[str]) -> list[str]:
    """Short files first, so that a run that is stopped has seen many; those of `named_tests`, which take longer, last."""
    named = {file for listed in named_tests().values() for file in listed}
    return sorted(files, key=lambda file: (file in named, (ROOT / file).stat().st_size, file))


def _through_tests(path: str, graph: dict[str, set[str]]) -> set[str]:
    """What a test file imports, also through other files of the tests and the conftest.py of its folders."""
    seen: set[str] = set()
    out: set[str] = set()
    waiting = [path, *(str(folder / "conftest.py") for folder in Path(path).parents)]
    while waiting:
        one = waiting.pop()
        if one in seen or one not in graph:
            continue
        seen.add(one)
        for module in graph[one]:
            if module.startswith("tests/"):
                waiting.append(module)
            else:
                out.add(module)
    return out


def _python_files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py"))


IMPORTS = re.compile(
    r"""
    \#[^\n]*
    | "{3}.*?(?<!\\)"{3} | '{3}.*?(?<!\\)'{3}  # texts, which may hold source
    | "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*'
    | ^[ \t]*from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?P<names>\((?:\#[^\n]*|[^#)])*\)|[^\n(#]+)
    | ^[ \t]*import[ \t]+(?P<modules>[^\n#]+)
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
"""Comments and texts, which are passed over, and import statements; a syntax tree of every file would take five times as long."""


def _imports(path: str) -> set[str]:
    """Paths of the project's modules that a module names in its import statements, those inside functions included."""
    found: set[str] = set()
    for name in imported((ROOT / path).read_text(encoding="utf-8")):
        found.update(_files_of(name))
    return found


def imported(source: str) -> set[str]:
    """What import statements name; of `from a import b` both a and a.b. Relative imports name nothing."""
    found: set[str] = set()
    for one in IMPORTS.finditer(source):
        module = one["module"]
        if module and not module.startswith("."):
            found.update((module, *(f"{module}.{name}" for name in _names(one["names"]))))
        elif one["modules"]:
            found.update(_names(one["modules"]))
    return found


def _names(text: str) -> list[str]:
    """'a' and 'b' of 'a, b as c', also in parentheses with comments."""
    plain = re.sub(r"#[^\n]*", "", text).strip().strip("()")
    return [name.split()[0] for name in plain.split(",") if name.strip()]


@functools.cache
def _files_of(name: str) -> tuple[str, ...]:
    base = name.replace(".", "/")
    return tuple(candidate for candidate in (f"{base}.py", f"{base}/__init__.py") if (ROOT / candidate).is_file())
