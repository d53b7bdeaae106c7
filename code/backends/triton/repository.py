"""The model repository that Triton serves: one model for each device of a placement, with the engine that the harness built."""

from __future__ import annotations

import json
import shutil
import sys
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
OWN = {"onnxruntime": "onnxruntime"}
"""Backend → Triton's own backend, which takes its engines where the server has it (triton_backend = 'own'); not executed."""
PLAN, ONNX = "engine.plan", "engine.onnx"
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


def runtime_of(backend: str, own: bool = False) -> str:
    """Triton's backend or platform for a backend's engines.

    Args:
        own: whether Triton's own backend is asked for, instead of the Python backend with this project's runners.

    Raises:
        UsageError: Triton cannot serve such engines, or has no backend of its own for them.
    """
    if own and backend in OWN:
        return OWN[backend]
    if own and backend not in PLANS:
        raise UsageError(
            f"Triton has no backend of its own for engines of the {backend} backend",
            f"it has them for {', '.join((*OWN, *PLANS))}",
            "leave --triton_backend out, or choose another --backend",
            "--triton_backend",
        )
    if backend in PYTHON_BACKENDS:
        return "python"
    if backend in PLANS:
        return "tensorrt_plan"
    raise UsageError(
        f"Triton cannot serve engines of the {backend} backend",
        f"it serves those of {', '.join((*PYTHON_BACKENDS, *PLANS))}",
        "choose another --backend, or run without Triton: leave triton out of --config_ver",
    )


def write(
    folder: Path, backend: str, graph: Path, batch: int, models: Sequence[Served], settings: Settings, own: bool = False
) -> None:
    """Write the repository into `folder`, in place of an older one.

    Args:
        backend: the backend of the engines.
        graph: the ONNX graph that they are built of, for their inputs and outputs.
        batch: the largest batch.
        own: see `runtime_of`.

    Raises:
        UsageError: Triton cannot serve engines of this backend.
    """
    runtime = runtime_of(backend, own)
    inputs, outputs = config.tensors(graph)
    with atomic_directory(folder) as fresh:
        for model in models:
            version = fresh / model.name / "1"
            version.mkdir(parents=True)
            parameters: Mapping[str, str] = {}
            if runtime == "python":
                shutil.copyfile(HERE / "model.py", version / "model.py")
                parameters = {"harness": json.dumps(_parameters(backend, model, settings))}
            elif runtime in OWN.values():
                (version / "model.onnx").symlink_to(model.engine.absolute() / ONNX)
                parameters = {"intra_op_thread_count": str(_threads(model, settings))}
            else:
                (version / "model.plan").symlink_to(model.engine.absolute() / PLAN)
            (fresh / model.name / "config.pbtxt").write_text(
                config.text(model.name, runtime, batch, inputs, outputs, model.instances, settings, parameters),
                encoding="ascii",
            )


def _parameters(backend: str, model: Served, settings: Settings) -> dict[str, object]:
    """What an instance needs: the project, and the engine with the call that loads it."""
    return {
        "project": str(paths.project_root()),
        "python": sys.executable,
        "packages": paths_of_packages(),
        "backend": backend,
        "engine": str(model.engine.absolute()),
        "precision": model.precision,
        "threads": _threads(model, settings),
        "cores": list(model.cores),
    }


def _threads(model: Served, settings: Settings) -> int:
    """Threads of each instance; 0: the runtime decides."""
    count = settings.instance_count or model.instances.count
    return max(1, model.threads // count) if model.threads else 0


def paths_of_packages() -> list[str]:
    """Folders of this process's packages, for an interpreter that knows none of them."""
    import sysconfig

    return list(dict.fromkeys(sysconfig.get_paths()[key] for key in ("purelib", "platlib")))
