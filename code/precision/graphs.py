"""The store of converted graphs below build/graphs/, addressed by their inputs.

`build/graphs/<benchmark>-<model>-<precision>-<key>/` holds the graph under the model's own file name, `graph.json` (everything the
key is a digest of, and the result) and, for int8 and fp8, the calibration's report.md and report.json. Every backend compiles
the same file. fp32 is the original model.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.backends.base import backend
from code.backends.locks import locked
from code.backends.store import model_digest
from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common import console, jsonfile, paths
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import atomic_directory, sha256, write_json
from code.fields.consumer import Consumer
from code.plan.workload import Workload
from code.precision.convert import PATTERN, REST, in_pattern, is_quantised
from code.precision.samples import Samples, open_samples

VERSION = 5
"""Version of the conversion; increment it when the same inputs give another graph."""

PROVENANCE = "graph.json"
CALIBRATED = ("int8", "fp8")


READS = Consumer("graphs", ("backend", "precision"))
FP8 = Consumer("graphs", ("use_fp8",), graphs=True)
CALIBRATION = Consumer("calibration", ("force_calibration",), precisions=CALIBRATED, graphs=True)


@dataclass(frozen=True)
class GraphAddress:
    """The location of a graph, made or not."""

    folder: Path
    file: Path
    identity: Mapping[str, Any]

    @property
    def exists(self) -> bool:
        """Whether the graph exists, damaged or not."""
        return (self.folder / PROVENANCE).is_file()

    @property
    def usable(self) -> bool:
        """Whether the graph exists and is intact."""
        return self.exists and not self.damage()

    def damage(self) -> str:
        """Why the graph cannot be used; '' if it is intact."""
        if not self.exists:
            return f"there is no {paths.shown(self.folder)}"
        try:
            wanted = jsonfile.read_object(self.folder / PROVENANCE).get("sha256")
            return "" if model_digest(self.file) == wanted else f"{self.file.name} does not fit its digest"
        except OSError as error:
            return f"{self.file.name} cannot be read: {error.strerror or error}"
        except ValueError as error:
            return f"{PROVENANCE}: {error}"


def precision_of(values: Mapping[str, Any]) -> str:
    """The precision of the graph: fp8 with `use_fp8`, else the field `precision`."""
    return "fp8" if FP8.of(values).get("use_fp8") else str(READS.of(values)["precision"])


def asked_again(workload: Workload) -> bool:
    """Whether to repeat an existing calibration."""
    return bool(CALIBRATION.of(workload)["force_calibration"])


def graph_for(workload: Workload, make: bool = False, again: bool = False) -> Path:
    """The graph that a backend compiles for a workload.

    Args:
        make: make it where it is not there; otherwise its absence is a MissingError.
        again: make it even where it is there.

    Raises:
        MissingError: the model, the data to calibrate with, or NNCF is not there.
        UsageError: graphs in this precision are not supported, or the backend cannot build an engine from one.
        RunError: the graph cannot be made, or no choice of layers reaches the accuracy target.
    """
    definition = definition_of(workload.benchmark)
    values = workload.plain()
    model = definition.model(values)
    precision = precision_of(values)
    runtime = READS.of(values)["backend"]
    own = backend(runtime).makes_precision
    if model.is_dir() and not own:
        raise UsageError(
            f"{runtime} does not generate text",
            f"{definition.name}'s model is the folder {model}, but {runtime} runs an ONNX file",
            "omit --backend, or select one that does, such as openvino_genai",
        )
    if precision == "fp32" or own:
        return model
    if precision not in ("fp16", "bf16", *CALIBRATED):
        raise UsageError(
            f"{precision} graphs are not supported",
            "graphs are made in fp32, fp16, bf16, int8, fp8",
            "choose one with --precision=…",
        )
    share = workload.setting.accuracy_target.value
    if precision in CALIBRATED:
        if make:
            definition.prepare(values)
        samples = open_samples(definition, values)
    else:
        samples = None
    where = _address(definition, model, precision, samples, share)
    if where.usable and not again:
        return where.file
    if not make:
        raise _absent(where, precision, model, samples)
    backend(runtime).build_settings(values)  # reject an impossible engine before hours of calibration
    with locked(paths.build_dir() / "graphs" / ".locks" / where.folder.name):
        if again or not where.usable:
            _make(where, definition, values, model, precision, samples, share)
    return where.file


def _absent(where: GraphAddress, precision: str, model: Path, samples: Samples | None) -> MissingError:
    return MissingError(
        f"the {precision} graph of {model} {'is damaged' if where.exists else 'does not exist yet'}",
        where.damage(),
        "run `make generate_engines` with the same RUN_ARGS" + (", or `make calibrate`" if samples else ""),
    )


def report_of(graph: Path) -> Path:
    """The readable report of a calibrated graph."""
    return graph.parent / "report.md"


def _address(definition: BenchmarkDefinition, model: Path, precision: str, samples: Samples | None, share: float) -> GraphAddress:
    identity: dict[str, Any] = {
        "benchmark": definition.name,
        "model": {"file": model.name, "sha256": model_digest(model)},
        "precision": precision,
        "version": VERSION,
        "pattern": asdict(PATTERN),
    }
    if samples is not None:
        identity["calibration"] = {
            "samples": samples.digest,
            "count": samples.count,
            "origin": samples.origin,
            "scored_on": len(samples.scoring),
            "target": share if len(samples.scoring) else None,
            "rest": REST,
        }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.build_dir() / "graphs" / f"{definition.name}-{model.stem}-{precision}-{key}"
    return GraphAddress(folder, folder / model.name, identity)


def _make(
    where: GraphAddress,
    definition: BenchmarkDefinition,
    values: Mapping[str, Any],
    model: Path,
    precision: str,
    samples: Samples | None,
    share: float,
) -> None:
    import onnx

    from code.precision import calibrate

    start = time.monotonic()
    console.say(f"graph {where.folder.name}: converting {paths.shown(model)}")
    source = read_model(model)
    with atomic_directory(where.folder) as folder:
        came_of: dict[str, Any] = {}
        if samples is None or is_quantised(source):
            made = in_pattern(source, REST if samples is not None else precision)
            onnx.save(made.model, str(folder / model.name))
            came_of["float_nodes"] = {operator: len(names) for operator, names in made.high.items()}
            if samples is not None:
                came_of["calibration"] = "the model is quantised already; its own scales are kept"
        else:
            file = folder / model.name
            report = calibrate.calibrate(definition, values, model, source, precision, samples, share, file, PATTERN)
            write_json(folder / "report.json", report.as_json())
            (folder / "report.md").write_text(report.markdown() + "\n", encoding="utf-8")
            came_of |= {"report": "report.json", "verdict": report.verdict(), "kept_high": report.trials[-1].kept}
            came_of["samples"] = [int(i) for batch in samples.calibration for i in batch]
        came_of["seconds"] = round(time.monotonic() - start, 3)
        content = {**where.identity, "sha256": sha256(folder / model.name), "made_with": _versions(), "result": came_of}
        write_json(folder / PROVENANCE, content)
    console.say(f"graph {where.folder.name}: made in {time.monotonic() - start:.1f} s")


def read_model(model: Path) -> Any:
    """The ModelProto in a file. RunError when it is incomplete."""
    import onnx

    try:
        loaded = onnx.load(str(model))
        onnx.checker.check_model(loaded)
        return loaded
    except OSError as error:
        raise MissingError(f"cannot read {model}", error.strerror or str(error), "run `make download_model`") from error
    except Exception as error:
        words = str(error).strip().splitlines()
        raise RunError(
            f"{model} is not a complete ONNX model",
            words[0] if words else type(error).__name__,
            "run `make download_model` again, or select another with --model_path",
        ) from error


def _versions() -> dict[str, str]:
    import importlib.metadata

    out = {}
    for package in ("onnx", "nncf", "openvino", "onnxruntime"):
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            out[package] = ""
    return out
