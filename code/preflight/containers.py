"""Checks Docker and the NVIDIA Container Toolkit, which the container targets (`make prebuild`) need."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject, dotted, plain, version
from code.preflight.requirements import CONTAINER_TOOLKIT, DOCKER

report = Reporter("containers")


def check(subject: Subject) -> Iterator[Finding]:
    """Docker is installed, recent enough and running; on GPU machines so is the toolkit."""
    machine = subject.machine
    if subject.in_container:
        yield report.unseen("Docker", "this runs inside a container; the host's Docker cannot be seen from here")
        return
    docker = machine.command("docker", "--version")
    if docker is None or docker.status != 0:
        yield report.unseen("Docker", "not installed; only the container route (`make prebuild`) needs it")
        return
    found = version(docker.stdout)
    if found < DOCKER:
        fix = "https://docs.docker.com/engine/install/"
        yield report.error("Docker", f"version {plain(docker.stdout)} is older than {dotted(DOCKER)}", fix)
    else:
        yield report.ok("Docker", f"version {plain(docker.stdout)}")
    daemon = machine.command("docker", "version", "--format", "{{.Server.Version}}")
    if daemon is None or daemon.status != 0:
        why = "" if daemon is None else (daemon.stderr.strip().splitlines() or [""])[0]
        yield report.warning("Docker daemon", f"not responding{': ' + why if why else ''}", "sudo systemctl start docker")
    else:
        yield report.ok("Docker daemon", f"running, version {daemon.stdout.strip()}")
    if subject.has_gpus:
        yield from _toolkit(subject)


def _toolkit(subject: Subject) -> Iterator[Finding]:
    toolkit = subject.machine.command("nvidia-ctk", "--version")
    if toolkit is None or toolkit.status != 0:
        yield report.error(
            "NVIDIA Container Toolkit",
            "not installed: containers cannot access the GPUs",
            "sudo apt-get install -y nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker "
            "&& sudo systemctl restart docker",
        )
        return
    found = version(toolkit.stdout)
    if found < CONTAINER_TOOLKIT:
        fix = "sudo apt-get install --only-upgrade nvidia-container-toolkit"
        text = f"version {plain(toolkit.stdout)} is older than {dotted(CONTAINER_TOOLKIT)}"
        yield report.error("NVIDIA Container Toolkit", text, fix)
    else:
        yield report.ok("NVIDIA Container Toolkit", f"version {plain(toolkit.stdout)}")
    runtimes = subject.machine.command("docker", "info", "--format", "{{json .Runtimes}}")
    if runtimes is None or runtimes.status != 0:
        yield report.unseen("Docker's GPU runtime", "the daemon did not list its runtimes")
    elif '"nvidia"' not in runtimes.stdout:
        fix = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
        yield report.warning("Docker's GPU runtime", "the nvidia runtime is not registered with Docker", fix)
    else:
        yield report.ok("Docker's GPU runtime", "registered")
