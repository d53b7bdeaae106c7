"""The KV cache's format on OpenVINO GenAI: what goes with a computation in fp32, and that the rest is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND
from code.benchmarks.llama3_1_8b import tiny
from code.common.errors import UsageError
from code.harness.schema.options import OpenVinoGenAiOptions


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "llama3.1-8b"}, folder)
    return folder


def spec(kv: Any, precision: str = "fp32") -> GeneratorSpec:
    options = OpenVinoGenAiOptions(kv_cache_precision=kv)
    return GeneratorSpec(1, 1, precision, options, generation=Generation(1, 3, 3, False, 1000), longest_prompt=40)


@pytest.mark.parametrize("kv", [None, "f32", "u8"])
def test_fp32_goes_with_a_cache_in_f32_and_u8(engine: Path, kv: str | None) -> None:
    generator = BACKEND.load(engine, spec(kv))
    assert [len(text) for text in texts(generator, [np.arange(40, dtype=np.int32)])] == [3]
    generator.close()


@pytest.mark.parametrize(("kv", "precision"), [("bf16", "fp32"), ("f16", "fp32"), ("bf16", "int8")])
def test_another_format_is_refused_with_what_to_set(engine: Path, kv: str, precision: str) -> None:
    with pytest.raises(UsageError, match=f"kv_cache_precision={kv} does not go with precision={precision}") as caught:
        BACKEND.load(engine, spec(kv, precision))
    assert caught.value.why == "OpenVINO's attention in fp32 reads keys and values in f32 or u8"
    assert "leave --kv_cache_precision out" in caught.value.next_step
