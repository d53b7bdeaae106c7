"""What a workload gets before its run: the values of its devices, of its harness and of measurements, and the C++ harness it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from code.backends.base import Backend
from code.backends.store import EngineAddress
from code.common.errors import MissingError
from code.plan.request import Value
from code.plan.workload import Workload
from code.run import cpp_build, language, measured, simulation, spec_fields
from code.run.placement import Placement
from code.systems.system_list import KnownSystem


def with_placement(workload: Workload, placement: Placement) -> Workload:
    """The workload with the values that its devices give."""
    return workload.with_values({name: Value(value, "placement") for name, value in placement.values().items()})


def ensure_harness(runtime: Backend) -> None:
    """Build the C++ harness where the backend runs in no other. MissingError where it cannot be built."""
    if runtime.harness_languages == (language.CPP,):
        cpp_build.ensure(f"the {runtime.name} backend")


def require_gpus(workload: Workload, runtime: Backend) -> None:
    """MissingError where the runtime needs GPUs and this machine has none: before data or a model are asked for.

    Names everything that is missing at once: the GPUs of the system, and the runtime's packages.
    """
    if runtime.device != "GPU" or workload.detected.gpus:
        return
    system = KnownSystem.get(workload.system_name)
    its = f"{system.accelerators} × {system.accelerator or 'GPU'}" if system is not None and system.accelerators else "GPUs"
    try:
        also = f"here the {runtime.name} backend's packages are installed ({runtime.version()})"
    except MissingError:
        also = f"the packages of the {runtime.name} backend are not installed here either"
    raise MissingError(
        f"this machine is not {workload.system_name}: it has no NVIDIA GPU, or its driver does not respond",
        f"{workload.system_name} has {its}; {also}",
        "run it there (`make doctor` checks a machine); here, --dry_run prints the plan, --backend=simulated simulates the devices, and "
        "without --system this machine's processors are used",
    )


def with_language(workload: Workload, choice: language.Choice) -> Workload:
    """The workload with the language that was chosen for it."""
    if language.asked_language(workload) == choice.language:
        return workload
    return workload.with_values({"harness_lang": Value(choice.language, f"auto: {choice.why}")})


def with_open_values(
    workload: Workload,
    runtime: Backend,
    placement: Placement,
    engine: EngineAddress,
    chosen: language.Choice,
    dataset: Mapping[str, Any],
    measure: Callable[[], dict[str, float]],
) -> Workload:
    """The workload with values where its config leaves them to a measurement.

    Args:
        measure: called where no earlier measurement of the same engine, language, devices and batch is known.
    """
    if not measured.probed_fields(workload):
        return workload
    if measured.not_needed(workload):
        return measured.without(workload)
    if not runtime.computes:
        found = simulation.without_probes(workload, placement)
        return workload.with_values({name: Value(v, "simulated") for name, v in found.items()})
    of: dict[str, Any] = {
        "engine": engine.folder.name,
        "language": chosen.language,
        "devices": [[d.kind, len(d.cores), d.streams, d.threads] for d in placement.devices],
        "batch": placement.batch,
        "multiple": spec_fields.length_multiple(workload),
        "dataset": [dataset.get(name) for name in ("kind", "folder", "count")],
    }
    return measured.with_measured(workload, of, measure)
