"""Platforms: reading a lock file by package, and what runs where a runtime has no package."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.backends import base
from code.main import main
from scripts import platforms

EXPLAIN = ["--action=explain", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64"]


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> Any:
        return None if name == "openvino" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)


@pytest.mark.usefixtures("without_openvino")
def test_onnx_runtime_takes_the_place_of_a_missing_openvino_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(EXPLAIN) == 0
    told = capsys.readouterr()
    assert re.search(r"backend +onnxruntime", told.out)
    assert "openvino is not installed here (documentation/platforms.md); onnxruntime runs it instead" in told.err


@pytest.mark.usefixtures("without_openvino")
def test_a_runtime_that_the_user_chose_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    main([*EXPLAIN, "--backend=openvino"])
    assert "runs it instead" not in capsys.readouterr().err


def test_an_installed_runtime_stays() -> None:
    pytest.importorskip("openvino")
    assert base.installed_instead("openvino") is None
    assert base.installed_instead("tensorrt") is None


def test_a_lock_file_is_read_by_package() -> None:
    text = "a==1 ; python_version < '3.11' \\\n    --hash=sha256:00\na==2 \\\n    --hash=sha256:00\nb-c==3\n"
    assert platforms.requirements(text) == {"a": "a==1 ; python_version < '3.11'\na==2\n", "b-c": "b-c==3\n"}
    assert "openvino" in platforms.requirements(platforms.LOCK.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("said", "package"),
    [
        ("Because mlcommons-loadgen==6.0.17 has no usable wheels and you require", "mlcommons-loadgen"),
        ("Because onnxruntime==1.31.1 has no wheels with a matching platform tag (e.g., `macosx_13_0_arm64`)", "onnxruntime"),
    ],
)
def test_what_lacks_a_wheel_is_left_out_and_named(
    said: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(command: list[str], **_: Any) -> SimpleNamespace:
        asked.append(Path(command[-1]).read_text(encoding="utf-8"))
        absent = re.search(rf"^{re.escape(package)}==", asked[-1], re.MULTILINE) is not None
        return SimpleNamespace(returncode=int(absent), stderr=said)

    monkeypatch.setattr(platforms.subprocess, "run", answer)
    assert platforms.lacking("uv", "aarch64-manylinux_2_34", "3.11") == [package]
    assert len(asked) == 2
    monkeypatch.setattr(platforms.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=2, stderr="no network"))
    with pytest.raises(RuntimeError, match="no network"):
        platforms.lacking("uv", "aarch64-manylinux_2_34", "3.11")


def test_the_table_of_the_documentation_has_every_platform() -> None:
    page = platforms.PAGE.read_text(encoding="utf-8")
    assert all(f"| {words} |" in page for words in platforms.PLATFORMS.values())
