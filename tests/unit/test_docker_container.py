"""What `docker run` and `docker build` are called with: paths of any name, and users' words split but never run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ANSWER = """#!/bin/bash
case $1 in
  info) echo '{}' ;;
  image) echo amd64 ;;
  container) [ "$3" = --format ] && [ -e TRACE ] && echo true || exit 1 ;;
  run | build) printf '%s\\0' "$@" >TRACE ;;
esac
"""


def called(project: Path, folder: Path, target: str, *arguments: str) -> list[str]:
    """The arguments of the last `docker run` or `docker build` of a target, with a docker that records them."""
    docker, trace = folder / "docker", folder / "trace"
    docker.write_text(ANSWER.replace("TRACE", str(trace)))
    docker.chmod(0o755)
    unset = ("MLPERF_SCRATCH_PATH", "MAKEFLAGS", "MAKELEVEL", "DOCKER_HOST")
    environment = {k: v for k, v in os.environ.items() if k not in unset and not k.lower().endswith("_proxy")}
    given = (f"DOCKER={docker}", "FLAVOUR=cpu", "ARCH=x86_64", "NO_DOCKER_PULL=1", *arguments)
    done = subprocess.run(
        ["make", "-s", target, *given], cwd=project, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return trace.read_text().split("\0")[:-1]


@pytest.mark.parametrize("name", ["a b", "c:d", "e,f", "it's"])
def test_a_scratch_path_of_any_name_is_mounted(project: Path, tmp_path: Path, name: str) -> None:
    scratch = tmp_path / name
    scratch.mkdir()
    words = called(project, tmp_path, "docker_run", f"MLPERF_SCRATCH_PATH={scratch}", "CMD=true")
    assert f'type=bind,"source={scratch}","target={scratch}"' in words and f"MLPERF_SCRATCH_PATH={scratch}" in words


def test_words_of_the_user_are_split_and_not_run(project: Path, tmp_path: Path) -> None:
    arguments = f"DOCKER_ARGS=-d -e 'A=b c' -e X=$(touch {tmp_path}/hit) --label=\"q;r\""
    command = "DOCKER_COMMAND=make run RUN_ARGS='--benchmarks=bert --fast'"
    words = called(project, tmp_path, "launch_docker", arguments, command, "DOCKER_NAME=bench")
    assert [w for w in words if w in ("A=b c", "--label=q;r")] == ["A=b c", "--label=q;r"]
    assert words[-3:] == ["make", "run", "RUN_ARGS=--benchmarks=bert --fast"]
    assert "X=$(touch" in words and not (tmp_path / "hit").exists()


def test_the_image_gets_account_and_group_as_they_are(project: Path, tmp_path: Path) -> None:
    words = called(project, tmp_path, "docker_add_user", "GROUPNAME=domain users", "UNAME=ann", "UID=4711", "GROUPID=5")
    assert {"GROUP=domain users", "USER=ann", "UID=4711", "GID=5"} <= set(words)


def test_an_image_is_built_of_what_was_asked_for(project: Path, tmp_path: Path) -> None:
    words = called(
        project, tmp_path, "build_docker", "BASE_IMAGE=mirror/x:1", "DOCKER_BUILD_ARGS=--build-arg 'A=b c'", "DOCKER_TAG=t"
    )
    assert {"BASE_IMAGE=mirror/x:1", "A=b c", "mlperf-inference:t-latest", "docker/cpu/Dockerfile"} <= set(words)
