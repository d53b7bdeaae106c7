"""NVML's package is imported where the driver's library is."""

from __future__ import annotations

import sys

import pytest

from code.machine import nvml


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it."""
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)


@pytest.mark.usefixtures("without_package")
def test_without_the_drivers_library_the_package_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libabsent-driver.so.1")
    assert nvml.query() == {"absent": "the driver's library libabsent-driver.so.1 is not installed"}
    assert "pynvml" not in sys.modules


@pytest.mark.usefixtures("without_package")
def test_with_it_the_package_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pynvml")
    del sys.modules["pynvml"]
    monkeypatch.setattr(nvml, "LIBRARY", "libc.so.6")
    found = nvml.query()
    assert "pynvml" in sys.modules and "libc.so.6" not in str(found)


def test_the_library_is_the_one_that_the_package_loads() -> None:
    package = pytest.importorskip("pynvml")
    with open(package.__file__, encoding="utf-8") as source:  # noqa: PTH123
        assert f'"{nvml.LIBRARY}"' in source.read()
