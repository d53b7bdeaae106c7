"""make hands on what users write as it was written, empty variables count as unset, and other harnesses' targets do what they say.

The Python environment is a stand-in that prints the arguments it is called with, so that each test takes milliseconds.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from code.common.errors import UsageError
from code.main import expanded

UGLY = "x$(touch hit)`touch hit`;touch hit \"'($y) & a\nb"
"""What a shell or make would run, split or stop at."""


class Stand:
    """A copy of what make reads, with a stand-in for the Python environment."""

    def __init__(self, project: Path, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        for path in project.glob("Makefile*"):
            shutil.copy(path, root)
        for name in ("scripts", "docker", "requirements"):
            shutil.copytree(project / name, root / name)
        self.venv = root / ".venv"
        (self.venv / "bin").mkdir(parents=True)
        (self.venv / "pyvenv.cfg").write_text("")
        python = self.venv / "bin" / "python"
        python.write_text('#!/bin/bash\nprintf "%s\\0" "$@" "RUN_ARGS=${RUN_ARGS:-}" "NAME=${NAME:-}" "PATHS=${PYTHONPATH:-}"\n')
        python.chmod(0o755)
        for lock in (root / "requirements").glob("*.lock"):
            (self.venv / f".{lock.stem}-installed").write_text(hashlib.sha256(lock.read_bytes()).hexdigest())

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Call make in the copy."""
        unset = ("MLPERF_SCRATCH_PATH", "MAKEFLAGS", "MAKELEVEL", "BUILD_DIR", "VENV", "RUN_ARGS", "PYTEST_ADDOPTS", "SUDO_UID")
        environment = {k: v for k, v in os.environ.items() if k not in unset}
        command = ["make", "--no-print-directory", *arguments]
        return subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, timeout=60, env={**environment, **variables}
        )

    def asked(self, *arguments: str, **variables: str) -> list[str]:
        """What the harness is called with."""
        done = self.make(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split("\0")


@pytest.fixture
def stand(project: Path, tmp_path: Path) -> Stand:
    return Stand(project, tmp_path / "tree")


@pytest.mark.parametrize("origin", ["command line", "environment"])
def test_no_text_is_interpreted_on_its_way(stand: Stand, origin: str) -> None:
    given = {"RUN_ARGS": UGLY, "NAME": UGLY, "SUBMITTER": "x$$(touch hit)", "BENCHMARKS": "bert; touch hit"}
    on_line = [f"{name}={text}" for name, text in given.items()] if origin == "command line" else []
    words = stand.asked("add_system", *on_line, **({} if on_line else given))
    assert f"RUN_ARGS={UGLY}" in words and f"NAME={UGLY}" in words
    assert "--name=@NAME" in words and "--benchmarks=@BENCHMARKS" in words and "@RUN_ARGS" in words
    assert stand.make("stage_results", *on_line, **({} if on_line else given)).returncode == 0
    assert not list(stand.root.rglob("hit"))


def test_variables_become_options_in_python() -> None:
    environment = {"NAME": UGLY, "BENCHMARKS": " bert  gptj,3d-unet ", "RUN_ARGS": "--a='x y'\n--b=$z;", "FROM": ""}
    words = expanded(["--name=@NAME", "--benchmarks=@BENCHMARKS", "@RUN_ARGS", "--from_tree=@FROM", "--to=@home"], environment)
    assert words == [f"--name={UGLY}", "--benchmarks=bert,gptj,3d-unet", "--a=x y", "--b=$z;", "--to=@home"]
    with pytest.raises(UsageError, match="RUN_ARGS"):
        expanded(["@RUN_ARGS"], {"RUN_ARGS": "--a='x"})


@pytest.mark.parametrize("origin", ["command line", "environment"])
def test_an_empty_variable_counts_as_unset(stand: Stand, origin: str) -> None:
    empty: Mapping[str, str] = dict.fromkeys(("BUILD_DIR", "VENV", "MLPERF_SCRATCH_PATH", "LOG_DIR", "PYTHON3", "RUN_ARGS"), "")
    on_line = [f"{name}=" for name in empty] if origin == "command line" else []
    done = stand.make("info", *on_line, **({} if on_line else empty))
    assert done.returncode == 0, done.stderr
    assert (stand.root / "build" / "scratch" / "data").is_dir() and not Path("/scratch").exists()


@pytest.mark.parametrize("name", ["a b", "it's (x) & $y", "#1", "50%", "a;b`c`"])
def test_a_checkout_may_be_called_anything(project: Path, tmp_path: Path, name: str) -> None:
    stand = Stand(project, tmp_path / name / "tree")
    assert "run" in stand.make("help").stdout
    assert "--action=info" in stand.asked("info")
    assert (stand.root / "build" / "data").is_symlink()
    assert stand.make("clean").returncode == 0
    assert not (stand.root / "build").exists() and not stand.venv.exists()


def test_a_makefile_named_by_a_path_that_make_splits_is_one_clear_line(project: Path, tmp_path: Path) -> None:
    stand = Stand(project, tmp_path / "a b" / "tree")
    done = subprocess.run(["make", "-f", str(stand.root / "Makefile"), "help"], cwd="/", capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "use make -C" in done.stderr


def test_the_callers_python_does_not_leak_in(stand: Stand) -> None:
    words = stand.asked("info", PYTHONPATH="/theirs", PYTHONSAFEPATH="1", PYTHONHOME="/theirs", PIP_TARGET="/theirs")
    assert "PATHS=" in words


def test_clean_keeps_what_is_not_the_projects(stand: Stand, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "bin").mkdir(parents=True)
    (other / "pyvenv.cfg").touch()
    build = tmp_path / "mine"
    for name in ("engines", "letters"):
        (build / name).mkdir(parents=True)
    done = stand.make("clean", f"VENV={other}", f"BUILD_DIR={build}")
    assert done.returncode == 0 and "outside the project, and is kept" in done.stdout
    assert (other / "pyvenv.cfg").is_file() and (build / "letters").is_dir() and not (build / "engines").exists()
    assert stand.make("link_dirs").returncode == 0, "every guide calls link_dirs after clean"


def test_in_an_image_the_environment_is_the_images(stand: Stand, tmp_path: Path) -> None:
    image = tmp_path / "venv"
    shutil.copytree(stand.venv, image)
    (image / "runtime.lock").touch()
    shutil.rmtree(stand.venv)
    assert "--action=info" in stand.asked("info", IMAGE_VENV=str(image))
    assert stand.make("clean", IMAGE_VENV=str(image)).returncode == 0 and image.is_dir()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("run_audit_test01_once", ("--action=run_audit_harness", "--audit_attempts=1", "--audit_test=TEST01")),
        ("run_audit_test05", ("--action=run_audit_harness", "--audit_test=TEST05")),
        ("run_audit_test09", ("--action=run_audit_harness", "--audit_test=TEST09")),
        ("generate_conf_files", ("--action=run", "--dry_run")),
        ("run_cpu_harness", ("--action=run_harness", "--backend=openvino")),
        ("update_results", ("--action=stage_results",)),
        ("stage_compliance", ("--action=stage_results",)),
        ("update_compliance", ("--action=stage_results",)),
        ("export_submission", ("--action=stage_results", "--action=truncate_results")),
        ("summarize_results", ("--action=list_results",)),
        ("display_results", ("--action=list_results",)),
        ("check_submission_staging", ("--action=check_submission",)),
        ("autotune", ("--action=tune", "--benchmarks=@benchmark", "--scenarios=@scenario")),
    ],
)
def test_a_target_of_another_harness_does_what_ours_does(stand: Stand, target: str, words: tuple[str, ...]) -> None:
    asked = [word.strip() for word in stand.asked(target)]
    assert all(word in asked for word in words), asked


@pytest.mark.parametrize(
    "target",
    [
        *("push_submission_staging",),
        *("power_set_maxq_state", "set_virtual_memory_overcommit", "perf_profile"),
    ],
)
def test_a_target_whose_work_nothing_does_is_an_error_with_what_does(stand: Stand, target: str) -> None:
    done = stand.make(target)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert done.returncode == 2 and [line[:7] for line in lines] == ["error: ", "  why: ", "  next:"], done.stderr
    assert target in lines[0] and len(lines[2]) > 20


@pytest.mark.parametrize(
    "target", ["clone_loadgen", "build_loadgen", "clone_triton", "build_trt_llm", "copy_results_artifacts", "results"]
)
def test_a_step_that_is_not_needed_lets_a_script_go_on(stand: Stand, target: str) -> None:
    done = stand.make(target)
    assert done.returncode == 0 and f"note: make {target}: " in done.stderr


def test_clocks_are_locked_and_freed_however_the_run_ends(stand: Stand, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("nvidia-smi", f'echo "$@" >>{tmp_path}/calls'), ("sudo", 'exec "$@"')):
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    assert stand.make("run_harness_correlation", "GPUCLK=1410", PATH=path).returncode == 0
    assert (tmp_path / "calls").read_text().splitlines() == ["-lgc 1410,1410", "-rgc"]
    (stand.venv / "bin" / "python").write_text("#!/bin/bash\nexit 4\n")
    assert stand.make("run_harness_correlation", "GPUCLK=1410", PATH=path).returncode == 2
    assert (tmp_path / "calls").read_text().splitlines()[2:] == ["-lgc 1410,1410", "-rgc"]
    done = stand.make("lock_clocks", "GPUCLK=1;touch hit", PATH=path)
    assert done.returncode == 2 and "GPUCLK is '1;touch hit'" in done.stderr and not list(stand.root.rglob("hit"))


def test_full_logs_are_packed(stand: Stand) -> None:
    assert "there are no full logs to pack" in stand.make("pack_full_logs").stderr
    (stand.root / "build" / "full_results").mkdir(parents=True)
    (stand.root / "build" / "full_results" / "x.json").write_text("[]")
    assert stand.make("pack_full_logs").returncode == 0
    assert sorted(path.name for path in (stand.root / "build").iterdir()) == ["full_results", "full_results.tar.gz"]


@pytest.mark.parametrize(("target", "nearest"), [("download_datas", "make help TARGET=download_data"), ("a'b;c $x", "make help")])
def test_a_target_that_does_not_exist_names_the_nearest(stand: Stand, target: str, nearest: str) -> None:
    done = stand.make(target)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and lines[:2] == [f"error: there is no target {target}", f"  next: {nearest}"], done.stderr


def test_add_custom_system_calls_make(stand: Stand) -> None:
    script = stand.root / "scripts" / "custom_systems" / "add_custom_system.py"
    environment = {k: v for k, v in os.environ.items() if k not in ("VENV", "BUILD_DIR", "NAME", "MAKEFLAGS")}
    done = subprocess.run(
        ["python3", str(script)], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("\0")
    assert "--action=add_system" in words and "--yes=1" in words and "NAME=auto" in words


def test_make_help_shows_ours_alone(stand: Stand) -> None:
    shown = stand.make("help").stdout
    assert "run_harness_power" not in shown and "from_other_harnesses.md" in shown


LEAKING = (
    *(
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSAFEPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "PYTHONWARNINGS",
        "PYTHONOPTIMIZE",
        "PYTHONVERBOSE",
    ),
    *("PYTHONINTMAXSTRDIGITS", "PYTHONDEVMODE", "PYTHONBREAKPOINT", "PYTHON_OF_THE_NEXT_VERSION"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT", "PIP_NO_DEPS"),
)


def test_no_python_variable_of_the_caller_leaks_in_but_those_for_an_index_and_for_printing(project: Path) -> None:
    kept = {"PIP_INDEX_URL": "https://index", "PIP_CERT": "/c", "PYTHONUNBUFFERED": "1", "PYTHON3": "/usr/bin/python3"}
    environment = {"PATH": os.environ["PATH"], **dict.fromkeys(LEAKING, "1"), **kept}
    command = ["bash", "-c", '. "$0" && env', str(project / "scripts" / "python_variables.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {name for name in seen if name.startswith(("PYTHON", "PIP_"))} == {
        *kept,
        *("PYTHONNOUSERSITE", "PIP_USER", "PIP_DISABLE_PIP_VERSION_CHECK"),
    }
    assert seen["PIP_USER"] == "0"


def test_every_recipe_that_calls_a_python_program_clears_them(project: Path) -> None:
    """Programs of the environment are Python, too: cmake, ruff and mypy would read the caller's modules."""
    text = (project / "Makefile").read_text().replace("\\\n", "")
    direct = [line for line in text.splitlines() if line.startswith("\t") and '"$$VENV' in line]
    allowed = ("$(CLEAN)", "build_harness.sh", "coverage_cpp.sh", "wheelhouse.sh", "clang-format", "clang-tidy", "export VENV=")
    assert direct and not [line for line in direct if not any(word in line for word in allowed)]
    for script in ("build_harness.sh", "coverage_cpp.sh", "wheelhouse.sh"):
        assert '. "$root/scripts/python_variables.sh"' in (project / "scripts" / script).read_text()


def test_packages_without_digests_are_named_in_security(project: Path) -> None:
    """What is installed without --require-hashes stands in SECURITY.md with its reason."""
    named = (project / "SECURITY.md").read_text()
    loose = [path.name for path in (project / "requirements").glob("*.txt")]
    assert loose and all(f"requirements/{name}" in named for name in loose)
    for lock in [*(project / "requirements").glob("*.lock"), *(project / "docker").rglob("*.lock")]:
        blocks = [line for line in lock.read_text().splitlines() if line and not line.startswith((" ", "#"))]
        assert blocks and all(line.endswith("\\") for line in blocks), f"{lock} has an entry without a digest"
    calls = [line for path in [*project.glob("Makefile*"), *(project / "scripts").rglob("*.sh"), *(project / "docker").rglob("*")]
             if path.is_file() for line in path.read_text().splitlines() if "pip install" in line and "-m pip" in line]  # fmt: skip
    assert len([line for line in calls if "--require-hashes" not in line]) == 1, calls


def test_a_wheelhouse_is_asked_instead_of_an_index(project: Path, tmp_path: Path) -> None:
    command = ["bash", "-c", '. "$0" && echo "$PIP_NO_INDEX $PIP_FIND_LINKS"', str(project / "scripts" / "python_variables.sh")]
    environment = {"PATH": os.environ["PATH"], "WHEELHOUSE": "/media/a disk/wheels"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1 file:///media/a%20disk/wheels\n"
    environment |= {"WHEELHOUSE": str(tmp_path / "absent"), "VENV": str(tmp_path / "venv")}
    done = subprocess.run(
        [project / "scripts/environment.sh", "runtime"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "WHEELHOUSE names" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_what_no_part_of_make_test_collects_is_of_make_test_full(project: Path) -> None:
    """Files are left out so that Hypothesis is not imported; a test of `make test` in one of them would never run."""
    left_out = set(re.findall(r"--ignore=(\S+)", (project / "Makefile").read_text())) - {"tests/e2e"}  # a part by itself
    files = [path for name in left_out for path in project.glob(name if name.endswith(".py") else f"{name}/test_*.py")]
    assert len(files) > 5 and {path.parent.name for path in files} == {"e2e", "fuzz"}
    for path in files:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        whole = any(
            isinstance(node, ast.Assign) and re.match(r"pytestmark = .*\bmark\.full\b", ast.unparse(node)) for node in body
        )
        tests = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        quick = [one.name for one in tests if "pytest.mark.full" not in map(ast.unparse, one.decorator_list)]
        assert tests and (whole or not quick), path
