"""What a workload gets before its run: the values of its devices, of its harness and of measurements, and the C++ harness it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from code.backends.base import Backend
from code.common.errors import HarnessError, MissingError, UsageError
from code.fields.consumer import Consumer
from code.machine.measurements import Memory
from code.plan.request import Value
from code.plan.workload import Workload
from code.results.machine import MachineState
from code.run import cpp_build, language, measured, simulation, spec_fields
from code.run.placement import Placement, needs_processes
from code.run.resolved import Resolved
from code.systems.system_list import KnownSystem

READS = Consumer("probe", ("probe",))


def with_placement(workload: Workload, placement: Placement) -> Workload:
    """The workload with the values that its devices give."""
    return workload.with_values({name: Value(value, "placement") for name, value in placement.values().items()})


def ensure_harness(workload: Workload, runtime: Backend) -> None:
    """Build the C++ harness where the workload runs in no other. MissingError where it cannot be built."""
    if language.supported(workload, runtime) == (language.CPP,):
        what = f"the {runtime.name} backend"
        if language.distributed(workload):
            what = "a run over nodes"
        elif language.in_process(workload):
            what = "Triton in the harness process"
        cpp_build.ensure(what)


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


def languages(job: Resolved) -> Sequence[str]:
    """The languages of the harness that can run a job. MissingError for a text generator on several MIG slices.

    Only the Python harness loads engines in processes of their own.
    """
    able = language.supported(job.workload, job.backend)
    if not needs_processes(job.placement, job.backend):
        return able
    if job.definition.facts.family == "text":
        names = ", ".join(device.name for device in job.placement.devices)
        raise MissingError(
            f"{job.label}: {names} cannot be driven together",
            "CUDA shows a process a single MIG slice, and a text generator has one process",
            f"choose one of them, such as --devices={job.placement.devices[0].number}",
        )
    found = tuple(name for name in able if name == language.PYTHON)
    if not found:
        raise UsageError(
            f"{job.label}: several MIG slices cannot be driven by one process of the C++ harness",
            "CUDA shows a process a single MIG slice, and only the Python harness has one for each",
            "choose one of them with --devices, or --triton_protocol=grpc behind Triton",
        )
    return found


def with_language(workload: Workload, choice: language.Choice) -> Workload:
    """The workload with the language that was chosen for it."""
    if language.asked_language(workload) == choice.language:
        return workload
    return workload.with_values({"harness_lang": Value(choice.language, f"auto: {choice.why}")})


def with_open_values(
    job: Resolved, chosen: language.Choice, measure: Callable[[], tuple[Mapping[str, float], MachineState]]
) -> Workload:
    """A job's workload with values where its config leaves them to a measurement.

    Args:
        measure: called where no earlier measurement of the same engine, language, devices and batch is known.
    """
    workload = job.workload
    if not measured.probed_fields(workload):
        return workload
    if measured.not_needed(workload):
        return measured.without(workload)
    if not job.backend.computes:
        found = simulation.without_probes(workload, job.placement)
        return workload.with_values({name: Value(v, "simulated") for name, v in found.items()})
    again = READS.of(workload)["probe"] == "again"
    return measured.with_measured(workload, memory(job, chosen), measure, again)


def with_remembered(job: Resolved) -> Workload:
    """The workload with values that earlier measurements give; nothing is measured. It stays as it is where they cannot be found."""
    workload = job.workload
    if not measured.probed_fields(workload) or not job.backend.computes:
        return workload
    try:
        asked = language.asked_language(workload)  # not the job's, which prints why it was chosen
        chosen = language.choose(asked, job.backend.name, str(job.dataset["kind"]), languages(job))
        return measured.with_remembered(workload, memory(job, chosen))
    except HarnessError:
        return workload  # no engine, model or data yet, so no measurement either


def memory(job: Resolved, chosen: language.Choice) -> Memory:
    """What was measured of a job's engine in a harness language."""
    of: dict[str, Any] = {
        "engine": job.engines.first.folder.name,
        "language": chosen.language,
        "devices": [[d.kind, len(d.cores), d.streams, d.threads] for d in job.placement.devices],
        "batch": job.placement.batch,
        "multiple": spec_fields.length_multiple(job.workload),
        "dataset": [job.dataset.get(name) for name in ("kind", "folder", "count")],
    }
    if language.served(job.workload):
        of["served"] = True
    if language.has_own_server(job.workload):
        of["own_server"] = True
    return Memory(of)
