"""What `docker run` and `docker build` are called with: paths of any name, and users' words split but never run."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
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


def called(project: Path, folder: Path, target: str, *arguments: str, answer: str = ANSWER) -> list[str]:
    """The arguments of the last `docker run` or `docker build` of a target, with a docker that records them."""
    docker, trace = folder / "docker", folder / "trace"
    docker.write_text(answer.replace("TRACE", str(trace)))
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


@pytest.mark.parametrize("enforces", ["0", "1"])
def test_mounts_are_readable_where_selinux_enforces(
    project: Path, tmp_path: Path, enforces: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "enforce").write_text(enforces)
    monkeypatch.setenv("SELINUX_ENFORCE", str(tmp_path / "enforce"))
    words = called(project, tmp_path, "docker_run", "CMD=true")
    assert ("label=disable" in words) == (enforces == "1")


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


OF_ROOT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL")
FOR_SUDO = ("AUDIT_WRITE", *OF_ROOT, "SETGID", "SETUID")


def added(words: list[str]) -> list[str]:
    """The capabilities that a container gets, but for the one that hosts with several NUMA nodes need."""
    return [after for word, after in pairwise(words) if word == "--cap-add" and after != "SYS_NICE"]


@pytest.mark.parametrize(
    ("target", "arguments", "uid", "works", "kept"),
    [
        ("docker_run", ("CMD=true",), "4711", False, ()),
        ("docker_run", ("CMD=true", "DOCKER_SUDO="), "4711", False, ()),
        ("docker_run", ("CMD=true",), "0", False, OF_ROOT),
        ("docker_run", ("CMD=true", "DOCKER_SUDO=1"), "4711", True, FOR_SUDO),
        ("launch_docker", ("DOCKER_COMMAND=true",), "4711", False, ()),
        ("launch_docker", ("DOCKER_DETACH=1",), "4711", True, FOR_SUDO),
        ("launch_docker", ("DOCKER_ARGS=-d",), "4711", True, FOR_SUDO),
        ("launch_docker", ("DOCKER_DETACH=1", "DOCKER_SUDO=0"), "4711", False, ()),
    ],
)
def test_a_container_has_no_more_rights_than_it_needs(
    project: Path, tmp_path: Path, target: str, arguments: tuple[str, ...], uid: str, works: bool, kept: tuple[str, ...]
) -> None:
    words = called(project, tmp_path, target, f"UID={uid}", *arguments)
    assert words[words.index("--cap-drop") + 1] == "ALL" and added(words) == list(kept)
    assert ("no-new-privileges" in words) is not works
    assert "--privileged" not in words


def test_a_switch_for_sudo_that_is_none(project: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="DOCKER_SUDO is 'maybe'"):
        called(project, tmp_path, "docker_run", "CMD=true", "DOCKER_SUDO=maybe")


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "NO_PROXY", "ALL_PROXY")


@pytest.mark.parametrize(
    ("target", "option"), [("build_docker", "--build-arg"), ("docker_add_user", "--build-arg"), ("docker_run", "-e")]
)
def test_proxies_reach_image_and_container_without_their_passwords_in_a_command_line(
    project: Path, tmp_path: Path, target: str, option: str
) -> None:
    given = [f"{name}=http://me:secret@proxy:3128" for name in PROXIES]
    words = called(project, tmp_path, target, "CMD=true", *given)
    named = [after for word, after in pairwise(words) if word == option]
    assert set(PROXIES) <= set(named) and not any("secret" in word for word in words)


def test_the_digest_of_the_base_is_told_and_recorded(project: Path, tmp_path: Path) -> None:
    digest = f"sha256:{'0a' * 32}"
    answer = ANSWER.replace("image) echo amd64 ;;", f"image) echo debian@{digest} ;;")
    words = called(project, tmp_path, "build_docker", "DOCKER_TAG=t", answer=answer)
    assert f"mlperf.base=debian:bookworm-slim@{digest}" in words
    assert not any(word.startswith("mlperf.base=") for word in called(project, tmp_path, "build_docker", "DOCKER_TAG=t"))
