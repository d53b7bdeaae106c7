"""The workloads of a heterogeneous run: what --main and --background name, and the devices of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from code.backends.base import backend
from code.common.errors import UsageError
from code.common.notices import Notices
from code.fields.consumer import Consumer
from code.machine.detect import DetectedSystem
from code.plan.request import Request, Value
from code.plan.workload import Workload, build
from code.run import language, placement, slots
from code.run.job import Job
from configs.configuration import Detected
from configs.inspection import fields_of

READS = Consumer("heterogeneous runs", ("backend", "numa_config"))
STREAMS = Consumer("heterogeneous runs", ("cpu_inference_streams",), devices=("CPU",))
ITEM = re.compile(r"(?P<benchmark>[^:@]+):(?P<scenario>[^:@]+)(?:@(?P<devices>[^:@]+))?")
EXAMPLE = (
    "write --main=bert:Offline --background=3d-unet:Offline, with devices as --main=bert:Offline@0 --background=3d-unet:Offline@1"
)


@dataclass(frozen=True)
class Part:
    """One workload of a heterogeneous run.

    Args:
        devices: those behind its @; '' for a share of what there is.
        option: the option that names it.
    """

    benchmark: str
    scenario: str
    devices: str
    option: str


def parts(request: Request) -> list[Part]:
    """The main workload, then its neighbours. UsageError where one is missing or cannot be read."""
    main, others = str(request["main"] or ""), list(request["background"] or ())
    if not main or not others:
        missing = "--background" if main else "--main"
        raise UsageError(f"{missing} is missing", "a heterogeneous run has a main workload and others beside it", EXAMPLE)
    found = []
    for option, text in [("--main", main), *(("--background", one) for one in others)]:
        hit = ITEM.fullmatch(text.strip())
        if hit is None:
            raise UsageError(
                f"{option}={text} cannot be read", "it is not BENCHMARK:SCENARIO or BENCHMARK:SCENARIO@DEVICES", EXAMPLE
            )
        found.append(Part(hit["benchmark"].strip(), hit["scenario"].strip(), (hit["devices"] or "").replace("+", ","), option))
    if len({bool(one.devices) for one in found}) > 1:
        raise UsageError("some workloads have devices behind an @ and others have not", "", "name those of all or of none")
    return found


def jobs(request: Request, notices: Notices) -> list[Job]:
    """The jobs of the main workload and its neighbours, each on devices of its own.

    UsageError for devices that two of them have, or fewer devices than workloads. Errors of a plan are those of each workload.
    """
    wanted = parts(request)
    first = [_planned(request, one, {}) for one in wanted]
    found = []
    for workload, one, fields in zip(first, wanted, _devices(first, wanted), strict=True):
        planned = _with_streams(_planned(request, one, fields)) if fields else workload
        job = Job(planned, notices)
        _require_beside(job, one)
        found.append(job)
    _require_apart(found)
    return found


def _planned(request: Request, part: Part, fields: dict[str, str]) -> Workload:
    """The workload of a part, with fields of devices that go before those of the request."""
    given = {name: value for name, value in request.given.items() if name not in ("main", "background")}
    given["benchmarks"] = Value([part.benchmark], f"command line {part.option}")
    given["scenarios"] = Value([part.scenario], f"command line {part.option}")
    given |= {name: Value(value, f"command line {part.option}") for name, value in fields.items()}
    workloads, failed = build(replace(request, given=given))
    if failed:
        raise failed[0].error
    if len(workloads) != 1:
        names = ", ".join(one.label for one in workloads)
        raise UsageError(
            f"{part.option} names {len(workloads)} workloads", names, "name one benchmark, scenario and config version"
        )
    return workloads[0]


def _with_streams(workload: Workload) -> Workload:
    """The workload with streams by its own cores, where its config counts those of the machine."""
    raw = fields_of(workload.config.cls).get("cpu_inference_streams", (None, None))[0]
    given = STREAMS.of(workload)["cpu_inference_streams"]
    if not isinstance(raw, Detected) or _on_gpus(workload) or workload.origin("cpu_inference_streams").startswith("command line"):
        return workload
    own = sum(slot.compute for slot in slots.chosen(slots.of_processors(workload), workload))
    streams = max(1, min(int(given or 1), int(own * raw.factor)))
    return workload.with_values({"cpu_inference_streams": Value(streams, f"{raw.factor:g} × {own} cores of its own")})


def _devices(workloads: Sequence[Workload], wanted: Sequence[Part]) -> list[dict[str, str]]:
    """The fields of devices of each workload.

    GPUs and slices are shared out in order, as are NUMA nodes where there are enough. Otherwise a device is a set of cores: those that are
    named, or an equal share of the physical ones.
    """
    own = [one.devices for one in wanted]
    named = all(own)
    kinds = [_on_gpus(one) for one in workloads]
    if len(set(kinds)) > 1:
        return [_named(*one) for one in zip(kinds, own, strict=True)] if named else [{} for _ in own]
    if kinds[0] or READS.of(workloads[0])["numa_config"]:
        numbers = [str(one.number) for one in _slots(workloads[0])]
        return [{"devices": text} for text in (own if named else _shares(numbers, len(own)))]
    return _cores(own) if named else _core_sets(workloads[0], len(own))


def _core_sets(workload: Workload, count: int) -> list[dict[str, str]]:
    """NUMA nodes, or physical cores where there are fewer nodes, divided among workloads."""
    nodes = [str(one.number) for one in slots.of_processors(workload)]
    if len(nodes) >= count:
        return [{"devices": text} for text in _shares(nodes, count)]
    return _cores(_shares(_physical(workload.detected), count))


def _named(on_gpus: bool, text: str) -> dict[str, str]:
    """The fields of the devices that are named for a workload."""
    return {"devices": text} if on_gpus else _cores([text])[0]


def _on_gpus(workload: Workload) -> bool:
    return placement.on_gpus(workload, backend(READS.of(workload)["backend"]))


def _slots(workload: Workload) -> Sequence[slots.Slot]:
    runtime = backend(READS.of(workload)["backend"])
    return slots.of_gpus(workload, runtime) if _on_gpus(workload) else slots.of_processors(workload)


def _cores(sets: Sequence[str]) -> list[dict[str, str]]:
    """Each set of processors as the only device of its workload."""
    return [{"numa_config": f"{number}:{text}", "devices": str(number)} for number, text in enumerate(sets)]


def _physical(detected: DetectedSystem) -> list[str]:
    """The processors of each physical core that a run may use, as ranges."""
    groups: dict[object, list[int]] = {}
    for cpu in sorted(detected.usable_cpus):
        groups.setdefault(detected.processors.cores.get(cpu, (0, cpu)), []).append(cpu)
    return [slots.ranges(tuple(cpus)) for cpus in groups.values()]


def _shares(items: Sequence[str], count: int) -> list[str]:
    """Items divided among workloads, the first ones getting what is over. UsageError where there are fewer items."""
    if len(items) < count:
        raise UsageError(
            f"{count} workloads do not fit on {len(items)} devices",
            f"each needs a device of its own; there are {', '.join(items) or 'none'}",
            "run fewer beside the main one, or name processors that are devices with --numa_config",
        )
    size, over = divmod(len(items), count)
    out, at = [], 0
    for number in range(count):
        own = size + (number < over)
        out.append(",".join(items[at : at + own]))
        at += own
    return out


def _require_beside(job: Job, part: Part) -> None:
    """UsageError for a neighbour that the Python harness cannot run, or that is behind Triton."""
    if part.option == "--main":
        return
    if language.PYTHON not in job.backend.harness_languages:
        raise UsageError(
            f"{job.label} cannot run beside another workload",
            f"neighbours run in the Python harness, which the {job.backend.name} backend has none for",
            "choose another --backend",
        )
    if language.served(job.workload) or language.has_own_server(job.workload):
        server = "Triton" if language.served(job.workload) else "--with_server"
        why = f"its engine is behind {'Triton' if language.served(job.workload) else 'a server'}"
        raise UsageError(f"{job.label} cannot run beside another workload", why, f"leave {server} out")


def _require_apart(found: Sequence[Job]) -> None:
    """UsageError for a device, or a processor, that two workloads have."""
    taken: dict[object, str] = {}
    for job in found:
        for device in job.placement.devices:
            keys: list[object] = [(job.placement.on_gpus, device.name), *([] if job.placement.on_gpus else device.cores)]
            for key in keys:
                if key in taken:
                    raise UsageError(
                        f"{taken[key]} and {job.label} are both on {device.name}",
                        "each workload of a heterogeneous run has devices of its own",
                        EXAMPLE,
                    )
            taken.update(dict.fromkeys(keys, job.label))
