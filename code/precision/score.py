"""Scores a graph: answers on some samples, computed by a CPU backend and evaluated as in an accuracy run."""

from __future__ import annotations

import json
import math
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import EngineSpec, Stream, backend
from code.benchmarks.benchmark import BenchmarkDefinition
from code.common import console, jsonfile, paths
from code.common.errors import HarnessError, RunError, last_words
from code.common.files import sha256, write_json
from code.harness.python.batcher import by_length
from code.machine.detect import detect
from code.precision.samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 8
PADDING = 1 / 16
RUNS_ON = {"fp32": "openvino", "fp16": "openvino", "bf16": "openvino", "int8": "openvino", "fp8": "onnxruntime"}
"""Precision → the backend that computes it on a CPU. fp8 is emulated: values exact in fp8, products in fp32."""


def score(
    definition: BenchmarkDefinition, values: Mapping[str, Any], graph: Path, precision: str, samples: Samples, label: str
) -> dict[str, float]:
    """The graph's scores on the scoring samples alone, as the benchmark defines them.

    Raises RunError when the graph cannot be run or answers with what is not a number.
    """
    answers = run(graph, precision, samples, samples.scoring, label)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "mlperf_log_accuracy.json"
        lines = [json.dumps({"seq_id": n, "qsl_idx": i, "data": a.tobytes().hex()}) for n, (i, a) in enumerate(answers.items())]
        log.write_text("[" + ",\n".join(lines) + "]\n", encoding="ascii")
        return definition.subset_scores(Path(folder), values)


def reference_score(
    definition: BenchmarkDefinition, values: Mapping[str, Any], model: Path, samples: Samples
) -> dict[str, float]:
    """The fp32 model's scores on the same samples; measured once and cached."""
    runtime = backend(RUNS_ON["fp32"])
    key = f"subset-{sha256(model)[:16]}-{samples.digest[:16]}-{len(samples.scoring)}-{runtime.name}-{runtime.version()}.json"
    memory = paths.build_dir() / "graphs" / ".scores" / key
    known = jsonfile.object_or_empty(memory)
    if known and all(isinstance(value, float) and math.isfinite(value) for value in known.values()):
        return known
    scores = score(definition, values, model, "fp32", samples, f"{definition.name} fp32 score")
    write_json(memory, scores)
    return scores


def run(graph: Path, precision: str, samples: Samples, indices: NDArray[np.int64], label: str) -> dict[int, NDArray[Any]]:
    """Sample index → response, for every sample in `indices`."""
    runtime = backend(RUNS_ON[precision])
    cores = max(1, detect().usable_cores)
    answers: dict[int, NDArray[Any]] = {}
    dataset = samples.dataset
    with tempfile.TemporaryDirectory() as folder, console.Progress(label, len(indices), "samples") as bar:
        runtime.build(graph, {"precision": precision}, Path(folder))
        engine = runtime.load(Path(folder), EngineSpec(streams=cores, threads=cores, precision=precision))
        # If a sample's time depends on its length, each sample forms its own batch: its windows fill the engine's batches.
        together = 1 if dataset.proportional else BATCH
        work = by_length(indices.tolist(), indices.tolist(), dataset.lengths, together, PADDING)

        turn = threading.Lock()
        stopped = threading.Event()

        def drain(stream: Stream) -> None:
            while not stopped.is_set():
                with turn:
                    batch = next(work, None)
                if batch is None:
                    return
                responses = [np.array(a) for a in dataset.answer(stream, batch.indices)]
                with turn:
                    answers.update(zip(batch.indices.tolist(), responses, strict=True))
                    bar.update(len(answers))

        with ThreadPoolExecutor(cores) as pool:
            try:
                for done in [pool.submit(drain, engine.stream()) for _ in range(cores)]:
                    done.result()
            except HarnessError:
                raise
            except Exception as error:
                raise RunError(
                    f"{runtime.label} cannot run {graph.name} in {precision}",
                    last_words(error),
                    "run with --precision=fp32 to see whether the model itself runs",
                ) from error
            finally:
                stopped.set()  # the pool waits for its threads: after a failure or Ctrl-C they would answer every other sample first
    if len(answers) != len(indices):
        raise RunError(f"{runtime.label} answered {len(answers)} of {len(indices)} samples", "", "run the same command again")
    return answers
