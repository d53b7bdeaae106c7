"""Versions of installed packages: those of importlib.metadata, without importing it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from code.common import installed
from code.common.installed import version


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that goes before the environment's packages."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def put(place: Path, folder: str, text: str, file: str = "METADATA") -> None:
    installed._named.cache_clear()
    (place / folder).mkdir()
    (place / folder / file).write_text(text)


def test_every_installed_package_has_the_version_of_its_metadata() -> None:
    known = {one.metadata["Name"]: importlib.metadata.version(one.metadata["Name"]) for one in importlib.metadata.distributions()}
    assert len(known) > 10 and {name: version(name) for name in known} == known


def test_the_first_place_counts_and_names_are_folded(place: Path) -> None:
    put(
        place, "Some_Thing.more-7.0.dist-info", "Metadata-Version: 2.1\nName: Some_Thing.more\nversion:  7.0-rc1 \n\nVersion: 8\n"
    )
    assert version("some-thing-MORE") == "7.0-rc1"
    put(place, "pytest-1.0.dist-info", "Name: pytest\nVersion: 1.0\n")
    assert version("pytest") == "1.0" != pytest.__version__


def test_what_is_not_installed_has_none_and_importlib_metadata_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_asked", lambda _: pytest.fail("asked"))
    assert version("no-such-package") is None


@pytest.mark.parametrize(("folder", "file"), [("older-3.1.egg-info", "PKG-INFO"), ("older-3.1.dist-info", "other")])
def test_older_or_damaged_forms_are_read_by_importlib_metadata(place: Path, folder: str, file: str) -> None:
    put(place, folder, "Metadata-Version: 2.1\nName: older\nVersion: 3.1\n", file)
    expected = "3.1" if file == "PKG-INFO" else None
    try:
        assert importlib.metadata.version("older") == expected
    except (importlib.metadata.PackageNotFoundError, KeyError):
        assert expected is None
    assert version("older") == expected


def test_metadata_without_a_version_in_its_head_is_not_the_texts(place: Path) -> None:
    put(place, "odd-2.dist-info", "Name: odd\n\nVersion: 9\n")
    assert version("odd") != "9"


def test_a_package_in_an_archive_is_found(place: Path) -> None:
    archive = place / "packed.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("zipped-4.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 4.2\n")
    sys.path.insert(0, str(archive))
    assert version("zipped") == "4.2"


def test_the_module_imports_nothing_large(project: Path) -> None:
    text = "import sys; from code.common.installed import version; version('numpy'); print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
