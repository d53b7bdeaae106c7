"""Automation's way through the containers, against a real daemon and as an ordinary user.

Uses the machine's own Docker where this account may; as root it starts a throw-away daemon with a `tools/with-docker.sh` of the reference
data, whose `debian:bookworm-slim` is made on the spot. Skips with the reason where neither works. The runs take the 60 seconds of `--fast`;
MLPERF_TEST_RUN_ARGS="--min_duration=2000" shortens them on a busy machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import reference_folder

pytestmark = [pytest.mark.e2e, pytest.mark.container, pytest.mark.timeout(2400)]
ACCOUNT = "mlperf-e2e"
ARCH = os.uname().machine
MORE_RUN_ARGS = os.environ.get("MLPERF_TEST_RUN_ARGS", "")


@dataclass
class Host:
    """A host with a Docker daemon, an ordinary account on it, and that account's clone of the project."""

    tree: Path
    scratch: Path
    user: str
    variables: dict[str, str]
    account: dict[str, object] = field(default_factory=dict)

    @property
    def container(self) -> str:
        return f"mlperf-inference-{self.user}-{ARCH}"

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it in the clone as the account; its output is shown when the test fails."""
        environment = {**self.variables, "MLPERF_SCRATCH_PATH": str(self.scratch), **variables}
        account: dict[str, object] = self.account
        done = subprocess.run(
            command,
            cwd=self.tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            **account,
        )  # type: ignore[call-overload]
        print("$", *command, f"-> {done.returncode}", done.stdout, done.stderr, sep="\n")
        return done

    def inside(self, command: str) -> subprocess.CompletedProcess[str]:
        """As automation does: exec into the container of the stable name."""
        text = f"export MLPERF_SCRATCH_PATH={self.scratch} && {command}"
        return self.run("docker", "exec", "-u", self.user, self.container, "bash", "-c", text)

    def by_sudo(self, command: str) -> subprocess.CompletedProcess[str]:
        """As cloud automation does: every step under sudo, which drops the image's variables."""
        text = f"export MLPERF_SCRATCH_PATH={self.scratch} && {command}"
        return self.run("docker", "exec", "-u", self.user, self.container, "sudo", "bash", "-c", text)

    def metadata(self) -> set[Path]:
        return set((self.tree / "build" / "logs").glob("*/*/*/*/metadata.json"))


def fails(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed with one message of what, why and next."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("make", "warning", " " * 9))]
    assert [line[:6] for line in lines] == ["error:", "  why:", "  next"], done.stderr
    for word in words:
        assert word in done.stderr


def tar(**members: bytes) -> bytes:
    """A tar archive of these files, whose names have `_` for `.`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def empty_image(name: str, architecture: str) -> bytes:
    """What `docker save` writes of an image with one empty layer."""
    layer = tar()
    content = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": content}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    return tar(config_json=json.dumps(config).encode(), layer_tar=layer, manifest_json=json.dumps(manifest).encode())


def usable_daemon() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def daemon(project: Path) -> Iterator[dict[str, str]]:
    """Variables under which `docker` reaches a daemon."""
    keep = {k: os.environ[k] for k in ("PATH", "DOCKER_HOST", "LANG") if k in os.environ}
    if usable_daemon():
        yield keep
        return
    script = reference_folder() / "tools" / "with-docker.sh"
    if os.getuid() != 0 or not script.is_file():
        pytest.skip("no Docker daemon answers this account (README.md, 'Tests that skip')")
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        os.mkfifo(ready)
        log = Path(folder) / "log"
        # The command says where the daemon is and then lives as long as its standard input is open.
        command = ["bash", str(script), "bash", "-c", f'echo "$DOCKER_HOST" >{ready}; cat >/dev/null']
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
        opened = subprocess.Popen(["cat", str(ready)], stdout=subprocess.PIPE, text=True)
        while opened.poll() is None and process.poll() is None:
            try:
                opened.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        if process.poll() is not None:
            opened.kill()
            pytest.skip(f"no Docker daemon can be started here: {log.read_text(errors='replace').strip()[-300:]}")
        assert opened.stdout is not None and process.stdin is not None
        yield {**keep, "DOCKER_HOST": opened.stdout.read().strip()}
        process.stdin.close()
        process.wait(120)


@pytest.fixture(scope="module")
def host(project: Path, daemon: dict[str, str]) -> Iterator[Host]:
    """An ordinary account (made for the test where this is root) with a clone of the files as they are now."""
    folder = Path(tempfile.mkdtemp(prefix="mlperf-docker-"))
    folder.chmod(0o755)
    tree, scratch = folder / "tree", folder / "scratch"
    scratch.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=project, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (project / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, tree / name)
    user, account = pwd.getpwuid(os.getuid()).pw_name, {}
    if os.getuid() == 0:
        user = ACCOUNT
        subprocess.run(["useradd", "--create-home", "--groups", "docker", user], capture_output=True)
        entry = pwd.getpwnam(user)
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid)}
        subprocess.run(["chown", "-R", f"{entry.pw_uid}:{entry.pw_gid}", str(folder)], check=True)
    home = pwd.getpwnam(user).pw_dir
    made = Host(tree, scratch, user, {**daemon, "HOME": home, "USER": user}, account)
    yield made
    subprocess.run(["docker", "rm", "--force", made.container], env=made.variables, capture_output=True)
    if user == ACCOUNT:
        subprocess.run(["userdel", "--remove", user], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def started(host: Host) -> Host:
    """After `make prebuild DOCKER_DETACH=1 FLAVOUR=cpu`."""
    done = host.run("make", "prebuild", "DOCKER_DETACH=1", "FLAVOUR=cpu")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return host


class TestBeforeThereIsAnImage:
    def test_an_account_outside_the_group(self, host: Host) -> None:
        if host.user != ACCOUNT:
            pytest.skip("only root can act as another account")
        outsider = Host(host.tree, host.scratch, host.user, host.variables, {**host.account, "extra_groups": []})
        fails(
            outsider.run("make", "build_docker", "FLAVOUR=cpu"), "is not allowed to use the Docker daemon", "usermod -aG docker"
        )

    def test_cuda_without_the_nvidia_runtime(self, host: Host) -> None:
        runtimes = host.run("docker", "info", "--format", "{{json .}}").stdout
        if '"nvidia":' in runtimes:
            pytest.skip("this daemon has the NVIDIA runtime")
        fails(
            host.run("make", "prebuild", "DOCKER_DETACH=1", "FLAVOUR=cuda"), "no NVIDIA runtime", "nvidia-ctk runtime configure"
        )

    def test_no_image_yet(self, host: Host) -> None:
        fails(
            host.run("make", "launch_docker", "DOCKER_DETACH=1", "FLAVOUR=cpu", "DOCKER_TAG=never-built"),
            "never-built does not exist",
            "make prebuild",
        )

    def test_a_scratch_path_that_is_not_there(self, host: Host) -> None:
        done = host.run("make", "prebuild", "DOCKER_DETACH=1", "FLAVOUR=cpu", MLPERF_SCRATCH_PATH="/no/such/folder")
        fails(done, "/no/such/folder", "mkdir -p")

    def test_files_of_root_are_listed(self, host: Host) -> None:
        if host.user != ACCOUNT:
            pytest.skip("only root can make a file of root")
        mine = host.tree / "build" / "logs" / "of-root"
        mine.mkdir(parents=True)
        done = host.run("make", "docker_info", "FLAVOUR=cpu")
        shutil.rmtree(host.tree / "build")
        assert f"{host.tree}/build" in done.stderr and "sudo chown -R" in done.stderr

    def test_an_image_of_another_architecture(self, host: Host) -> None:
        other = "amd64" if ARCH == "aarch64" else "arm64"
        image = "mlperf-inference:other-architecture"
        archive = host.scratch / "other.tar"
        archive.write_bytes(empty_image(image, other))
        assert host.run("docker", "load", "--input", str(archive)).returncode == 0
        done = host.run("make", "launch_docker", "DOCKER_DETACH=1", "FLAVOUR=cpu", "DOCKER_TAG=other-architecture")
        host.run("docker", "rmi", image)
        fails(done, f"is for {other}", "make build_docker")

    def test_a_base_that_cannot_be_had(self, host: Host) -> None:
        done = host.run("make", "build_docker", "FLAVOUR=cpu", "BASE_IMAGE=localhost:1/no-such-base:1")
        fails(done, "localhost:1/no-such-base:1 cannot be fetched", "BASE_IMAGE=")


class TestAutomation:
    """The sequence of documentation/automation.md."""

    def test_prebuild_starts_the_container_under_its_stable_name(self, started: Host) -> None:
        seen = started.run("docker", "inspect", "--format", "{{.State.Status}} {{.HostConfig.Privileged}}", started.container)
        assert seen.stdout.split() == ["running", "false"]
        assert started.inside("id -un").stdout.strip() == started.user

    def test_the_sequence_ends_with_results_that_belong_to_the_user(self, started: Host) -> None:
        for verb in ("clean", "link_dirs", "download_data", "download_model", "preprocess_data", "build"):
            done = started.by_sudo(f"make {verb} BENCHMARKS=bert")
            assert done.returncode == 0, verb
            assert "Installing" not in done.stdout, "the environment of the image is used"
        found: dict[str, dict[str, object]] = {}
        for mode in ("PerformanceOnly", "AccuracyOnly"):
            before = started.metadata()
            workloads = "--benchmarks=bert --scenarios=Offline,Server,SingleStream --config_ver=default"
            done = started.by_sudo(f"make run RUN_ARGS='{workloads} --test_mode={mode} --fast {MORE_RUN_ARGS}'")
            assert done.returncode == 0
            new = started.metadata() - before
            assert {path.parent.name.split(".")[0] for path in new} == {"Offline", "Server", "SingleStream"}
            for path in new:
                assert path.owner() == started.user
                found[f"{mode} {path.parent.name.split('.')[0]}"] = json.loads(path.read_text())
        for name, result in found.items():
            assert result["detected_system"] and result["summary_string"], name
            if name.startswith("AccuracyOnly"):
                assert "accuracy_pass" in result, name
        others = [path for path in started.tree.rglob("*") if not path.is_symlink() and path.owner() != started.user]
        assert not others, others[:5]
        strays = [path for path in started.scratch.rglob("*") if path.owner() != started.user and path.name != "other.tar"]
        assert not strays, strays[:5]
        assert not (started.tree / ".venv").exists(), "the host's environment is not touched"

    def test_sudo_is_for_the_added_account_alone(self, started: Host) -> None:
        assert started.by_sudo("id -u; echo $VENV").stdout.split() == ["0", "/opt/venv"]
        image = f"mlperf-inference:{started.user}-{ARCH}"
        for account in ("mlperf", "nobody"):
            refused = started.run("docker", "run", "--rm", "--user", account, image, "sudo", "-n", "true")
            assert refused.returncode != 0 and "password is required" in refused.stderr

    def test_nothing_is_installed_at_the_first_target(self, started: Host) -> None:
        """The image carries the environment of the lock file; a clone younger than the image does not install it again."""
        done = started.run("make", "docker_run", "CMD=make info", "FLAVOUR=cpu")
        assert done.returncode == 0 and "Installing" not in done.stdout

    def test_the_health_check(self, started: Host) -> None:
        check = "bash /usr/local/lib/mlperf/health.sh"
        assert "LoadGen" in started.inside(check).stdout
        assert started.inside(f"CONTAINER_VOL=/nowhere {check}").returncode == 1
        running = started.inside(f"bash -c 'exec -a \"python -m code.main\" sleep 5' & sleep 1; {check}")
        assert running.returncode == 0 and "a benchmark is running" in running.stdout

    def test_a_second_container_of_the_same_name(self, started: Host) -> None:
        fails(
            started.run("make", "launch_docker", "DOCKER_DETACH=1", "FLAVOUR=cpu"),
            "is in use",
            "make stop_docker",
            "DOCKER_NAME=",
        )

    def test_the_older_way_to_the_background(self, started: Host) -> None:
        """`-d` among DOCKER_ARGS and a name of one's own, as cloud automation does it."""
        name = f"{started.container}-second"
        done = started.run("make", "launch_docker", "FLAVOUR=cpu", f"DOCKER_NAME={name}", "DOCKER_ARGS=-d -e ASKED=yes")
        assert done.returncode == 0
        assert started.run("docker", "exec", name, "printenv", "ASKED").stdout.strip() == "yes"
        assert started.run("make", "stop_docker", f"DOCKER_NAME={name}").returncode == 0
        assert name not in started.run("docker", "ps", "--all", "--format", "{{.Names}}").stdout.split()

    def test_a_container_that_ends_at_once(self, started: Host) -> None:
        name = f"{started.container}-second"
        done = started.run(
            "make", "launch_docker", "DOCKER_DETACH=1", "FLAVOUR=cpu", f"DOCKER_NAME={name}", "DOCKER_COMMAND=false"
        )
        fails(done, f"{name} exited immediately", "DOCKER_DETACH=0")

    def test_targets_of_the_host_say_so_inside(self, started: Host) -> None:
        done = started.inside("make prebuild")
        assert done.returncode != 0 and "inside a container" in done.stderr


class TestOneCommand:
    def test_quoting_survives(self, started: Host) -> None:
        command = """printf '[%s]' "a  b" 'c "d" $HOME' $HOME "$((6*7))" x\\ y"""
        done = started.run("make", "docker_run", f"CMD={command}", "FLAVOUR=cpu")
        assert done.returncode == 0
        assert done.stdout == f"""[a  b][c "d" $HOME][/home/{started.user}][42][x y]"""

    def test_its_exit_status(self, started: Host) -> None:
        assert started.run("make", "docker_run", "CMD=exit 7", "FLAVOUR=cpu").returncode == 2
        assert started.run("docker/run", "exit 7", "FLAVOUR=cpu").returncode == 7
        assert started.run("docker/run", "true", "FLAVOUR=cpu").returncode == 0

    def test_sanity(self, started: Host) -> None:
        done = started.run("make", "docker_sanity", "FLAVOUR=cpu")
        assert done.returncode == 0 and "belong to you" in done.stdout


FOREIGN = """
include $(CURDIR)/Makefile.const
DOCKER_TAG ?= $(UNAME)-$(ARCH)
ifdef MLPERF_SCRATCH_PATH
    MOUNTS += -v $(MLPERF_SCRATCH_PATH):$(MLPERF_SCRATCH_PATH)
endif
BASE_IMAGE_NAME ?= theirs-$(VERSION)-cuda$(CUDA_VER)

prebuild:
\t@echo base $(BASE_IMAGE_NAME)
\tdocker build -t mlperf-inference:$(DOCKER_TAG)-latest --network host -f docker/cpu/Dockerfile docker
\tdocker build -t mlperf-inference:$(DOCKER_TAG) --network host --build-arg BASE_IMAGE=mlperf-inference:$(DOCKER_TAG)-latest \\
\t  --build-arg GID=$(GROUPID) --build-arg UID=$(UID) --build-arg GROUP=$(GROUPNAME) --build-arg USER=$(UNAME) - < docker/Dockerfile.user
\tdocker run -d --rm -it -w /work -v $(CURDIR):/work --name mlperf-inference-$(DOCKER_TAG) --user $(UID) $(MOUNTS) \\
\t  -v ${SSH_KEY_MOUNT_PATH} -e HOST_HOSTNAME=$(HOSTNAME) mlperf-inference:$(DOCKER_TAG)
"""
"""A detached Makefile.docker as automation puts it in place of ours: it passes the scratch path alone."""


def test_a_makefile_docker_of_automation(started: Host) -> None:
    started.run("make", "stop_docker")
    ours = started.tree / "Makefile.docker"
    kept = ours.read_text()
    try:
        ours.write_text(FOREIGN)
        done = started.run("make", "prebuild", f"MLPERF_SCRATCH_PATH={started.scratch}")
        assert done.returncode == 0 and "base mlpinf-v5.1-cuda" in done.stdout
        for step in ("clean", "link_dirs", "preprocess_data BENCHMARKS=bert", "info"):
            assert started.by_sudo(f"make {step}").returncode == 0, step
        logs = (started.tree / "build").stat()
        assert logs.st_uid == (started.tree / "Makefile").stat().st_uid
    finally:
        ours.write_text(kept)
        started.run("docker", "rm", "--force", started.container)


def test_stop(started: Host) -> None:
    started.run("make", "launch_docker", "DOCKER_DETACH=1", "FLAVOUR=cpu")
    assert "Stopped" in started.run("make", "stop_docker").stdout
    again = started.run("make", "stop_docker")
    assert again.returncode == 0 and "nothing to stop" in again.stdout


@pytest.mark.skipif(
    not os.environ.get("MLPERF_TEST_CUDA_IMAGE"), reason="builds for minutes; MLPERF_TEST_CUDA_IMAGE=1 asks for it"
)
def test_the_cuda_image_on_a_base_without_cuda(host: Host) -> None:
    """Everything but TensorRT and pycuda, which only NVIDIA's bases have; also in the way a Makefile.docker from elsewhere builds it."""
    stand_in = ("BASE_IMAGE=debian:bookworm-slim", "DOCKER_TAG=stand-in", "DOCKER_BUILD_ARGS=--build-arg STAND_IN=1")
    assert host.run("make", "build_docker", "FLAVOUR=cuda", *stand_in).returncode == 0
    image = "mlperf-inference:stand-in-latest"
    imports = "import mlperf_loadgen, openvino, polygraphy, cuda.bindings.runtime; print('ready')"
    done = host.run("docker", "run", "--rm", image, "python", "-c", imports)
    host.run("docker", "rmi", image)
    assert done.stdout.strip() == "ready"
    refused = host.run("make", "build_docker", "FLAVOUR=cuda", *stand_in[:2])
    assert refused.returncode != 0 and "BASE_IMAGE" in refused.stdout + refused.stderr
