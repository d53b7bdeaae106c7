"""The Dockerfiles, Compose file and examples are sound as far as their own tools can tell."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DOCKERFILES = ("docker/cpu/Dockerfile", "docker/release/Dockerfile", "docker/Dockerfile.user")


def tool(name: str) -> str:
    """A program of the development environment."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed (it is among the development packages)")
    return found


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(project: Path, name: str) -> None:
    done = subprocess.run([tool("hadolint"), "--no-color", name], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_images_lock_file_is_the_projects(project: Path) -> None:
    """The image is built from docker/ alone, also by a Makefile.docker from elsewhere; `make build_docker` renews the copy."""
    assert (project / "docker/common/runtime.lock").read_bytes() == (project / "requirements/runtime.lock").read_bytes()


def test_the_cuda_lock_agrees_with_the_runtime_lock(project: Path) -> None:
    def pins(name: str) -> set[tuple[str, str]]:
        return set(re.findall(r"^([a-z0-9.-]+)==(\S+)", (project / "docker/common" / name).read_text(), re.MULTILINE))

    runtime, cuda = pins("runtime.lock"), pins("cuda.lock")
    assert {"pycuda", "polygraphy", "cuda-bindings"} <= {package for package, _ in cuda}
    for package in {p for p, _ in runtime} & {p for p, _ in cuda}:
        assert {v for p, v in cuda if p == package} <= {v for p, v in runtime if p == package}, package


@pytest.mark.parametrize("name", DOCKERFILES)
def test_no_image_ends_as_root_and_none_needs_buildkit(project: Path, name: str) -> None:
    text = (project / name).read_text()
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users[-1] in ("10000", "${UID}")
    assert not re.search(r"--mount=|--chmod|--link|<<EOF|^# *syntax=", text, re.MULTILINE), (
        "every builder must be able to build this"
    )


def test_the_cuda_base_has_a_compiler_for_kernels(project: Path) -> None:
    """Of NVIDIA's CUDA images only `devel` has nvcc and cuda.h: `make build` compiles kernels with it, and pip pycuda."""
    by_make = re.search(r"^BASE_IMAGE_cuda = (\S+)", (project / "Makefile.docker").read_text(), re.MULTILINE)
    by_hand = re.search(r"^ARG BASE_IMAGE=(\S+)", (project / "docker/release/Dockerfile").read_text(), re.MULTILINE)
    assert by_make and "-devel-" in by_make[1]
    assert by_hand and "-devel-" in by_hand[1]


APT = """#!/bin/bash
case "$1 ${2:-}" in
  "madison libnvinfer10") printf 'libnvinfer10 | 10.16.1.11-1+cuda13.2 | src\\nlibnvinfer10 | 10.13.3.9-1+cuda12.9 | src\\n' ;;
  "madison libnvinfer11") printf 'libnvinfer11 | 11.3.0.14-1+cuda13.4 | src\\nlibnvinfer11 | 11.3.0.14-1+cuda12.9 | src\\n' ;;
  "pkgnames libnvinfer") printf '%s\\n' libnvinfer10 libnvinfer11 libnvinfer-dev libnvinfer-plugin11 ;;
  install*|hold*) echo "$@" >> "$INSTALL_ROOT/calls" ;;
esac
"""


@pytest.fixture
def install_tensorrt(project: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs install_tensorrt.sh in a root of its own, with an apt that has TensorRT 10.13, 10.16 and 11.3 and records what it is asked."""
    for name in ("apt-get", "apt-cache", "apt-mark"):
        (tmp_path / name).write_text(APT)
        (tmp_path / name).chmod(0o755)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "INSTALL_ROOT": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = ["bash", str(project / "docker/common/install_tensorrt.sh"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    return run


@pytest.mark.parametrize(
    ("version", "cuda", "exact", "major"),
    [
        ("10.13.3", "12.9", "10.13.3.9-1+cuda12.9", "10"),
        ("11", "13.4", "11.3.0.14-1+cuda13.4", "11"),
        ("11.3.0.14", "12.9", "11.3.0.14-1+cuda12.9", "11"),
    ],
)
def test_tensorrt_is_installed_under_the_names_of_its_major_version(
    install_tensorrt: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    version: str,
    cuda: str,
    exact: str,
    major: str,
) -> None:
    done = install_tensorrt(version, cuda, "required")
    assert done.returncode == 0, done.stderr
    installed, held = (tmp_path / "calls").read_text().splitlines()
    names = installed.split()[3:]
    assert {f"libnvinfer{major}", f"libnvinfer-plugin{major}", f"libnvonnxparsers{major}", "libnvinfer-dev"} <= set(names)
    assert held.split()[1:] == names
    pin = (tmp_path / "etc/apt/preferences.d/tensorrt").read_text()
    assert f"Pin: version {exact}\n" in pin, "the packages that these depend on are of the same version"


@pytest.mark.parametrize(("version", "cuda"), [("11.3", "13.2"), ("1", "12.9"), ("12", "13.4"), ("10.1", "12.9")])
def test_a_tensorrt_that_no_source_has_is_an_error_with_those_there_are(
    install_tensorrt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, version: str, cuda: str
) -> None:
    done = install_tensorrt(version, cuda, "required")
    assert done.returncode == 1 and not (tmp_path / "calls").exists()
    assert "10.13.3.9-1+cuda12.9" in done.stderr and "11.3.0.14-1+cuda13.4" in done.stderr and "next:" in done.stderr
    assert install_tensorrt(version, cuda, "optional").returncode == 0


def test_a_base_with_tensorrt_keeps_its_own(
    install_tensorrt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    header = tmp_path / "usr/include/x86_64-linux-gnu/NvInfer.h"
    header.parent.mkdir(parents=True)
    header.touch()
    done = install_tensorrt("10.13.3", "12.9", "required")
    assert done.returncode == 0 and "already" in done.stdout and not (tmp_path / "calls").exists()


def compose(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # The package's own wrapper drops the exit status; the program beside it does not.
    package = importlib.util.find_spec("compose")
    places = [Path(place) / "docker-compose" for place in (package.submodule_search_locations or [])] if package else []
    program = next((str(place) for place in places if place.is_file()), None) or tool("docker-compose")
    command = [program, "-f", "compose.yaml", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("DOCKER_TAG", "MLPERF_SCRATCH_PATH")}
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env={**environment, **variables})


def test_compose_accepts_its_file(project: Path) -> None:
    done = compose(project, "--profile", "*", "config", DOCKER_TAG="ann-x86_64", MLPERF_SCRATCH_PATH="/scratch")
    assert done.returncode == 0, done.stderr
    assert "image: mlperf-inference:ann-x86_64" in done.stdout
    assert "privileged" not in done.stdout


def test_compose_says_what_to_set(project: Path) -> None:
    done = compose(project, "config", DOCKER_TAG="ann-x86_64")
    assert done.returncode != 0 and "export MLPERF_SCRATCH_PATH" in done.stderr


@pytest.mark.parametrize("name", ["kubernetes-job.yaml", "kubernetes-job-cuda.yaml"])
def test_kubernetes_schema_accepts_the_example(project: Path, name: str) -> None:
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed (it is among the development packages)")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", f"docker/examples/{name}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_slurm_example_reads_as_a_shell_script_and_wants_its_image(project: Path, tmp_path: Path) -> None:
    script = project / "docker/examples/slurm-enroot.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    done = subprocess.run(
        ["bash", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MLPERF_SCRATCH_PATH": str(tmp_path)},
    )
    assert done.returncode == 3 and "mlperf-inference.sqsh" in done.stderr and "next:" in done.stderr


def test_the_slurm_example_hands_its_arguments_through(project: Path, tmp_path: Path) -> None:
    """With an srun that runs the container's command right here, make is given the arguments as they were typed."""
    (tmp_path / "mlperf-inference.sqsh").touch()
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "srun").write_text('#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n')
    (binaries / "make").write_text('#!/bin/bash\nprintf "[%s]" "$@"\n')
    for name in ("srun", "make"):
        (binaries / name).chmod(0o755)
    done = subprocess.run(
        ["bash", str(project / "docker/examples/slurm-enroot.sbatch"), "--benchmarks=bert", "--scenarios=Offline,Server"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MLPERF_SCRATCH_PATH": str(tmp_path), "PATH": f"{binaries}:{os.environ['PATH']}"},
    )
    assert done.stdout == "[build][run][RUN_ARGS=--benchmarks=bert --scenarios=Offline,Server]", done.stderr


def test_mig_instances_by_kind(project: Path, tmp_path: Path) -> None:
    listing = (
        "GPU 0: NVIDIA A100 (UUID: GPU-1)\n"
        "  MIG 1g.10gb     Device  0: (UUID: MIG-aaaa-1)\n  MIG 1g.10gb     Device  1: (UUID: MIG-aaaa-2)\n"
        "  MIG 2g.20gb     Device  2: (UUID: MIG-bbbb-1)\n"
    )
    (tmp_path / "listing").write_text(listing)
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/bash\ncat {tmp_path}/listing\n")
    smi.chmod(0o755)

    def uuids(kind: str) -> subprocess.CompletedProcess[str]:
        command = [str(project / "scripts/mig_get_uuid.sh"), kind]
        return subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        )

    assert uuids("1").stdout.strip() == "MIG-aaaa-1,MIG-aaaa-2"
    assert uuids("2g.20gb").stdout.strip() == "MIG-bbbb-1"
    missing = uuids("7g.80gb")
    assert missing.returncode == 3 and "7g.80gb" in missing.stderr
