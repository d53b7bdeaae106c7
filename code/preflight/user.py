"""The user that runs the harness."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("user")


def check(subject: Subject) -> Iterator[Finding]:
    """Not root, and a member of the docker group if Docker is used."""
    user = subject.machine.probe("user")
    if not user:
        yield report.unseen("user", "the user is not in the capture")
        return
    if user["root"] and subject.in_container:
        yield report.ok("user", "root inside a container")
    elif user["root"]:
        yield report.warning(
            "user", "running as root: everything that is built will belong to root", "log in as a regular user and run make again"
        )
    else:
        yield report.ok("user", "a regular user")
    docker = subject.machine.command("docker", "--version")
    if docker is None or subject.in_container or user["root"]:
        return
    if "docker" in user["groups"]:
        yield report.ok("docker group", "the user is a member")
    else:
        fix = "sudo usermod -aG docker $USER && newgrp docker"
        yield report.warning("docker group", "the user is not a member: `make prebuild` cannot start containers", fix)
