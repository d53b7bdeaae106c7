"""Makefile.const is what a Makefile.docker from elsewhere reads, and reading makefiles starts no program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# What public harnesses' Makefile.docker files take from Makefile.const, in the ways they take it.
FOREIGN = """
include $(CURDIR)/Makefile.const
ifndef DOCKER_TAG
    DOCKER_TAG := $(UNAME)-$(ARCH)
endif
HOST_VOL ?= ${PWD}
CONTAINER_VOL ?= /work
ifdef MLPERF_SCRATCH_PATH
    ifneq ($(wildcard $(MLPERF_SCRATCH_PATH)),)
        MOUNTS += -v $(MLPERF_SCRATCH_PATH):$(MLPERF_SCRATCH_PATH)
    else
        $(error the scratch path does not exist)
    endif
endif
ifeq ($(IS_SOC), 1)
    $(error not a system on chip)
endif
DOCKER_NAME := mlperf-inference-$(DOCKER_TAG)-4711
BASE_NAME ?= inf-$(VERSION)-cuda$(CUDA_VER)-${BASE_IMAGE_ALIAS}-ubuntu$(UBUNTU_VERSION)-$(BUILD_CONTEXT)-$(ENV)
ifeq ($(EXTERNAL_USER), 0)
    REGISTRY := inside
else
    REGISTRY := outside
endif

prebuild: build_docker docker_add_user launch_docker
build_docker:
\t@echo docker build --build-arg BASE_IMAGE=$(REGISTRY):$(BASE_NAME) --build-arg TRT_VER=$(TRT_VER) --build-arg TRT=$(TRT_MAJOR_VER) \\
\t  --network host --build-context common=docker/common -f docker/$(ENV)/Dockerfile docker/$(ENV)
\t@ls docker/$(ENV)/Dockerfile docker/common docker/Dockerfile.user >/dev/null
docker_add_user:
\t@echo docker build --build-arg GID=$(GROUPID) --build-arg UID=$(UID) --build-arg GROUP=$(GROUPNAME) --build-arg USER=$(UNAME)
launch_docker:
\t@echo docker run --name $(DOCKER_NAME) -v ${SSH_KEY_MOUNT_PATH} -v ${VSCODE_EXTENSION_MOUNT_PATH} -e HOST_HOSTNAME=$(HOSTNAME) \\
\t  -e NVIDIA_VISIBLE_DEVICES=${NVIDIA_VISIBLE_DEVICES} --user $(UID) $(MOUNTS) \\
\t  $(shell if [ $(MIG_CONF) == "ALL" ]; then echo all; elif [ $(MIG_CONF) != "OFF" ]; then bash scripts/mig_get_uuid.sh; fi) \\
\t  root=$(PROJECT_ROOT) sm=$(SM) soc=$(SOC_SM)
"""


@pytest.fixture
def tree(project: Path, tmp_path: Path) -> Path:
    """A copy of what make reads, without data, engines or an environment."""
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("Makefile", "Makefile.const", "Makefile.docker"):
        shutil.copy(project / name, root)
    for name in ("docker", "scripts"):
        shutil.copytree(project / name, root / name)
    return root


def make(tree: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    unset = ("MLPERF_SCRATCH_PATH", "MAKEFLAGS", "MAKELEVEL", "BUILD_DIR", "VENV", "ARCH")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60, env={**environment, **variables})


def test_a_makefile_docker_from_elsewhere_finds_every_name_it_reads(tree: Path) -> None:
    (tree / "Makefile.docker").write_text(FOREIGN)
    done = make(tree, "--warn-undefined-variables", "-f", "Makefile.docker", "prebuild")
    assert done.returncode == 0, done.stderr
    assert "undefined variable" not in done.stderr.replace("undefined variable 'MOUNTS'", "")
    uid, gid = os.getuid(), os.getgid()
    assert f"--build-arg GID={gid} --build-arg UID={uid} " in done.stdout
    assert f"-{os.uname().machine}-4711 " in done.stdout
    assert "=outside:inf-" in done.stdout
    assert f"root={tree} sm=" in done.stdout


def test_it_takes_the_place_of_ours_without_further_change(tree: Path) -> None:
    """Automation replaces this one file and calls `make prebuild`; our default scratch path is not there yet, and it may not notice."""
    (tree / "Makefile.docker").write_text(FOREIGN)
    done = make(tree, "prebuild")
    assert done.returncode == 0, done.stderr
    assert "docker run --name mlperf-inference-" in done.stdout
    scratch = tree / "scratch"
    scratch.mkdir()
    assert f"-v {scratch}:{scratch}" in make(tree, "prebuild", MLPERF_SCRATCH_PATH=str(scratch)).stdout


def test_no_key_or_editor_folder_is_mounted_by_default(tree: Path) -> None:
    """Each `-v` of these two names one path, an empty volume of the container; only what a user sets names a folder of the host."""
    show = tree / "show.mk"
    show.write_text("include Makefile.const\nshow: ; @echo '$(SSH_KEY_MOUNT_PATH)|$(VSCODE_EXTENSION_MOUNT_PATH)'\n")
    for path in make(tree, "-f", "show.mk", "show").stdout.strip().split("|"):
        assert path.startswith("/mnt/") and ":" not in path


@pytest.mark.parametrize("name", ["Makefile", "Makefile.const", "Makefile.docker"])
def test_reading_starts_no_program(tree: Path, name: str) -> None:
    """Every program that make starts goes through SHELL; this one leaves a trace."""
    trace = tree / "trace"
    shell = tree / "shell"
    shell.write_text(f'#!/bin/bash\necho "$@" >>{trace}\nexec /bin/bash "$@"\n')
    shell.chmod(0o755)
    (tree / "nothing.mk").write_text("nothing: ;\nask: ; @echo $(ARCH)\n")
    done = make(tree, f"SHELL={shell}", "-f", name, "-f", "nothing.mk", "nothing")
    assert done.returncode == 0, done.stderr
    assert not trace.exists(), trace.read_text()
    assert make(tree, f"SHELL={shell}", "-f", name, "-f", "nothing.mk", "ask").stdout.strip() == os.uname().machine
    assert "uname" in trace.read_text(), "the trace does not work"


def test_an_answer_is_asked_for_once(tree: Path) -> None:
    (tree / "twice.mk").write_text("include Makefile.const\ntwice: ; @echo $(UID) $(UID) $(ARCH) $(ARCH) >/dev/null\n")
    trace = tree / "trace"
    shell = tree / "shell"
    shell.write_text(f'#!/bin/bash\necho "$@" >>{trace}\nexec /bin/bash "$@"\n')
    shell.chmod(0o755)
    assert make(tree, f"SHELL={shell}", "-f", "twice.mk", "twice").returncode == 0
    assert sorted(line for line in trace.read_text().splitlines() if "echo" not in line) == ["-c id -u", "-c uname -m"]


def test_an_architecture_that_automation_writes_into_the_files(tree: Path) -> None:
    """Cloud automation inserts `ARCH=…` with sed at line 27 of Makefile and line 29 of the two others; no rule may be torn apart."""
    for name, line in (("Makefile", 27), ("Makefile.docker", 29), ("Makefile.const", 29)):
        subprocess.run(["sed", "-i", f"{line}i\\ARCH=aarch64", str(tree / name)], check=True)
        (tree / "show.mk").write_text("show: ; @echo $(ARCH) $(DOCKER_NAME)\n")
        done = make(tree, "-f", name, "-f", "show.mk", "show", UNAME="ann")
        assert done.returncode == 0 and done.stdout.startswith("aarch64"), (name, done.stdout, done.stderr)
    assert "mlperf-inference-ann-aarch64" in make(tree, "-f", "Makefile.docker", "-f", "show.mk", "show", UNAME="ann").stdout


def test_an_account_name_of_a_directory_service_makes_a_legal_tag(tree: Path) -> None:
    (tree / "show.mk").write_text("show: ; @echo '$(DOCKER_NAME)'\n")
    done = make(tree, "-f", "Makefile.docker", "-f", "show.mk", "show", UNAME="CORP+ann@site.example", ARCH="x86_64")
    assert done.stdout.strip() == "mlperf-inference-CORP-ann-site.example-x86_64"
