"""provenance.json: the inputs of a run, written beside its logs before it starts.

READMEs with steps to reproduce, report pages and comparisons need more than metadata.json holds: the
command, the commit, every value with its origin, and the inputs of the engine.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.store import SIDECAR
from code.common import jsonfile
from code.common.files import sha256
from code.common.paths import project_root
from code.common.version import git_commit, git_is_changed, project_version

FILE_NAME = "provenance.json"
SCHEMA = 1


def collect(plan: Mapping[str, Any], mode: str, engine: Path, arguments: list[str] | None = None) -> dict[str, Any]:
    """The content of provenance.json.

    Args:
        plan: the workload as `make explain --json` shows it: benchmark, scenario, config, values with their origins.
        engine: the engine's folder.
        arguments: the command line; default: this process's.
    """
    return {
        "schema": SCHEMA,
        "mode": mode,
        "arguments": list(sys.argv[1:] if arguments is None else arguments),
        "harness_version": project_version(),
        "commit": git_commit(),
        "changed": git_is_changed(),
        "plan": dict(plan),
        "engine": {"name": engine.name, **jsonfile.object_or_empty(engine / SIDECAR)},
    }


def read(folder: Path) -> dict[str, Any]:
    """The provenance of a run; {} if it has none."""
    return jsonfile.object_or_empty(folder / FILE_NAME)


def command(content: Mapping[str, Any], mode: str) -> str:
    """The make command that repeats the run in `mode`; '' if not recorded."""
    words = [
        w for w in content.get("arguments", []) if not w.startswith(("--action", "--test_mode", "--log_dir", "--benchmarks"))
    ]
    plan = content.get("plan")
    if not plan or not plan.get("benchmark") or not plan.get("scenario"):
        return ""
    words = [w for w in words if not w.startswith(("--scenarios", "--config_ver", "--audit_"))]
    head = [f"--benchmarks={plan['benchmark']}", f"--scenarios={plan['scenario']}"]
    if plan.get("config_ver"):
        head.append(f"--config_ver={plan['config_ver']}")
    line = " ".join([*head, f"--test_mode={mode}", *(shlex.quote(w) for w in words)])
    return f'make run RUN_ARGS="{line}"'


def source_digest() -> str:
    """SHA-256 of the harness's source, for work trees without a commit."""
    import hashlib

    digest = hashlib.sha256()
    root = project_root()
    for folder in ("code", "configs"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(root)} {sha256(path)}\n".encode())
    return digest.hexdigest()
