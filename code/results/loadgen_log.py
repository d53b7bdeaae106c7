"""Reader of LoadGen's detail log, `mlperf_log_detail.txt`: one `:::MLLOG {json}` line per event. The summary is not read.

LoadGen prints real numbers with six significant digits, and a key may occur several times: an accuracy run logs one
`loaded_qsl_set` and one `power_end` for every set of samples that fits the performance sample count, and a SubmissionRun logs the
accuracy and then the performance part.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import RunError
from code.common.files import require_regular
from code.common.jsonfile import DamagedError
from code.results.log_types import misfit
from code.rules.metrics import METRICS, TOKEN_METRICS, Metric

MARKER = ":::MLLOG"
DETAIL_NAME = "mlperf_log_detail.txt"
NOT_FINITE = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
NOT_JSON = re.compile(r'"value": (-?nan|-?inf),')
LAST_RESULT_KEY = "result_99.90_percentile_latency_ns"
"""The last key that every LoadGen since v1.0 writes in all scenarios after a performance run."""


@dataclass(frozen=True)
class LogEntry:
    """One line of the detail log.

    Args:
        key: LoadGen's name for the event.
        value: the JSON value: str, int, float, bool, list or dict.
        time_ms: ms since LoadGen started logging.
        is_error: LoadGen flags it as an error; the submission checker rejects such a log.
        is_warning: LoadGen flags it as a warning.
        file: LoadGen's source file.
        line_no: the line in LoadGen's source file.
        row: the line in the log, from 1.
        metadata: the whole metadata object, with pid and tid.
    """

    key: str
    value: Any
    time_ms: float
    is_error: bool
    is_warning: bool
    file: str
    line_no: int
    row: int
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def source(self) -> str:
        """LoadGen's `file:line`, without the folders of the machine that built it."""
        return f"{self.file.rsplit('/', 1)[-1]}:{self.line_no}"


@dataclass(frozen=True)
class LoadGenLog:
    """A detail log.

    Args:
        path: the file.
        entries: every event in order.
        truncated: the last line is incomplete, as after a kill or on a full disk.
    """

    path: Path
    entries: tuple[LogEntry, ...]
    truncated: bool = False

    @cached_property
    def _by_key(self) -> dict[str, tuple[LogEntry, ...]]:
        found: dict[str, list[LogEntry]] = {}
        for entry in self.entries:
            found.setdefault(entry.key, []).append(entry)
        return {key: tuple(entries) for key, entries in found.items()}

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def keys(self) -> list[str]:
        """The keys, in order of first occurrence."""
        return list(self._by_key)

    def all(self, key: str) -> list[Any]:
        """Every value of `key`, in log order; [] if there is none."""
        return [entry.value for entry in self._by_key.get(key, ())]

    def get(self, key: str, default: Any = None) -> Any:
        """The last value of `key`, or `default`."""
        entries = self._by_key.get(key)
        return entries[-1].value if entries else default

    def number(self, key: str) -> float | None:
        """The last value of `key` if it is a number; None otherwise."""
        value = self.get(key)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def need(self, key: str) -> Any:
        """The last value of `key`; RunError if the log lacks it."""
        if key not in self:
            raise RunError(
                f"{self.path} has no {key}",
                "the run ended before LoadGen wrote it" if not self.complete else f"LoadGen {self.version} does not log it",
                "run it again; if it fails the same way, read the last lines of that file",
            )
        return self.get(key)

    def group(self, prefix: str) -> dict[str, Any]:
        """Keys that start with `prefix` ('requested_', 'effective_', 'result_'), prefix removed → last value."""
        return {key[len(prefix) :]: self.get(key) for key in self._by_key if key.startswith(prefix)}

    @property
    def requested(self) -> dict[str, Any]:
        """The requested settings, after mlperf.conf, user.conf and audit.config."""
        return self.group("requested_")

    @property
    def effective(self) -> dict[str, Any]:
        """The settings in effect."""
        return self.group("effective_")

    @property
    def results(self) -> dict[str, Any]:
        """LoadGen's measurements; {} for an accuracy run."""
        return self.group("result_")

    @property
    def errors(self) -> tuple[LogEntry, ...]:
        """Events flagged as errors."""
        return tuple(entry for entry in self.entries if entry.is_error)

    @property
    def warnings(self) -> tuple[LogEntry, ...]:
        """Events flagged as warnings."""
        return tuple(entry for entry in self.entries if entry.is_warning)

    @property
    def audited(self) -> bool:
        """Whether LoadGen found an audit.config, which overrides settings and leaves no other trace in the log."""
        return any("audit.config" in str(entry.value) for entry in self.warnings)

    @property
    def version(self) -> str:
        """LoadGen's version, '6.0.17 @ commit'; '' if the log ends before it."""
        return str(self.get("loadgen_version", ""))

    @property
    def scenario(self) -> str:
        """'Offline', 'Server', 'SingleStream' or 'MultiStream'. RunError if the log ends before it."""
        return str(self.need("effective_scenario"))

    @property
    def mode(self) -> str:
        """'PerformanceOnly', 'AccuracyOnly', 'SubmissionRun' or 'FindPeakPerformance'."""
        return str(self.need("effective_test_mode"))

    @property
    def has_performance(self) -> bool:
        """Whether this mode ends with a performance result."""
        return self.mode != "AccuracyOnly"

    @property
    def metric(self) -> Metric:
        """The scenario's metric: in tokens where LoadGen counted them."""
        counted = TOKEN_METRICS.get(self.scenario) if self.get("requested_use_token_latencies") else None
        return counted if counted is not None and counted.key in self else METRICS[self.scenario]

    @property
    def value(self) -> float | int | None:
        """The scenario's result in LoadGen's unit (1/s or ns); None for an accuracy run or an incomplete log."""
        found = self.get(self.metric.key)
        return found if isinstance(found, (int, float)) else None

    @property
    def is_valid(self) -> bool:
        """Whether LoadGen logged VALID. It may do so despite errors; `verdict.judge` takes those into account."""
        return bool(self.get("result_validity") == "VALID")

    @property
    def complete(self) -> bool:
        """Whether LoadGen finished: the last line is complete and the mode's final entries exist."""
        if self.truncated or "effective_test_mode" not in self or "effective_scenario" not in self:
            return False
        if self.has_performance:
            return "result_validity" in self and self.metric.key in self and LAST_RESULT_KEY in self
        sets = self.all("loaded_qsl_set")
        asked = self.accuracy_sample_count
        return bool(sets) and len(self.all("power_end")) >= len(sets) and asked is not None and self.samples_loaded >= asked

    @property
    def samples_loaded(self) -> int:
        """Samples of the accuracy part over all its sets, excluding LoadGen's padding in MultiStream."""
        sets = self.all("loaded_qsl_set")
        if self.mode == "SubmissionRun" and len(sets) > 1:
            sets = sets[:-1]
        padding = int(self.get("effective_samples_per_query", 1)) - 1 if self.scenario == "MultiStream" else 0
        return sum(len(one) - padding for one in sets)

    @property
    def accuracy_sample_count(self) -> int | None:
        """Samples that an accuracy run covers: the whole QSL, or fewer if newer LoadGens log an accuracy sample count."""
        counts = [self.get("effective_accuracy_sample_count"), self.get("qsl_reported_total_count")]
        return min((int(count) for count in counts if count is not None), default=None)

    @property
    def query_count(self) -> int | None:
        """Queries issued in the performance run."""
        count = self.get("result_query_count")
        return int(count) if count is not None else None

    @property
    def sample_count(self) -> int | None:
        """Samples issued in the performance run: queries × samples per query as generated."""
        queries = self.query_count
        return None if queries is None else queries * int(self.get("generated_samples_per_query", 1))


def read_detail(path: Path) -> LoadGenLog:
    """Read a detail log (the file, or the folder that holds `mlperf_log_detail.txt`).

    A truncated last line is dropped, and the log is then not `complete`.

    Raises:
        RunError: the file is missing or empty, or a line before the last is malformed.
    """
    path = Path(path)
    if path.is_dir():
        path = path / DETAIL_NAME
    try:
        raw = require_regular(path).read_bytes()
    except FileNotFoundError as error:
        raise RunError(
            f"no LoadGen log at {path}",
            "the harness ended before LoadGen opened its logs, or they were written elsewhere",
            "see stdout.txt beside it for the cause, then run the workload again",
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot read {path}", error.strerror or str(error), "check the file's permissions and its disk"
        ) from error
    if not raw.strip(b"\0\r\n\t "):
        raise RunError(
            f"{path} is empty",
            "LoadGen was killed or the disk was full before it wrote the first line",
            "check free disk space, then run the workload again",
        )
    lines = raw.removeprefix(BOM_UTF8).split(b"\n")
    if not lines[-1]:
        lines.pop()
    entries: list[LogEntry] = []
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(_entry(line, row))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            if row == len(lines) and entries:
                return LoadGenLog(path, tuple(entries), truncated=True)
            shown = line[:60].decode("utf-8", errors="replace")
            raise RunError(
                f"not a line of LoadGen's detail log: {shown!r}",
                f"{error}; the file was damaged or edited"
                if isinstance(error, DamagedError)
                else f"every line starts with {MARKER} and continues with a JSON object; the file was damaged or edited",
                "run the workload again; an edited log cannot be submitted",
                where=f"{path}:{row}",
            ) from error
    return LoadGenLog(path, tuple(entries))


def _event(text: str) -> Any:
    """The JSON object. LoadGen writes C++'s `-nan` or `inf`, for example for the rate of a single Server query; both are accepted."""
    try:
        return jsonfile.parse(text)
    except ValueError:
        return jsonfile.parse(NOT_JSON.sub(lambda hit: f'"value": {NOT_FINITE[hit.group(1)]},', text, count=1))


def _entry(line: bytes, row: int) -> LogEntry:
    """The event on one line. DamagedError for a value of the wrong type, ValueError, KeyError or TypeError for an incomplete line."""
    text = line.decode("utf-8").strip()
    if not text.startswith(MARKER):
        raise ValueError(MARKER)
    try:
        event = _event(text[len(MARKER) :])
    except DamagedError as error:
        raise ValueError(str(error)) from error
    metadata = event["metadata"]
    entry = LogEntry(
        key=str(event["key"]),
        value=event["value"],
        time_ms=float(event["time_ms"]),
        is_error=bool(metadata["is_error"]),
        is_warning=bool(metadata["is_warning"]),
        file=str(metadata["file"]),
        line_no=int(metadata["line_no"]),
        row=row,
        metadata=metadata,
    )
    if reason := misfit(entry.key, entry.value):
        raise DamagedError(reason)
    return entry
