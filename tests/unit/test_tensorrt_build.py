"""Engines built by the real TensorRT-RTX for GPUs that are not here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from code.backends import store
from code.backends.base import backend
from code.backends.tensorrt import builder as tensorrt_builder
from code.backends.tensorrt.check import check
from code.backends.tensorrt.sdk import TENSORRT_RTX, sdk
from code.common.errors import RunError, UsageError
from code.precision.convert import convert
from code.precision.pattern import FUSED
from scripts.make_bert_large_shape import make, written
from tests.unit.graphs import small_bert, values
from tests.unit.test_precision_pattern import separate

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed; run `make tensorrt_rtx`")
RTX = backend("tensorrt_rtx")


@pytest.fixture
def build_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    return tmp_path / "build"


@pytest.fixture
def half(tmp_path: Path) -> Path:
    file = tmp_path / "half" / "model.onnx"
    file.parent.mkdir()
    onnx.save(convert(onnx.load(str(small_bert(tmp_path))), "fp16").model, str(file))
    return file


def built(model: Path, **given: Any) -> tuple[store.EngineAddress, bool]:
    """(the engine's address, whether it had to be built), as generate_engines does it."""
    where = store.address(RTX, "bert", model, values(precision="fp16", **given))
    fresh = not where.exists
    if fresh:
        store.build(where, RTX, model, values(precision="fp16", **given))
    return where, fresh


def test_one_graph_builds_for_two_gpus_and_each_once(half: Path, build_dir: Path) -> None:
    first, fresh = built(half)
    assert fresh
    details = json.loads((first.folder / "engine.json").read_text())["details"]
    assert details["compute_capability"] == "8.0" and details["gpu"] == "A100_SXM4_40GB"
    assert details["profiles"][0]["input_ids"] == {"min": [1, 1], "opt": [4, 384], "max": [4, 384]}
    assert {t["name"]: t["dtype"] for t in details["outputs"]} == {
        "output_start_logits": "float32",
        "output_end_logits": "float32",
    }
    layers = json.loads((first.folder / "layers.json").read_text())
    assert len(layers) == details["layers"]["count"] > 20
    assert any("float16" in layer["outputs"].values() for layer in layers if layer["type"] == "matrix_multiply")
    assert details["memory_bytes"]["weights"] > 0
    assert details["fused_layers"]["attention"]["count"] == 1
    assert built(half) == (first, False)
    other, fresh = built(half, system="L40Sx1")
    assert fresh and other.folder != first.folder
    _, fresh = built(half, max_batch=8)
    assert fresh
    assert len(store.built()) == 3 and built(half) == (first, False)


def test_a_length_bucket_is_a_profile_of_the_engine(half: Path, build_dir: Path) -> None:
    where, _ = built(half, length_buckets=["128", "384"])
    details = json.loads((where.folder / "engine.json").read_text())["details"]
    assert [p["input_ids"]["max"] for p in details["profiles"]] == [[4, 128], [4, 384]]


def test_a_gpu_that_cannot_be_targeted_is_told_what_can(half: Path) -> None:
    with pytest.raises(UsageError, match=r"H100_SXM_80GB: compute capability 9\.0") as caught:
        RTX.build_settings(values(system="H100_SXM_80GBx8"))
    assert "8.0" in caught.value.why and "A100_SXM4_40GB" in caught.value.why and "H100" not in caught.value.why


def graph_with(operator: str, folder: Path) -> Path:
    """input_ids → Cast → `operator` → output."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        helper.make_node(operator, ["x"], ["y"], name="odd_one", domain="" if operator == "Sqrt" else "some.vendor"),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length"])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("some.vendor", 1)]
    file = folder / "odd.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets, ir_version=8), str(file))
    return file


def test_an_unsupported_operator_is_named_and_nothing_stays(tmp_path: Path, build_dir: Path) -> None:
    model = graph_with("SmallTileGemm", tmp_path)
    where = store.address(RTX, "bert", model, values())
    with pytest.raises(UsageError, match="cannot build") as caught:
        store.build(where, RTX, model, values())
    assert "SmallTileGemm" in caught.value.why and "odd_one" in caught.value.why
    assert not where.exists and not [p for p in (build_dir / "engines").iterdir() if p.name.startswith(("bert", ".bert"))]
    findings = check(TENSORRT_RTX, model, values(), None)
    assert findings.failed and any("SmallTileGemm" in words for _, _, words in findings.lines)


def test_a_truncated_graph_is_one_clear_error(tmp_path: Path, build_dir: Path) -> None:
    model = small_bert(tmp_path)
    model.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises((UsageError, RunError)) as caught:
        tensorrt_builder.build(TENSORRT_RTX, model, values(), tmp_path)
    assert len(str(caught.value).splitlines()) == 3


def test_a_profile_outside_the_graph_is_refused(tmp_path: Path, build_dir: Path) -> None:
    model = onnx.load(str(small_bert(tmp_path)))
    for tensor in model.graph.input:
        tensor.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, str(tmp_path / "fixed.onnx"))
    with pytest.raises(UsageError, match="fixed batch of 2"):
        tensorrt_builder.build(TENSORRT_RTX, tmp_path / "fixed.onnx", values(), tmp_path)
    assert not (tmp_path / "engine.plan").exists()


def test_a_full_disk_leaves_no_engine(half: Path, build_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    whole = Path.open

    def full(self: Path, *arguments: Any, **named: Any) -> Any:
        return whole(Path("/dev/full") if self.name == tensorrt_builder.PLAN else self, *arguments, **named)

    monkeypatch.setattr(Path, "open", full)
    where = store.address(RTX, "bert", half, values(precision="fp16"))
    with pytest.raises(RunError, match="no space left"):
        store.build(where, RTX, half, values(precision="fp16"))
    monkeypatch.undo()
    monkeypatch.setenv("BUILD_DIR", str(build_dir))
    assert not where.exists and not list((build_dir / "engines").glob("*bert*tmp*"))


def test_two_builds_at_once_make_one_engine(half: Path, build_dir: Path, project: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.unit.graphs import values\n"
        "from code.backends import store; from code.backends.base import backend\n"
        "r = backend('tensorrt_rtx'); m = Path(sys.argv[1]); v = values(precision='fp16')\n"
        "print(store.build(store.address(r, 'bert', m, v), r, m, v) > 0)\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(half)], cwd=project, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [p.communicate(timeout=200)[0].strip() for p in both]
    assert [p.returncode for p in both] == [0, 0] and "True" in said
    assert len(store.built()) == 1


def quantised(folder: Path, precision: str) -> Path:
    """A small BERT in the pattern that TensorRT fuses."""
    file = folder / precision / "model.onnx"
    file.parent.mkdir()
    onnx.save(written(onnx.load(str(small_bert(folder))), FUSED, precision, "fp16"), str(file))
    return file


@pytest.mark.parametrize(("precision", "system"), [("int8", "A100_SXM4_40GBx8"), ("int8", "L40Sx1"), ("fp8", "L40Sx1")])
def test_quantised_attention_builds(precision: str, system: str, tmp_path: Path, build_dir: Path) -> None:
    details = tensorrt_builder.build(
        TENSORRT_RTX, quantised(tmp_path, precision), values(precision=precision, system=system), tmp_path
    )
    assert details["fused_layers"]["attention"]["count"] == 1
    layers = json.loads((tmp_path / "layers.json").read_text())
    assert sum(layer["type"] == "quantize" for layer in layers) >= 8


@pytest.mark.full
@pytest.mark.parametrize("system", ["A100_SXM4_40GBx8", "L40Sx1"])
def test_bert_larges_shape_builds_with_quantised_attention(system: str, tmp_path: Path, build_dir: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(written(make(24, 1024, 16, 4096, 30522, 512), FUSED, "int8", "fp16"), str(model))
    details = tensorrt_builder.build(TENSORRT_RTX, model, values(precision="int8", system=system, max_batch=256), tmp_path)
    assert details["fused_layers"]["attention"]["count"] == 24


def test_the_attentions_of_a_network_are_found_whatever_its_types(tmp_path: Path) -> None:
    from code.backends.tensorrt.fusion import attentions_of

    for precision, dtype in (("int8", "float16"), ("fp32", "float32")):
        model = quantised(tmp_path, precision) if precision == "int8" else small_bert(tmp_path, layers=2)
        parsed = tensorrt_builder.parse(TENSORRT_RTX, model)
        found = attentions_of(parsed.network, parsed.module, tensorrt_builder._type)
        assert [a.softmax for a in found] == [f"layer.{i}/attention/softmax" for i in range(len(found))] and found
        assert {a.dtype for a in found} == {dtype} and found[0].first == "layer.0/attention/scores"


def test_attentions_are_found_whichever_input_of_its_addition_a_bias_is(tmp_path: Path, shared: Path) -> None:
    """Exporters write both orders; with the bias first, query, key and value were taken for constants and no attention was counted."""
    from code.backends.tensorrt.fusion import attentions_of

    file = tmp_path / "first.onnx"
    onnx.save(separate(), str(file))
    for model, count in ((file, 1), (shared / "models" / "minilm-squad" / "model.onnx", 6)):
        parsed = tensorrt_builder.parse(TENSORRT_RTX, model)
        assert len(attentions_of(parsed.network, parsed.module, tensorrt_builder._type)) == count


def test_what_was_built_is_an_engine_as_far_as_can_be_told_without_a_gpu(half: Path, build_dir: Path) -> None:
    where, _ = built(half)
    module = sdk(TENSORRT_RTX)
    runtime = module.Runtime(module.Logger(module.Logger.ERROR))
    plan = (where.folder / "engine.plan").read_bytes()
    assert len(plan) > runtime.engine_header_size > 0
    validity, _ = runtime.get_engine_validity(plan)
    assert validity in (module.EngineValidity.VALID, module.EngineValidity.SUBOPTIMAL, module.EngineValidity.INVALID)


def test_the_static_check_finds_shapes_and_memory(half: Path) -> None:
    import numpy as np

    batch = {name: np.zeros((4, 300), np.int64) for name in ("input_ids", "input_mask", "segment_ids")}
    good = check(TENSORRT_RTX, half, values(precision="fp16", gpu_inference_streams=2), batch)
    assert not good.failed and any(what == "memory" and "2 contexts" in words for _, what, words in good.lines)
    long = {name: np.zeros((4, 500), np.int64) for name in batch}
    assert any(what == "data" and outcome == "error" for outcome, what, _ in check(TENSORRT_RTX, half, values(), long).lines)
    del batch["segment_ids"]
    assert check(TENSORRT_RTX, half, values(), batch).failed
    huge = check(TENSORRT_RTX, half, values(max_batch=40000, gpu_inference_streams=8), None)
    assert any(what == "memory" and outcome == "error" for outcome, what, _ in huge.lines)
