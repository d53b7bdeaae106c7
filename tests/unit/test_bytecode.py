"""Where Python may not keep compiled modules beside their source, the build folder has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LISTING = ("-m", "code.main", "--action=list_engines", "--json")


def started(project: Path, build: Path, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A short command under PYTHONDONTWRITEBYTECODE, as many container images set it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("HARNESS_BYTECODE_DIR", "PYTHONPYCACHEPREFIX")}
    environment = {**kept, "PYTHONDONTWRITEBYTECODE": "1", "BUILD_DIR": str(build), **variables}
    command = [sys.executable, *flags, *LISTING]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    return done


def of(build: Path, module: str) -> Path:
    (compiled,) = (build / "bytecode").rglob(f"{module}.*.pyc")
    return compiled


def test_a_second_command_compiles_only_what_has_changed(project: Path, tmp_path: Path) -> None:
    started(project, tmp_path)
    modules = {path.name.split(".")[0] for path in (tmp_path / "bytecode").rglob("*.pyc")}
    assert {"main", "request", "list_engines"} <= modules and "argparse" not in modules
    kept, changed, damaged = (of(tmp_path, name) for name in ("request", "workload", "selection"))
    written = kept.stat().st_mtime_ns
    content = changed.read_bytes()
    changed.write_bytes(content[:8] + bytes(8) + content[16:])  # the source's time and size
    damaged.write_bytes(b"")
    again = started(project, tmp_path, "-v").stderr
    assert f"code object from '{kept}'" in again and kept.stat().st_mtime_ns == written
    assert changed.read_bytes() == content and damaged.stat().st_size > 100
    compiled = {
        Path(line.split()[-1]).name for line in again.splitlines() if line.startswith(f"# code object from {project}/code/plan/")
    }
    assert compiled == {"workload.py", "selection.py"}


def test_nothing_is_kept_without_a_build_folder_or_against_the_users_word(project: Path, tmp_path: Path) -> None:
    started(project, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "build").mkdir()
    started(project, tmp_path / "build", PYTHONPYCACHEPREFIX=str(tmp_path / "mine"))
    assert not (tmp_path / "build" / "bytecode").exists()


def test_a_folder_that_cannot_be_written_is_no_error(project: Path, tmp_path: Path) -> None:
    (tmp_path / "bytecode").write_text("")  # root may write in every folder, but not in a file's
    started(project, tmp_path)
