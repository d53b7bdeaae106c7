"""Encryption of a tarball: what OpenSSL is asked, and what is said and left where it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from code.common.errors import RunError, UsageError
from code.common.files import sha256
from code.submission.pack import packing


def openssl(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in place of OpenSSL, whose faults a test cannot make the real one have."""
    folder.mkdir()
    (folder / "openssl").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / packing.TARBALL).write_text("x")
    return tmp_path / packing.TARBALL


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo first >&2; echo second >&2; exit 1", "first"),
        ("exit 3", "exit status 3"),
        ("exit 0", "exit status 0"),
        ('while [ "$1" != -out ]; do shift; done; echo half > "$2"; exit 1', "exit status 1"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(tarball: Path, text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    openssl(tarball.parent / "bin", text, monkeypatch)
    with pytest.raises(RunError, match="openssl could not encrypt the tarball") as caught:
        packing.encrypt(tarball, str(tarball.parent / "pass"))
    assert caught.value.why == why
    assert {path.name for path in tarball.parent.iterdir()} == {"bin", "pass", packing.TARBALL}


def test_what_it_wrote_is_the_result_with_its_digest(tarball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = 'echo "$@" > "${0%/*}/asked"; while [ "$1" != -out ]; do shift; done; echo sealed > "$2"'
    openssl(tarball.parent / "bin", copy, monkeypatch)
    target, digest = packing.encrypt(tarball, str(tarball.parent / "pass"))
    assert target == tarball.with_name(packing.ENCRYPTED) and target.read_text() == "sealed\n" and digest == sha256(target)
    asked = (tarball.parent / "bin/asked").read_text()
    assert f"-in {tarball} " in asked and f"-pass file:{tarball.parent / 'pass'}" in asked
    packing.encrypt(tarball, "")
    assert "-pass" not in (tarball.parent / "bin/asked").read_text(), "it asks on the terminal"


def test_a_file_that_the_format_cannot_hold_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 8 * 2**30)
    with pytest.raises(UsageError, match="does not fit into a USTAR archive"):
        packing._require_packable(tmp_path / "large", "large")
    os.truncate(tmp_path / "large", 8 * 2**30 - 1)
    packing._require_packable(tmp_path / "large", "large")
    packing._require_packable(tmp_path, "folder")
