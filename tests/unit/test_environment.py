"""scripts/environment.sh: the Python environment is made, healed and filled, and nothing of the user's is removed for it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.accounts import OtherAccount, other_account  # noqa: F401 a fixture
from tests.surroundings import ROOT, once


def copied(project: Path, folder: Path) -> Path:
    """A copy of the scripts and of the requirements."""
    for name in ("scripts", "requirements"):
        shutil.copytree(project / name, folder / "tree" / name)
    return folder / "tree"


@pytest.fixture
def root(project: Path, tmp_path: Path) -> Path:
    """The same, for one test."""
    return copied(project, tmp_path)


def write_environment(folder: Path) -> None:
    """Let the script make one where `python3` is too old, with one package; done.json is how that ended."""
    tools, root = folder / "tools", copied(ROOT, folder)
    tools.mkdir()
    (tools / "python3").write_text(OLD)
    for newer in ("python3.13", "python3.12", "python3.11", "python3.10"):
        (tools / newer).write_text(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    variables = {**locked(root, folder, name="debug", package="polygraphy"), "PYTHON3": "python3"}
    done = ensure(root, "debug", folder / "venv", PATH=f"{tools}:{os.environ['PATH']}", **variables)
    (folder / "done.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An environment without the packages in question, for what does not test how it is made; a copy works by its interpreter."""
    shutil.copytree(once("environment", write_environment) / "venv", tmp_path / "venv", symlinks=True)
    return tmp_path / "venv"


def ensure(root: Path, name: str, venv: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHON3", "VENV") and not k.startswith("PIP_")}
    environment |= {"VENV": str(venv), "PYTHON3": sys.executable, **variables}
    command = [str(root / "scripts" / "environment.sh"), name]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240)


def fails(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """It ended with `status` and one message of what, why and next that has `words`."""
    assert done.returncode == status, done.stderr
    assert [line[:6] for line in done.stderr.splitlines()] == ["error:", "  why:", "  next"], done.stderr
    for word in words:
        assert word in done.stderr


def wheel(folder: Path, name: str, version: str) -> Path:
    """A package of one empty module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    out = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out


def test_a_folder_with_other_files_is_never_cleared(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").touch()
    fails(ensure(root, "runtime", home), 2, f"{home} holds other files", "set VENV")
    assert (home / "letter").is_file()
    fails(ensure(root, "runtime", home / "letter"), 2, "is not a directory")


KINDS = {
    "a closed parent": (0o555, "may not write in", None),
    "unreadable": (0o000, "cannot be read", ()),
    "not listable": (0o711, "cannot be read", ("letter",)),
    "read-only and half made": (0o555, "may not write in", ("pyvenv.cfg",)),
    "an interpreter of another account": (0o755, "may not run it", ("pyvenv.cfg", "bin/python")),
}
"""Environment → the mode of its folder, what the error says, and the files in it; None where there is only its parent."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_environment_of_another_account_is_no_missing_package(
    other_account: OtherAccount,  # noqa: F811
    kind: str,
) -> None:
    mode, why, files = KINDS[kind]
    venv = other_account.folder / "theirs" / "venv"
    closed = venv.parent if files is None else venv
    closed.mkdir(parents=True)
    for name in files or ():
        (venv / name).parent.mkdir(exist_ok=True)
        (venv / name).write_text("#!/bin/false\n")
    closed.chmod(mode)
    done = other_account.run(str(other_account.folder / "tree" / "scripts" / "environment.sh"), "runtime", VENV=str(venv))
    closed.chmod(0o755)
    fails(done, 4, str(venv), why, "set VENV to a path of yours")
    assert "apt-get" not in done.stderr
    assert all((venv / name).is_file() for name in files or ()), "nothing is removed"


def test_a_python_that_cannot_make_one(root: Path, tmp_path: Path) -> None:
    fails(ensure(root, "runtime", tmp_path / "venv", PYTHON3="/no/python3"), 3, "/no/python3 is not installed", "PYTHON3=")
    old = tmp_path / "python3"
    old.write_text('#!/bin/bash\n[ "$1" = --version ] && echo Python 3.8.1\nexit 1\n')
    old.chmod(0o755)
    fails(ensure(root, "runtime", tmp_path / "venv", PYTHON3=str(old)), 3, "Python 3.8.1 cannot run this harness", "3.10 to 3.13")
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/bash\ncase $2 in *ensurepip*) exit 1 ;; esac\n")
    bare.chmod(0o755)
    fails(ensure(root, "runtime", tmp_path / "venv", PYTHON3=str(bare)), 3, "venv and ensurepip", "apt-get install python3-venv")


OLD = '#!/bin/bash\n[ "$1" = --version ] && echo Python 3.9.18\nexit 1\n'
NEWER = {
    'ID="rhel"\nVERSION_ID="9.4"': "dnf install python3.12, then add PYTHON3=python3.12",
    'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"': "dnf install python3.12",
    "ID=fedora\nVERSION_ID=43": "dnf install python3.13",
    'ID="amzn"\nVERSION_ID="2023"': "dnf install python3.12",
    'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"': "zypper install python311",
    'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"': "ppa:deadsnakes/ppa",
    'ID=debian\nVERSION_ID="11"': "upgrade to Debian 12",
    'ID=debian\nVERSION_ID="12"': "apt-get install python3 python3-venv",
    "ID=$(touch hit)\n": "install Python 3.10 to 3.13",
    "": "install Python 3.10 to 3.13",
}


@pytest.mark.parametrize("release", NEWER)
def test_a_python_that_is_too_old_names_what_brings_a_newer_one(release: str, root: Path, tmp_path: Path) -> None:
    old, system = tmp_path / "python3", tmp_path / "os-release"
    old.write_text(OLD)
    old.chmod(0o755)
    system.write_text(release)
    done = ensure(root, "runtime", tmp_path / "venv", PYTHON3=str(old), OS_RELEASE=str(system))
    fails(done, 3, "Python 3.9.18 cannot run this harness", NEWER[release], "PYTHON3=")
    assert not (root / "hit").exists()


def locked(root: Path, folder: Path, *absent: str, name: str = "tune", package: str = "optuna") -> dict[str, str]:
    """A lock file of a set with one package that is there and others that are not; the variables that find it."""
    found = wheel(folder, package, "1.0")
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    lines = [f"{one}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for one in absent]
    (root / "requirements" / f"{name}.lock").write_text(f"{''.join(lines)}{package}==1.0 \\\n    --hash=sha256:{digest}\n")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


STAND_IN = """#!/bin/bash
case "$1 $2 $3" in
  "-m pip --version") ;;
  "-m pip install") cp "${{@: -1}}" "{folder}/locked" ;;
  *) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def without_packages(tmp_path: Path) -> Path:
    """What stands for an environment: its Python is this one, and its pip keeps the list that it is to install as `locked`."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "bin/python").write_text(STAND_IN.format(folder=folder, python=sys.executable))
    (folder / "bin/python").chmod(0o755)
    return folder


def test_the_newest_python_that_suits_stands_in_for_one_that_is_too_old(root: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text(OLD)
    for name in ("python3.12", "python3.11"):
        (tools / name).write_text(f'#!/bin/bash\n[ "$2" != venv ] || exec echo {name} cannot\nexec {sys.executable} "$@"\n')
    (tools / "python3.13").write_text(OLD)
    for tool in tools.iterdir():
        tool.chmod(0o755)
    done = ensure(root, "tune", tmp_path / "venv", PYTHON3="python3", PATH=f"{tools}:{os.environ['PATH']}")
    assert "note: python3 is Python 3.9.18; the environment is made with python3.12" in done.stdout
    fails(done, 4, "does not work")


@pytest.mark.parametrize(("glibc", "left_out"), [("2.34", True), ("2.35", False)])
def test_openvino_is_not_asked_for_where_it_has_no_package(
    glibc: str, left_out: bool, root: Path, without_packages: Path, tmp_path: Path
) -> None:
    locked(root, tmp_path, "openvino", "openvino-genai", "openvino-tokenizers", package="numpy")
    done = ensure(root, "tune", without_packages, ARCH="aarch64", GLIBC=glibc)
    words = (without_packages / "locked").read_text()
    assert "numpy==1.0" in words and ("openvino" not in words) == left_out, done.stderr


@pytest.mark.full
def test_another_python_on_the_machine_is_taken_where_python3_is_too_old() -> None:
    folder = once("environment", write_environment)
    status, out, err = json.loads((folder / "done.json").read_text())
    assert status == 0, err
    assert "note: python3 is Python 3.9.18; the environment is made with python3.13" in out
    assert (folder / "venv" / ".debug-installed").is_file() and list(folder.glob("venv/lib/*/site-packages/polygraphy"))


@pytest.mark.full
@pytest.mark.parametrize(("glibc", "status"), [("2.34", 0), ("2.35", 3)])
def test_openvino_is_left_out_where_it_has_no_package(glibc: str, status: int, root: Path, made: Path, tmp_path: Path) -> None:
    variables = locked(root, tmp_path, "openvino", "openvino-genai", "openvino-tokenizers")
    done = ensure(root, "tune", made, ARCH="aarch64", GLIBC=glibc, **variables)
    assert done.returncode == status, done.stderr


def test_a_missing_compiler_for_loadgen_is_named_on_arm(root: Path, without_packages: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (
        "bash",
        "env",
        "sed",
        "grep",
        "dirname",
        "sha256sum",
        "uname",
        "cat",
        "ls",
        "rm",
        "mv",
        "mkdir",
        "tail",
        "id",
        "stat",
    ):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = ensure(root, "runtime", without_packages, ARCH="aarch64", PATH=str(tools))
    fails(done, 3, "LoadGen cannot be built", "no wheel for aarch64", "apt-get install g++ python3-dev", "dnf install gcc-c++")


def test_an_unknown_set(root: Path, tmp_path: Path) -> None:
    fails(ensure(root, "runtme", tmp_path / "venv"), 2, "no set of packages called runtme", "runtime")


def test_a_stamp_is_of_the_files_content(root: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text("#!/bin/bash\nexit 9\n")
    (venv / "bin" / "python").chmod(0o755)
    digest = hashlib.sha256((root / "requirements" / "runtime.lock").read_bytes()).hexdigest()
    (venv / ".runtime-installed").write_text(digest)
    assert ensure(root, "runtime", venv).returncode == 0
    (venv / ".runtime-installed").write_text(digest[::-1])
    assert ensure(root, "runtime", venv).returncode != 0


@pytest.mark.full
def test_tensorrt_is_installed_from_an_index_into_a_half_made_environment(root: Path, tmp_path: Path) -> None:
    """Constraints with digests would make pip ask for one of every package. An environment that was interrupted has no pip."""
    index = tmp_path / "index"
    index.mkdir()
    wheel(index, "tensorrt", "10.9.1")
    wheel(index, "cuda_bindings", "12.8.0")
    venv = tmp_path / "a venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    elsewhere = tmp_path / "elsewhere"
    leaking = {
        "PIP_TARGET": str(elsewhere),
        "PIP_USER": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(tmp_path),
        "PIP_REQUIRE_HASHES": "1",
    }
    done = ensure(root, "tensorrt", venv, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(index), **leaking)
    assert done.returncode == 0, done.stderr
    seen = [str(venv / "bin" / "python"), "-c", "import tensorrt, cuda_bindings; print(tensorrt.__file__)"]
    assert str(venv) in subprocess.run(seen, capture_output=True, text=True, check=True).stdout
    assert (venv / ".tensorrt-installed").is_file() and not elsewhere.exists()
    again = ensure(root, "tensorrt", venv, PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere")
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.full
def test_packages_that_pip_put_elsewhere_leave_no_stamp(root: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    wheel(index, "tensorrt", "10.9.1")
    wheel(index, "cuda_bindings", "12.8.0")
    (tmp_path / "pip.conf").write_text(f"[install]\ntarget = {tmp_path}/elsewhere\n")
    venv = tmp_path / "venv"
    given = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    done = ensure(root, "tensorrt", venv, **given)
    assert done.returncode == 4 and "are not in" in done.stderr and "target" in done.stderr
    assert not (venv / ".tensorrt-installed").exists()
