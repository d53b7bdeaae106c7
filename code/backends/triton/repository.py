"""The model repository that Triton serves: one model for each device of a placement, with the engine that the harness built."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from code.backends.triton import config
from code.backends.triton.config import Instances, Settings
from code.common import paths
from code.common.errors import UsageError
from code.common.files import atomic_directory

PYTHON_BACKENDS = ("openvino", "onnxruntime")
"""Backends whose engines Triton's Python backend computes with this project's own runners."""
PLANS = ("tensorrt",)
"""Backends whose engines Triton's own backend takes; not executed: it needs a GPU."""
PLAN = "engine.plan"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Served:
    """One model: an engine on one device.

    Args:
        name: the model's name.
        engine: folder of the engine's files.
        precision: of the engine.
        instances: how many copies, and where.
        threads: of each copy; 0: the runtime decides.
        cores: processors that copies are bound to; (): any.
    """

    name: str
    engine: Path
    precision: str
    instances: Instances
    threads: int = 0
    cores: tuple[int, ...] = ()


def runtime_of(backend: str) -> str:
    """Triton's backend or platform for a backend's engines. UsageError for one that it cannot serve."""
    if backend in PYTHON_BACKENDS:
        return "python"
    if backend in PLANS:
        return "tensorrt_plan"
    raise UsageError(
        f"Triton cannot serve engines of the {backend} backend",
        f"it serves those of {', '.join((*PYTHON_BACKENDS, *PLANS))}",
        "choose another --backend, or run without Triton: leave triton out of --config_ver",
    )


def write(folder: Path, backend: str, graph: Path, batch: int, models: Sequence[Served], settings: Settings) -> None:
    """Write the repository into `folder`, in place of an older one.

    Args:
        backend: the backend of the engines.
        graph: the ONNX graph that they are built of, for their inputs and outputs.
        batch: the largest batch.

    Raises:
        UsageError: Triton cannot serve engines of this backend.
    """
    runtime = runtime_of(backend)
    inputs, outputs = config.tensors(graph)
    with atomic_directory(folder) as fresh:
        for model in models:
            version = fresh / model.name / "1"
            version.mkdir(parents=True)
            parameters: Mapping[str, str] = {}
            if runtime == "python":
                shutil.copyfile(HERE / "model.py", version / "model.py")
                parameters = {"harness": json.dumps(_parameters(backend, model, settings))}
            else:
                (version / "model.plan").symlink_to(model.engine.absolute() / PLAN)
            (fresh / model.name / "config.pbtxt").write_text(
                config.text(model.name, runtime, batch, inputs, outputs, model.instances, settings, parameters),
                encoding="ascii",
            )


def _parameters(backend: str, model: Served, settings: Settings) -> dict[str, object]:
    """What an instance needs: the project, and the engine with the call that loads it."""
    count = settings.instance_count or model.instances.count
    return {
        "project": str(paths.project_root()),
        "packages": paths_of_packages(),
        "backend": backend,
        "engine": str(model.engine.absolute()),
        "precision": model.precision,
        "threads": max(1, model.threads // count) if model.threads else 0,
        "cores": list(model.cores),
    }


def paths_of_packages() -> list[str]:
    """Folders of this process's packages, for an interpreter that knows none of them."""
    import sysconfig

    return list(dict.fromkeys(sysconfig.get_paths()[key] for key in ("purelib", "platlib")))
