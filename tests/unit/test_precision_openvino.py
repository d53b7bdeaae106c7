"""What OpenVINO is asked to compute in, on processors with and without the instructions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from code.backends import openvino


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    openvino._say_fp32.cache_clear()
    yield
    openvino._say_fp32.cache_clear()


def on_a_processor_with(monkeypatch: pytest.MonkeyPatch, *capabilities: str) -> None:
    monkeypatch.setattr(openvino, "_capabilities", lambda: frozenset(capabilities))


def hint(precision: str) -> Any:
    return openvino.BACKEND.build_settings({"precision": precision})["inference_precision_hint"]


def test_fp16_is_computed_in_fp16_where_the_processor_can(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_processor_with(monkeypatch, "FP32", "BF16", "FP16")
    assert hint("fp16") == "f16" and capsys.readouterr().err == ""


def test_fp16_without_fp16_instructions_is_computed_in_fp32_and_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_processor_with(monkeypatch, "FP32", "BF16", "INT8")
    assert [hint("fp16"), hint("fp16")] == ["f32", "f32"]
    assert openvino.BACKEND._properties("fp16") == {"INFERENCE_PRECISION_HINT": "f32"}
    assert capsys.readouterr().err.count("runs in fp32") == 1
    assert hint("int8") == hint("fp32") == "f32" and capsys.readouterr().err == ""


def test_openvino_says_what_the_processor_computes_in() -> None:
    assert "FP32" in openvino._capabilities()
