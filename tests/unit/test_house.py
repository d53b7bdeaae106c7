"""The frame: the package's name, its generated pages, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from code.plan import option_pages as commands_page


def python(project: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=project, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("page", sorted([*commands_page.PARTS, *commands_page.FILES]))
def test_generated_pages_are_up_to_date(page: str, project: Path) -> None:
    assert (project / page).read_text() == commands_page.rendered(page), "run `make docs`"


def test_the_debugger_runs_and_interacts(project: Path) -> None:
    done = python(project, "-m", "pdb", "-m", "code.main", stdin="n\ninteract\nprint('seen', 6 * 7)\n")
    assert "seen 42" in done.stdout and "Traceback" not in done.stderr


def test_breakpoint_works_from_the_project_folder(project: Path) -> None:
    done = python(project, "-c", "x = 41\nbreakpoint()\nprint('went on')", stdin="p x + 1\nc\n")
    assert "42" in done.stdout and "went on" in done.stdout


def test_the_standard_librarys_code_is_there(project: Path) -> None:
    done = python(
        project, "-c", "import code; c = code.InteractiveConsole(); c.push('print(6*7)'); print(code.compile_command('1'))"
    )
    assert done.returncode == 0 and "42" in done.stdout


def test_reading_configs_probes_nothing(project: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "def no(*a, **k): raise SystemExit('a process was started')\n"
        "subprocess.Popen = no\n"
        "import configs.configuration\n"
        "from importlib import import_module\n"
        "import_module('configs.bert.Offline')\n"
        "heavy = {'openvino', 'onnxruntime', 'onnx', 'numpy', 'pynvml', 'rich', 'mlperf_loadgen'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = python(project, "-c", script)
    assert done.returncode == 0, done.stderr


def test_make_help_needs_no_python(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "-C", str(project), "help", f"VENV={tmp_path}/none", "PYTHON3=/nonexistent"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0 and "generate_engines" in done.stdout and not (tmp_path / "none").exists()


def test_an_unknown_action_names_the_nearest(project: Path) -> None:
    done = python(project, "-m", "code.main", "--action=run_harnes")
    assert done.returncode == 2 and "run_harness" in done.stderr and "Traceback" not in done.stderr
