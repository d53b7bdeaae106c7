"""Calibration by the real NNCF on a small BERT: samples, ranges, ranking of layers, fallback, score."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from code.common.errors import MissingError, RunError, UsageError
from code.precision import calibrate, quantise, score, sensitivity, split
from code.precision.centre import is_centred
from code.precision.convert import is_quantised
from code.precision.report import Report, Trial
from code.precision.samples import open_samples
from code.precision.weights import SMALLEST_SCALE
from code.rules.benchmarks import facts_of
from tests.unit.graphs import small_bert, values
from tests.unit.patterns import attention_holes, cast_holes, residual_holes

NAMES = ("input_ids", "input_mask", "segment_ids")
COUNT = 40


class BenchmarkDefinition:
    """A benchmark over random token sequences; its score says how near the answers are to those of the fp32 model."""

    facts = facts_of("bert")
    name = facts.name

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(1)
        lengths = random.integers(4, 24, COUNT).astype(np.int32)
        ids = random.integers(0, 200, (COUNT, 24)).astype(np.int32)
        mask = (np.arange(24) < lengths[:, None]).astype(np.int32)
        for name, array in zip((*NAMES, "lengths"), (ids, mask, np.zeros_like(ids), lengths), strict=True):
            np.save(folder / f"{name}.npy", array)
        self.folder = folder
        self.truth: dict[int, Any] = {}

    def calibration_dataset(self, values: Mapping[str, Any]) -> None:
        return None

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        outputs = ["output_start_logits", "output_end_logits"]
        arrays = {name: f"{name}.npy" for name in NAMES}
        words = {"kind": "sequence", "folder": str(self.folder), "count": COUNT, "input_dtype": "int64", "lengths": "lengths.npy"}
        return {**words, "arrays": arrays, "outputs": outputs}

    def subset_scores(self, log_dir: Path, values: Mapping[str, Any]) -> dict[str, float]:
        log = json.loads((log_dir / "mlperf_log_accuracy.json").read_text())
        found = {e["qsl_idx"]: np.frombuffer(bytes.fromhex(e["data"]), dtype=np.float32) for e in log}
        self.truth = self.truth or found
        off = sum(float(np.square(found[i] - t).sum()) for i, t in self.truth.items())
        return {"nearness": 100 * (1 - (off / sum(float(np.square(t).sum()) for t in self.truth.values())) ** 0.5)}


@pytest.fixture
def definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BenchmarkDefinition:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    return BenchmarkDefinition(tmp_path)


def few(**given: Any) -> dict[str, Any]:
    return values(**{"calib_max_batches": 6, "calib_score_samples": 12, "model_variant": "tiny", **given})


def test_samples_are_drawn_the_same_way_every_time_and_score_on_others(definition: BenchmarkDefinition) -> None:
    first, again = open_samples(definition, few()), open_samples(definition, few())  # type: ignore[arg-type]
    assert first.digest == again.digest and first.count == 6 and len(first.scoring) == 12
    assert not set(np.concatenate(first.calibration)) & set(first.scoring)
    assert open_samples(definition, few(calib_max_batches=7)).digest != first.digest  # type: ignore[arg-type]


def test_batches_hold_samples_of_like_length(definition: BenchmarkDefinition) -> None:
    found = open_samples(definition, few(calib_batch_size=3, calib_max_batches=4))  # type: ignore[arg-type]
    assert [len(b) for b in found.calibration] == [3, 3, 3, 3]
    lengths = [found.dataset.lengths[b] for b in found.calibration]
    assert all(a.max() <= b.min() for a, b in pairwise(lengths))


def test_a_list_of_samples_is_read_and_its_mistakes_have_a_line(definition: BenchmarkDefinition, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("3\n\n7  # the seventh\n3\n")
    found = open_samples(definition, few(calib_data_map=str(file)))  # type: ignore[arg-type]
    assert sorted(np.concatenate(found.calibration)) == [3, 7] and "list.txt" in found.origin
    file.write_text("3\nseven\n")
    with pytest.raises(UsageError, match="'seven' is not a sample") as caught:
        open_samples(definition, few(calib_data_map=str(file)))  # type: ignore[arg-type]
    assert caught.value.where.endswith("list.txt:2")
    file.write_text("40\n")
    with pytest.raises(UsageError, match="'40' is not a sample"):
        open_samples(definition, few(calib_data_map=str(file)))  # type: ignore[arg-type]
    with pytest.raises(MissingError, match=r"list of calibration samples .* does not exist"):
        open_samples(definition, few(calib_data_map="/nowhere"))  # type: ignore[arg-type]


def calibrated(definition: BenchmarkDefinition, folder: Path, share: float, **given: Any) -> tuple[Report, Path]:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    model = small_bert(folder)
    wanted = few(**given)
    samples = open_samples(definition, wanted)  # type: ignore[arg-type]
    out = folder / "int8.onnx"
    proto = onnx.load(str(model))
    return calibrate.calibrate(definition, wanted, model, proto, "int8", samples, share, out), out  # type: ignore[arg-type]


def test_the_graph_is_symmetric_int8_and_its_score_is_measured(definition: BenchmarkDefinition, tmp_path: Path) -> None:
    report, out = calibrated(definition, tmp_path, 0.8)
    made = onnx.load(str(out))
    assert is_quantised(made)
    zeros = {n.input[2] for n in made.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")}
    assert all(not onnx.numpy_helper.to_array(i).any() for i in made.graph.initializer if i.name in zeros)
    trial = report.trials[-1]
    assert trial.kept == [] and trial.share is not None and 0.8 <= trial.share < 1.0
    assert report.metric == "nearness" and report.reference == 100 and report.scored_on == 12
    weights = [t for t in report.tensors if t.kind == "weight"]
    assert weights and all(t.noise_db < -25 for t in weights)
    wanted = {t.name: max(-t.least, t.most, 127 * SMALLEST_SCALE) for t in weights}
    assert {t.name: t.limit for t in weights} == pytest.approx(wanted, rel=0.02)
    layers = {row.name for row in report.layers}
    assert {"layer.0/intermediate/MatMul", "layer.0/output/MatMul"} <= layers
    assert {"layer.0/attention/scores", "layer.0/attention/mixed", "layer.0/residual"} <= layers
    assert attention_holes(made) == residual_holes(made, 1) == cast_holes(made) == []
    assert "| layer | cost | noise (dB) |" in report.markdown() and report.as_json()["trials"]


@pytest.mark.full
def test_channels_with_copies_are_in_the_graph_and_in_the_report(
    definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(split, "GAIN", 100.0)
    report, out = calibrated(definition, tmp_path, 0.8)
    made = onnx.load(str(out))
    assert split.is_split(made) and is_centred(made) and list(report.split) == ["layer.0/output/MatMul"]
    assert "| `layer.0/output/MatMul` |" in report.markdown().split("## Layers with copies of channels")[1]
    assert [64 + split.EXTRA, 32] in [list(i.dims) for i in made.graph.initializer]
    assert attention_holes(made) == residual_holes(made, 1) == cast_holes(made) == []


@pytest.mark.full
def test_a_target_out_of_reach_leaves_layers_high_and_then_says_so(
    definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "MOST_HIGH", 0.15)  # one layer, and not two
    with pytest.raises(RunError, match=r"does not reach 99\.9999 %") as caught:
        calibrated(definition, tmp_path, 0.999999, calib_max_batches=2, calib_score_samples=6)
    assert "layers in fp16" in caught.value.why and "--precision=fp16" in caught.value.next_step


def test_twice_as_many_layers_are_left_high_each_time_up_to_half_of_them(
    definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search alone: graphs and scores are made elsewhere."""
    tried: list[int] = []
    layers = [SimpleNamespace(name=f"layer{number}") for number in range(8)]

    def trial(*arguments: Any) -> Trial:
        tried.append(len(arguments[5]))
        return Trial(list(arguments[5]), 50.0, 0.5)

    for name, stand_in in (("_reference", lambda *_: ("nearness", 100.0)), ("_write", lambda *_: None), ("_trial", trial)):
        monkeypatch.setattr(calibrate, name, stand_in)
    monkeypatch.setattr(quantise, "quantise", lambda *_: SimpleNamespace(rounded=lambda *_: None, weights=()))
    monkeypatch.setattr(sensitivity, "measure", lambda *_: ([], layers))
    with pytest.raises(RunError, match=r"does not reach 99 %"):
        calibrated(definition, tmp_path, 0.99)
    assert tried == [0, 1, 2, 4]


@pytest.mark.full
def test_layers_that_are_left_out_stay_out(definition: BenchmarkDefinition, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    model = onnx.load(str(small_bert(tmp_path)))
    samples = open_samples(definition, few())  # type: ignore[arg-type]
    left_out = ["layer.0/intermediate/MatMul", "layer.0/attention/scores"]
    rows = []
    for ignored in ([], left_out):
        made = quantise.quantise(model, samples, ignored, "test")
        rows.append({row.name for row in sensitivity.measure(model, made.rounded(), made.weights, samples)[1]})
    assert {*left_out, "layer.0/attention/mixed"} <= rows[0] - rows[1]


def test_without_scoring_samples_nothing_is_scored(definition: BenchmarkDefinition, tmp_path: Path) -> None:
    report, _ = calibrated(definition, tmp_path, 0.99, calib_score_samples=0)
    assert report.reference is None and report.verdict().endswith("not scored")


def test_a_model_without_a_score_is_refused(
    definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BenchmarkDefinition, "subset_scores", lambda self, log_dir, values: {"F1": 0.0})
    with pytest.raises(RunError, match=r"scores F1 0\.0 in fp32") as caught:
        calibrated(definition, tmp_path, 0.99)
    assert "--calib_score_samples=0" in caught.value.next_step


def test_without_nncf_nothing_is_scored(definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    monkeypatch.setattr(score, "reference_score", lambda *_: pytest.fail("scored before it was known that NNCF is missing"))
    samples = open_samples(definition, few())  # type: ignore[arg-type]
    with pytest.raises(MissingError) as caught:
        calibrate.calibrate(definition, few(), tmp_path / "a.onnx", None, "int8", samples, 0.99, tmp_path / "b.onnx")  # type: ignore[arg-type]
    assert "make calibration" in caught.value.next_step and not (tmp_path / "b.onnx").exists()


def test_nncf_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    import os

    monkeypatch.delenv(quantise.NO_TELEMETRY, raising=False)
    quantise.require()
    assert os.environ[quantise.NO_TELEMETRY]


def test_an_interrupt_ends_scoring_at_once(
    definition: BenchmarkDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool of threads waits for them: they must not answer every other sample first."""
    import os
    import signal
    import threading

    from code.harness.python.datasets import SequenceDataset

    answered, interrupted, real = [], threading.Event(), SequenceDataset.answer

    def slow(self: SequenceDataset, stream: Any, indices: Any) -> Any:
        answered.append(len(indices))
        if len(answered) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait(0.3)
        return real(self, stream, indices)

    monkeypatch.setattr(SequenceDataset, "answer", slow)
    samples = open_samples(definition, few(calib_score_samples=40))  # type: ignore[arg-type]
    monkeypatch.setattr(score, "BATCH", 1)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            score.run(small_bert(tmp_path), "fp32", samples, samples.scoring, "test")
    finally:
        signal.signal(signal.SIGINT, former)
    assert len(answered) < len(samples.scoring) / 2
