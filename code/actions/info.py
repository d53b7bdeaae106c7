"""info: describe this installation and what it detects; include the output in bug reports."""

from __future__ import annotations

import importlib.metadata
import platform

from code.actions import Context, OncePerRequest
from code.backends.base import BACKENDS, backend
from code.common import console, paths
from code.common.errors import HarnessError
from code.common.version import git_commit, project_version
from code.machine.detect import detect
from code.rules.benchmarks import BENCHMARKS
from code.systems.matching import match


def run(context: Context) -> int:
    """Print a table, or JSON with --json."""
    rows = collect(context.request["capture"] or None)
    if context.request["json"]:
        console.emit(dict(rows))
    else:
        console.table("This installation", ("Item", "Value"), rows)
    return 0


def collect(capture: str | None = None) -> list[tuple[str, str]]:
    """(name, value) pairs; a value that is unavailable says why.

    Args:
        capture: the machine that the rows from `machine` on describe; None for this one.
    """
    rows = [
        ("harness", project_version() + (f" at commit {commit}" if (commit := git_commit()) else "")),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("LoadGen", _package("mlcommons-loadgen")),
    ]
    for name in BACKENDS:
        try:
            rows.append((backend(name).label, backend(name).version()))
        except HarnessError as error:
            rows.append((name, f"not installed ({error.next_step})"))
    detected = detect(capture)
    if capture:
        rows.append(("machine", detected.source))
    try:
        found = match(detected)
        rows.append(("system", f"{found.system.name} (results go under {found.system_id})"))
    except HarnessError as error:
        rows.append(("system", f"{error.what}: {error.why}"))
    rows.append(("processor", repr(detected.config.host_cpu_conf)))
    rows.append(("usable cores", str(detected.usable_cores)))
    rows.append(("NUMA nodes", str(len(detected.numa_nodes) or 1)))
    rows.extend(("note", note) for note in detected.notes)
    rows.append(("benchmarks", ", ".join(sorted(BENCHMARKS))))
    rows.append(("build folder", str(paths.build_dir())))
    rows.append(("scratch path", str(paths.scratch_dir())))
    return rows


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed (run `make venv`)"


ACTION = OncePerRequest(run)
