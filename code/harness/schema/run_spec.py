"""run.json, schema 4: everything that one harness process needs, in either language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.harness.schema.datasets import DATASETS, DatasetSpec, Name
from code.harness.schema.options import OPTIONS, NoOptions, Options
from code.harness.schema.reader import NEXT_STEP, OneOf, Range, Reader, Size

SCHEMA = 4


@dataclass(frozen=True)
class EngineEntry:
    """One engine.

    Args:
        backend: the runtime.
        folder: directory of its files; '' for engines without files.
        precision: 'fp32', 'bf16', …
        options: backend-specific, see code/harness/schema/options.py.
    """

    backend: Name
    folder: str
    precision: Name
    options: Annotated[Options, OneOf("backend", OPTIONS, beside=True, otherwise=NoOptions)]


@dataclass(frozen=True)
class DeviceEntry:
    """One device: a GPU, or a share of the CPU cores.

    Args:
        index: unique within the process.
        name: its name in logs and errors.
        engine: index into `engines`.
        cores: processors that its threads are bound to; []: those of its NUMA node where the machine reports it, else any.
        streams: batches in flight on it.
        threads: total runtime threads; 0: the runtime decides.
        pci: a GPU's PCI address as NVML knows it, such as '0000:3b:00.0'; '': not known.
    """

    index: Annotated[int, Range(0, 4095)]
    name: Name
    engine: Annotated[int, Range(0, 4095)]
    cores: tuple[Annotated[int, Range(0, 65535)], ...]
    streams: Annotated[int, Range(1, 4096)]
    threads: Annotated[int, Range(0, 65536)]
    pci: str = ""


@dataclass(frozen=True)
class BatchSettings:
    """How samples are grouped into batches.

    Args:
        max_samples: most samples in a batch.
        timeout_us: how long a Server batch may wait to fill, in microseconds.
        padding: share of a batch's longest sample that a shorter one may be padded by before it goes into another batch.
    """

    max_samples: Annotated[int, Range(1, 1 << 20)]
    timeout_us: Annotated[float, Range(0, 1e9)]
    padding: Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class LogSettings:
    """LoadGen's LogSettings: the fields log_enable_trace, disable_log_copy_summary_to_stdout, log_copy_detail_to_stdout, log_mode and
    log_mode_async_poll_interval_ms."""

    enable_trace: bool = False
    copy_summary_to_stdout: bool = True
    copy_detail_to_stdout: bool = False
    mode: Literal["AsyncPoll", "EndOfTestOnly", "Synchronous"] = "AsyncPoll"
    async_poll_interval_ms: Annotated[int, Range(1, 3_600_000)] = 1000


@dataclass(frozen=True)
class ServerSettings:
    """Settings of the Server scenario.

    Args:
        issue_threads: threads on which LoadGen issues queries; 0: LoadGen's own.
        soft_drop: share of queries that must meet the latency bound, but never below LoadGen's percentile.
    """

    issue_threads: Annotated[int, Range(0, 1024)] = 0
    soft_drop: Annotated[float, Range(0, 1)] = 1.0


@dataclass(frozen=True)
class Expectations:
    """LoadGen settings that progress reports and the probe need.

    Args:
        min_duration_ms: minimum duration of a performance run; 0: none.
        samples_per_query: of MultiStream.
    """

    min_duration_ms: Annotated[float, Range(0, 1e12)] = 0.0
    samples_per_query: Annotated[int, Range(1, 1 << 20)] = 8


@dataclass(frozen=True)
class RunSpec:
    """The content of run.json.

    Args:
        benchmark: LoadGen's model name.
        output_dir: directory for LoadGen's logs; it exists and contains only files of the caller.
        user_conf: the settings file that LoadGen reads.
        audit_conf: audit.config for a compliance run, or ''.
        engines: engines that devices load.
        devices: all devices of the process; they share one LoadGen.
        seeds: LoadGen seeds that override mlperf.conf.
        warmup_s: maximum duration of warm-up inference before LoadGen starts, seconds.
        watchdog_s: the run fails after this many seconds without an answer; 0: never.
        record: every resolved field of the workload, for information; the harness does not read it.
    """

    benchmark: Name
    scenario: Literal["Offline", "Server", "SingleStream", "MultiStream"]
    test_mode: Literal["PerformanceOnly", "AccuracyOnly"]
    output_dir: Name
    user_conf: Name
    audit_conf: str
    engines: Annotated[tuple[EngineEntry, ...], Size(1)]
    devices: Annotated[tuple[DeviceEntry, ...], Size(1)]
    batch: BatchSettings
    dataset: Annotated[DatasetSpec, OneOf("kind", DATASETS)]
    seeds: Mapping[
        Literal["qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed"], Annotated[int, Range(0, (1 << 64) - 1)]
    ] = field(default_factory=dict)
    log: LogSettings = LogSettings()
    server: ServerSettings = ServerSettings()
    warmup_s: Annotated[float, Range(0, 86_400)] = 0.0
    watchdog_s: Annotated[float, Range(0, 1e6)] = 120.0
    expects: Expectations = Expectations()
    record: Mapping[str, Any] = field(default_factory=dict)
    schema: Literal[4] = 4

    @property
    def lanes(self) -> int:
        """Batches in flight on all devices."""
        return sum(device.streams for device in self.devices)

    def engine_of(self, device: DeviceEntry) -> EngineEntry:
        """The engine that a device loads."""
        return self.engines[device.engine]

    def write(self, path: Path) -> None:
        """Write it atomically. UsageError when a value violates the schema: the harness would reject it."""
        try:
            content = json.loads(json.dumps(asdict(self), default=str, allow_nan=False))
        except ValueError as error:
            raise UsageError(
                f"{path.name} cannot represent a value of this run", str(error), "correct the field with that value"
            ) from error
        parse(content, path.name)
        write_json(path, content)


def parse(content: Any, file: str) -> RunSpec:
    """Validate the content of a run.json. UsageError, with the path of the key, for anything that violates the schema."""
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or not isinstance(content["schema"], int):
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise UsageError(f"{file} has schema {found!r}", f"this harness reads schema {SCHEMA}", NEXT_STEP)
    spec = Reader(file).object(RunSpec, content)
    _require_consistent(spec, file)
    return spec


def read(path: Path) -> RunSpec:
    """Read and validate a run.json. MissingError when the file is absent, UsageError for anything that violates the schema."""
    step = "run the harness through `make run_harness`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise MissingError(f"cannot open {path}", error.strerror or "", step) from error
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{path} is not valid JSON", why, step) from error
    return parse(content, str(path))


def _require_consistent(spec: RunSpec, file: str) -> None:
    """Checks that JSON Schema cannot express."""
    seen: set[int] = set()
    for number, device in enumerate(spec.devices):
        if device.engine >= len(spec.engines):
            what = f"{file}: devices[{number}].engine is {device.engine}"
            raise UsageError(what, f"engines has {len(spec.engines)} entries; indices start at 0", NEXT_STEP)
        if device.index in seen:
            what = f"{file}: devices[{number}].index is {device.index}"
            raise UsageError(what, "another device has the same index", NEXT_STEP)
        seen.add(device.index)
    parts = [("dataset", spec.dataset)] + [(f"engines[{n}].options", e.options) for n, e in enumerate(spec.engines)]
    for at, part in parts:
        complaint = part.complaint() if hasattr(part, "complaint") else ""
        if complaint:
            raise UsageError(f"{file}: {at} is inconsistent", complaint, NEXT_STEP)


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not a valid JSON number")
