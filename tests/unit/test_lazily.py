"""Packages that wait: they are loaded once, when a name of theirs is used, whoever asks; short commands end without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def python(text: str, *paths: Path) -> str:
    """What a Python prints that lets the package `slow` wait."""
    head = "import sys\nfrom code.common import lazily\nlazily.install(('slow', 'broken', 'absent'))\n"
    done = subprocess.run(
        [sys.executable, "-c", head + text],
        cwd=PROJECT,
        env={"PYTHONPATH": ":".join(map(str, (PROJECT, *paths))), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").write_text(
        "import time\nprint('loaded')\nhalf = 1\ntime.sleep(0.2)\nfrom . import part\nvalue = 7\n"
    )
    (tmp_path / "slow" / "part.py").write_text("import slow\nfound = slow.half\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    return tmp_path


def test_a_package_is_loaded_when_it_is_asked_for_something(packages: Path) -> None:
    text = "import slow\nimport slow as again\nprint('imported')\nprint(slow.value, again.part.found, type(slow).__name__)\n"
    assert python(text, packages).split() == ["imported", "loaded", "7", "1", "module"]


def test_a_part_of_it_or_a_name_loads_it_at_once(packages: Path) -> None:
    assert python("import slow.part\nprint('imported')\n", packages).split() == ["loaded", "imported"]
    assert python("from slow import value\nprint(value)\n", packages).split() == ["loaded", "7"]


def test_threads_that_ask_at_once_see_it_whole(packages: Path) -> None:
    text = (
        "import threading, slow\nfound = []\n"
        "threads = [threading.Thread(target=lambda: found.append(slow.value)) for _ in range(4)]\n"
        "[t.start() for t in threads]\n[t.join() for t in threads]\nprint(found)\n"
    )
    assert python(text, packages) == "loaded\n[7, 7, 7, 7]\n"


def test_a_package_that_fails_or_is_not_there_fails_as_ever(packages: Path) -> None:
    text = (
        "import broken\n"
        "for _ in range(2):\n    try:\n        broken.value\n    except ZeroDivisionError:\n        print('failed')\n"
        "try:\n    import absent\nexcept ModuleNotFoundError:\n    print('absent')\n"
    )
    assert python(text, packages).split() == ["failed", "failed", "absent"]


@pytest.mark.parametrize("action", [["--action=explain"], ["--action=run", "--dry_run"]])
def test_a_short_command_ends_without_the_large_packages(action: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "code.main", *action, "--benchmarks=bert", "--scenarios=offline"]
    done = subprocess.run(
        [*command, "--system=CPU_x86_64"],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "BUILD_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "code.plan.workload" in loaded
    large = (
        "numpy._core.multiarray",
        "yaml.nodes",
        "psutil._common",
        "ssl",
        "multiprocessing.context",
        "code.common.download.connection",
        "code.run.serving",
        "code.benchmarks.text.checks",
        "code.backends.generators.openvino_genai",
        "code.backends.triton.package",
        "code.run.nodes.cluster",
        "code.systems.data.token_results",
        "importlib.metadata._adapters",
        "importlib.resources",
        "pynvml",
    )
    assert [name for name in large if name in loaded] == []
