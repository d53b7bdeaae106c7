"""What goes wrong before a container starts is one clear message with its fix; these need no daemon, tests/e2e/test_docker.py has one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def checks(project: Path, *names: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DOCKER", "DOCKER_HOST", "FLAVOUR", "SCRATCH", "HOST_VOL")}
    command = [str(project / "docker/host/checks.sh"), *names]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**environment, **variables})


def fails(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """It ended with `status` and one message of what, why and next that has `words`."""
    assert done.returncode == status, done.stderr
    lines = done.stderr.splitlines()
    assert [line[:6] for line in lines] == ["error:", "  why:", "  next"], done.stderr
    for word in words:
        assert word in done.stderr


def test_no_docker(project: Path) -> None:
    fails(checks(project, "docker", DOCKER="no-such-docker"), 3, "no-such-docker is not installed", "install", "DOCKER=podman")


def test_the_daemon_is_down(project: Path, tmp_path: Path) -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed: apt-get install docker.io")
    done = checks(project, "daemon", DOCKER_HOST=f"unix://{tmp_path}/docker.sock")
    fails(done, 3, "cannot reach the Docker daemon", "systemctl start docker", "docker.sock")


def test_a_flavour_that_is_none(project: Path) -> None:
    fails(checks(project, "flavour", FLAVOUR="gpu"), 2, "unknown FLAVOUR 'gpu'", "cpu", "cuda")


def test_mig_instances_that_are_not_there(project: Path, tmp_path: Path) -> None:
    """On a host whose Docker has the NVIDIA runtime (this one says so); nothing but the instances asked for may be given out."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/bash\necho \'{"Runtimes": {"nvidia":{}}}\'\n')
    docker.chmod(0o755)
    done = checks(project, "gpus", FLAVOUR="cuda", MIG_CONF="7g.80gb", DOCKER=str(docker))
    fails(done, 3, "no MIG instance of kind 7g.80gb", "nvidia-smi -L")
    assert checks(project, "gpus", FLAVOUR="cuda", MIG_CONF="OFF", DOCKER=str(docker)).returncode == 0


def test_a_scratch_path_that_is_not_there(project: Path, tmp_path: Path) -> None:
    fails(checks(project, "scratch", SCRATCH=f"{tmp_path}/none"), 3, f"{tmp_path}/none", "mkdir -p")
    assert checks(project, "scratch", SCRATCH=str(tmp_path)).returncode == 0
    assert checks(project, "scratch", SCRATCH="").returncode == 0


def test_a_folder_that_is_no_work_tree(project: Path, tmp_path: Path) -> None:
    fails(checks(project, "tree", HOST_VOL=str(tmp_path)), 2, "HOST_VOL", "Makefile")


def test_root_is_warned_and_may_go_on(project: Path, tmp_path: Path) -> None:
    """As root, or as an account that says it is."""
    own = tmp_path / "id"
    own.write_text('#!/bin/sh\n[ "$*" = -u ] && echo 0 && exit\nPATH=${PATH#*:} exec id "$@"\n')
    own.chmod(0o755)
    done = checks(project, "tree", HOST_VOL=str(project), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0 and "warning: running as root" in done.stderr and "ordinary account" in done.stderr


def test_an_interactive_container_wants_a_terminal(project: Path) -> None:
    command = [str(project / "docker/host/checks.sh"), "terminal"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    fails(done, 2, "terminal", "DOCKER_DETACH=1", "docker_run")


@pytest.mark.parametrize(
    ("device", "container", "told"), [("/dev/null", "no", True), ("/dev/null", "/.dockerenv", False), ("/none", "no", False)]
)
def test_a_gpu_host_without_tensorrt_is_told_to_run_inside(
    project: Path, tmp_path: Path, device: str, container: str, told: bool
) -> None:
    """`make run` on such a host says how to run it in the container; elsewhere it says nothing."""
    command = ["make", "-s", "tell_inside", f"GPU_DEVICE={device}", f"IN_CONTAINER={container}", f"VENV={tmp_path}"]
    done = subprocess.run([*command, "RUN_ARGS=--benchmarks=bert"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("make docker_run CMD=" in done.stderr and "--benchmarks=bert" in done.stderr) is told
