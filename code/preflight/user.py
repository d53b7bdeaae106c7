"""Who runs this."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("user")


def check(subject: Subject) -> Iterator[Finding]:
    """Not root, and in the docker group where Docker is used."""
    user = subject.machine.probe("user")
    if not user:
        yield report.unseen("user", "who runs this is not in the capture")
        return
    if user["root"] and subject.in_container:
        yield report.ok("user", "root inside a container")
    elif user["root"]:
        yield report.warning(
            "user", "runs as root: what is built will belong to root", "log in as an ordinary user and run make again"
        )
    else:
        yield report.ok("user", "an ordinary user")
    docker = subject.machine.command("docker", "--version")
    if docker is None or subject.in_container or user["root"]:
        return
    if "docker" in user["groups"]:
        yield report.ok("docker group", "the user is in it")
    else:
        mend = "sudo usermod -aG docker $USER && newgrp docker"
        yield report.warning("docker group", "the user is not in it: `make prebuild` could not start containers", mend)
