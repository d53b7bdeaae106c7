"""Fused attention: what an inspector's answer says, and which attentions a real network has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from code.backends.tensorrt.fusion import NetworkAttention, fusion_of
from code.common.errors import RunError


def attention(number: int, dtype: str = "float16") -> NetworkAttention:
    base = f"layer.{number}/attention"
    return NetworkAttention(f"{base}/scores", f"{base}/softmax", f"{base}/mixed", dtype)


def layer(name: str, *nodes: str, kind: str = "kgen", tactic: str = "") -> dict[str, Any]:
    """A layer as TensorRT 10 describes it with detailed verbosity."""
    return {
        "Name": name,
        "LayerType": kind,
        "TacticName": tactic or f"{name}_0x957a2fe283f77dcf35c142c1390a3e6a",
        "Metadata": "\x1e".join(f"[ONNX Layer: {node}]" for node in nodes),
    }


def fused(number: int) -> dict[str, Any]:
    base = f"layer.{number}/attention"
    return layer(f"_gemm_mha_v2_myl0_{number}", f"{base}/scores", f"{base}/masked", f"{base}/softmax", f"{base}/mixed")


def apart(number: int) -> list[dict[str, Any]]:
    base = f"layer.{number}/attention"
    return [
        layer(f"{base}/scores_myl0_1", f"{base}/scores", kind="gemm"),
        layer("__myl_AddMaxSubExpSumDiv_myl0_2", f"{base}/masked", f"{base}/softmax"),
        layer(f"{base}/mixed_myl0_3", f"{base}/mixed", kind="gemm"),
    ]


def text(*layers: Any) -> str:
    return json.dumps({"Layers": list(layers), "Bindings": []})


FOUR = [attention(i) for i in range(4)]


def test_an_engine_with_every_attention_fused_passes() -> None:
    found = fusion_of(text(*(fused(i) for i in range(4))), FOUR)
    found.require("TRT")
    assert found.record() == {"count": 4, "types": {"kgen": 4}, "attention": {"count": 4, "fused": 4, "unfused": []}}


def test_attentions_in_several_kernels_are_listed() -> None:
    found = fusion_of(text(fused(0), *apart(1), fused(2), *apart(3)), FOUR)
    assert found.unfused == ("layer.1/attention/softmax", "layer.3/attention/softmax")
    with pytest.raises(RunError, match="fused 2 of the network's 4 attentions") as caught:
        found.require("TRT")
    assert "layer.1/attention/softmax, layer.3/attention/softmax" in caught.value.why
    assert "--allow_unfused=true" in caught.value.next_step
    assert found.record()["attention"]["fused"] == 2 and found.record()["types"] == {"kgen": 4, "gemm": 4}


def test_a_long_list_is_shortened() -> None:
    many = [attention(i) for i in range(24)]
    with pytest.raises(RunError, match="fused 0 of the network's 24") as caught:
        fusion_of(text(*(one for i in range(24) for one in apart(i))), many).require("TRT")
    assert caught.value.why.endswith("layer.7/attention/softmax and 16 more")


def test_without_metadata_kernels_are_counted_by_name() -> None:
    names = ["_gemm_mha_v2_myl0_3", "__myl_CastMul_myl0_4", "fmha_v2_flash_attention_fp16_64_64_S_64_sm90_kernel", "matmul"]
    found = fusion_of(text(*names), FOUR)
    assert found.unfused == ("layer.2/attention/softmax", "layer.3/attention/softmax")
    assert found.record()["types"] == {"unnamed": 4}


def test_a_name_that_only_contains_the_letters_is_no_fused_attention() -> None:
    found = fusion_of(text(layer("schmhand", kind="gemm"), layer("mhaven", kind="gemm")), FOUR)
    assert len(found.unfused or ()) == 4


@pytest.mark.parametrize("answer", ["", "not JSON", "[]", "{}", text(), text("{ForeignNode[a...b]}")])
def test_an_inspector_that_shows_nothing_decides_nothing(answer: str) -> None:
    found = fusion_of(answer, FOUR)
    found.require("TRT")
    assert found.unfused is None and found.record()["attention"] == {"count": 4, "fused": None, "unfused": []}


def test_no_kernel_computes_attention_in_fp32() -> None:
    found = fusion_of(text(*apart(0)), [attention(0, "float32")])
    found.require("TRT")
    assert found.record()["attention"] == {"count": 0, "fused": 0, "unfused": []}
