"""Offline on a network of BERT-Large's shape with random weights: the C++ harness on OpenVINO over the MLCommons reference's way.

    .venv/bin/python -m tests.benchmarks.bert_large_shape WORK_FOLDER [--precision bf16|int8|fp32] [--layers 24] [--batch 1]

The reference's way is ONNX Runtime in fp32, one sample at a time, each padded to 384 tokens; its time does not depend on the sample, so
a few are enough. The harness runs 64 samples with SQuAD's spread of lengths, rounded up as BERT's configs round them. int8 is NNCF's
post-training quantisation to Q/DQ nodes on random data, whose answers mean nothing and whose speed is that of a real one; it needs the
package nncf.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.harness_figures import execute, figure, in_turn, lengths, programs, run_json, summary

HIDDEN, HEADS, INNER, VOCABULARY, LONGEST = 1024, 16, 4096, 1000, 384
INPUTS = ("input_ids", "input_mask", "segment_ids")
SAMPLES = 64


class Graph:
    """An ONNX graph as it grows: nodes by operator, random weights by shape."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self._random = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """One node; its output's name."""
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(operator, list(inputs), [output], name=f"n{len(self.nodes)}", **attributes))
        return output

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """A tensor."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(self._numpy.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def weight(self, *shape: int) -> str:
        """Random weights, of the size at which a deep network's activations stay finite."""
        return self.constant(self._random.standard_normal(shape, dtype=np.float32) * 0.02)

    def linear(self, x: str, rows: int, columns: int) -> str:
        """x W + b."""
        return self.add("Add", self.add("MatMul", x, self.weight(rows, columns)), self.weight(columns))

    def norm(self, x: str) -> str:
        """Layer normalisation."""
        return self.add("LayerNormalization", x, self.constant(np.ones(HIDDEN)), self.constant(np.zeros(HIDDEN)), axis=-1)

    def heads(self, x: str, order: list[int]) -> str:
        """[n, length, hidden] as [n, heads, …]."""
        shape = self.constant([0, 0, HEADS, HIDDEN // HEADS], np.int64)
        return self.add("Transpose", self.add("Reshape", x, shape), perm=order)

    def gelu(self, x: str) -> str:
        """Gelu by the error function, as exporters write it."""
        inside = self.add("Erf", self.add("Div", x, self.constant(2**0.5)))
        return self.add("Mul", self.add("Mul", x, self.add("Add", inside, self.constant(1.0))), self.constant(0.5))


def write_model(path: Path, layers: int) -> None:
    """BERT's graph: embeddings, `layers` encoder layers, start and end logits; any batch and length."""
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    words = graph.add("Gather", graph.weight(VOCABULARY, HIDDEN), "input_ids")
    segments = graph.add("Gather", graph.weight(2, HIDDEN), "segment_ids")
    hidden = graph.norm(graph.add("Add", words, segments))
    kept = graph.add("Cast", "input_mask", to=TensorProto.FLOAT)
    wide = graph.add("Unsqueeze", kept, graph.constant([1, 2], np.int64))
    mask = graph.add("Mul", graph.add("Sub", graph.constant(1.0), wide), graph.constant(-10000.0))
    for _ in range(layers):
        query = graph.heads(graph.linear(hidden, HIDDEN, HIDDEN), [0, 2, 1, 3])
        key = graph.heads(graph.linear(hidden, HIDDEN, HIDDEN), [0, 2, 3, 1])
        value = graph.heads(graph.linear(hidden, HIDDEN, HIDDEN), [0, 2, 1, 3])
        scores = graph.add("Div", graph.add("MatMul", query, key), graph.constant((HIDDEN // HEADS) ** 0.5))
        share = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
        context = graph.add("Transpose", graph.add("MatMul", share, value), perm=[0, 2, 1, 3])
        joined = graph.add("Reshape", context, graph.constant([0, 0, HIDDEN], np.int64))
        hidden = graph.norm(graph.add("Add", graph.linear(joined, HIDDEN, HIDDEN), hidden))
        inner = graph.gelu(graph.linear(hidden, HIDDEN, INNER))
        hidden = graph.norm(graph.add("Add", graph.linear(inner, INNER, HIDDEN), hidden))
    logits = graph.linear(hidden, HIDDEN, 2)
    for index, name in enumerate(("start", "end")):
        graph.add("Gather", logits, graph.constant(index, np.int64), name=f"output_{name}_logits", axis=2)
    made = helper.make_graph(
        graph.nodes,
        "bert-large-shape",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in INPUTS],
        [helper.make_tensor_value_info(f"output_{n}_logits", TensorProto.FLOAT, ["batch", "length"]) for n in ("start", "end")],
        graph.initializers,
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def write_data(folder: Path) -> dict[str, Any]:
    """64 random samples with SQuAD's spread of lengths, in the layout of preprocessed BERT data."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    every = np.sort(np.asarray(lengths()))
    chosen = every[np.linspace(0, len(every) - 1, SAMPLES).astype(int)].astype(np.int32)
    random.shuffle(chosen)
    kept = np.arange(LONGEST)[None, :] < chosen[:, None]
    np.save(folder / "input_ids.npy", (random.integers(1, VOCABULARY, kept.shape) * kept).astype(np.int32))
    np.save(folder / "input_mask.npy", kept.astype(np.int32))
    np.save(folder / "segment_ids.npy", np.zeros(kept.shape, np.int32))
    np.save(folder / "lengths.npy", chosen)
    return {
        "kind": "sequence",
        "folder": str(folder),
        "count": SAMPLES,
        "arrays": {name: f"{name}.npy" for name in INPUTS},
        "lengths": "lengths.npy",
        "outputs": ["output_start_logits", "output_end_logits"],
        "input_dtype": "int64",
    }


def build_engine(model: Path, folder: Path, data: Path, precision: str) -> None:
    """engine.blob, of the quantised model for int8."""
    from code.backends.openvino import BACKEND

    if (folder / "engine.blob").is_file():
        return
    folder.mkdir(exist_ok=True)
    if precision == "int8":
        import nncf
        import onnx

        rows = [{n: np.load(data / f"{n}.npy")[i : i + 1].astype(np.int64) for n in INPUTS} for i in range(4)]
        quantised = nncf.quantize(
            onnx.load(model), nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(rows)
        )
        model = folder / "int8.onnx"
        onnx.save(quantised, model)
    BACKEND.build(model, {"precision": precision}, folder)


def reference_rate(model: Path, data: Path) -> float:
    """Samples per second of ONNX Runtime, fp32, one padded sample at a time, over three samples after one to warm up."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    arrays = {n: np.load(data / f"{n}.npy").astype(np.int64) for n in INPUTS}
    times = []
    for i in range(4):
        start = time.perf_counter()
        session.run(None, {n: a[i : i + 1] for n, a in arrays.items()})
        times.append(time.perf_counter() - start)
    return 1 / statistics.median(times[1:])


@dataclass(frozen=True)
class Made:
    """What a measurement needs.

    Args:
        model: in fp32.
        graph: that the engine is built of.
        engine: folder of engine.blob.
        dataset: part of run.json.
        lengths: of the samples.
        multiple: that a batch's length is rounded up to.
    """

    precision: str
    model: Path
    graph: Path
    engine: Path
    dataset: dict[str, Any]
    lengths: list[int]
    multiple: int


def made(folder: Path, precision: str, layers: int = 24, pad_to_multiple_of: int = 16) -> Made:
    """Model, data and engine in `folder`; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    model, engine = folder / f"bert-{layers}.onnx", folder / f"engine-{layers}-{precision}"
    if not model.is_file():
        write_model(model, layers)
    dataset = {**write_data(folder / "data"), "pad_to_multiple_of": pad_to_multiple_of}
    build_engine(model, engine, folder / "data", precision)
    quantised = engine / "int8.onnx"
    lengths = [int(one) for one in np.load(folder / "data" / "lengths.npy")]
    return Made(precision, model, quantised if quantised.is_file() else model, engine, dataset, lengths, pad_to_multiple_of)


def run_of(one: Made, folder: Path, batch: int, warmup_s: float = 5.0) -> Path:
    """run.json of an Offline run over its samples."""
    cores = len(os.sched_getaffinity(0))
    engine = {"backend": "openvino", "folder": str(one.engine), "precision": one.precision, "streams": cores, "threads": cores}
    return run_json(
        folder,
        "Offline",
        {"performance_sample_count_override": SAMPLES, "min_query_count": SAMPLES, "min_duration": 0, "target_qps": 1},
        dataset=one.dataset,
        engine=engine,
        batch={"max_samples": batch, "timeout_us": 0.0, "padding": 0.0625},
        warmup_s=warmup_s,
    )


def alone(one: Made, batch: int, length: int, seconds: float) -> float:
    """Samples per second of its engine on batches of one shape, a stream for each core, without a harness."""
    from code.backends.base import EngineSpec
    from code.backends.openvino import BACKEND

    cores = len(os.sched_getaffinity(0))
    engine = BACKEND.load(one.engine, EngineSpec(streams=cores, threads=cores, precision=one.precision))
    inputs = {name: np.ones((batch, length), np.int64) for name in INPUTS}
    counts, times = [0] * cores, [0.0] * cores
    streams = [engine.stream() for _ in range(cores)]

    def work(lane: int) -> None:
        for _ in range(2):
            streams[lane].infer(inputs)
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            streams[lane].infer(inputs)
            counts[lane] += batch
        times[lane] = time.perf_counter() - begin

    lanes = [threading.Thread(target=work, args=(lane,)) for lane in range(cores)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    return sum(count / took for count, took in zip(counts, times, strict=True))


def main() -> None:
    """Make what is not there, measure in turn, print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16", "int8"))
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--pad_to_multiple_of", type=int, default=16)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--warmup_s", type=float, default=5.0, help="seconds in which each lane meets shapes before the run")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    one = made(folder, arguments.precision, arguments.layers, arguments.pad_to_multiple_of)
    path = run_of(one, folder / "run", arguments.batch, arguments.warmup_s)

    def harness() -> float:
        execute([programs()["harness"], path])
        return summary(path.parent, "Samples per second")

    values = in_turn(arguments.times, harness, lambda: reference_rate(one.model, folder / "data"))
    shape = f"{arguments.precision}, batches of {arguments.batch}, lengths rounded up to {arguments.pad_to_multiple_of}"
    what = f"Offline, BERT-Large shape ({arguments.layers} layers), {shape}"
    print(json.dumps({"load": os.getloadavg()[0], "values": values}))
    print(
        figure(
            f"{what}, over the reference's way",
            {"bf16": "≥ 4.4", "int8": "≥ 8", "fp32": ""}[arguments.precision],
            "samples/s",
            values,
        ).row()
    )


if __name__ == "__main__":
    main()
