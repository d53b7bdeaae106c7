"""The TensorRT module: there, absent, or in name alone."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from code.backends.tensorrt.sdk import TENSORRT, sdk
from code.common.errors import MissingError


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (None, "No module named 'some_tensorrt'"),
        ("__init__.pyi", "some_tensorrt has no module in it, such as type stubs alone"),
        ("__init__.py", ""),
    ],
)
def test_stubs_alone_are_no_tensorrt(file: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    if file:
        (tmp_path / "some_tensorrt").mkdir()
        (tmp_path / "some_tensorrt" / file).touch()
    importlib.invalidate_caches()
    try:
        module = sdk(replace(TENSORRT, module="some_tensorrt"))
    except MissingError as error:
        assert why and why in error.why and error.next_step == "install it with `make tensorrt`"
    else:
        assert not why and module.__name__ == "some_tensorrt"
    finally:
        sys.modules.pop("some_tensorrt", None)
