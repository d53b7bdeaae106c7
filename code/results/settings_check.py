"""Check that LoadGen applied every setting written to user.conf, by comparing the settings with the detail log.

LoadGen's parser is lenient: it silently ignores `key=value` without spaces, unknown keys and keys of another scenario,
and reads integer keys with strtoull, so that 6e5 becomes 6 and 2.5 becomes 2. Expected values follow
`TestSettings::FromConfig` and `TestSettingsInternal` of LoadGen 6.0:

- times are milliseconds in user.conf; latencies become nanoseconds; a percentile of 99 becomes 0.99;
- the stream scenarios' target_latency is the expected latency and becomes a rate, 1e9 / ns;
- Offline issues a single query: min_query_count becomes the minimum number of samples, effective_samples_per_query is the
  larger of it and 1.1 × min_duration × target_qps, effective_min_query_count is 1;
- SingleStream with sample_concatenate_permutation raises min_query_count to whole passes over the data set;
- a sample count override of 0 means the QSL's own count; accuracy runs log the same settings as performance runs;
- the random seeds are read from LoadGen's built-in mlperf.conf only: other seeds go through TestSettings, never user.conf.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from code.common.errors import RunError, nearest
from code.results.loadgen_log import LoadGenLog
from code.results.log_types import MODES
from code.results.reason import number

Number = int | float | bool
LOG_PRECISION = 1e-5
"""LoadGen prints real numbers with six significant digits."""
OFFLINE_SLACK = 1.1
STREAMS = {"SingleStream": "single_stream", "MultiStream": "multi_stream"}


@dataclass(frozen=True)
class Difference:
    """A setting that LoadGen did not apply as requested.

    Args:
        key: the key in user.conf.
        asked: the value in user.conf.
        log_key: the key in the detail log; '' if LoadGen has no such setting.
        expected: the expected value in the log.
        found: the value in the log; None if missing.
        why: the likely cause.
    """

    key: str
    asked: Number | str
    log_key: str
    expected: Number | str | None
    found: Number | str | None
    why: str

    def __str__(self) -> str:
        if not self.log_key:
            return f"{self.key} = {self._shown(self.asked)}: {self.why}"
        found = "nothing" if self.found is None else self._shown(self.found)
        return f"{self.key} = {self._shown(self.asked)}: {self.log_key} is {found}, not {self._shown(self.expected)}; {self.why}"

    @staticmethod
    def _shown(value: Number | str | None) -> str:
        return number(value) if isinstance(value, float) and math.isfinite(value) else str(value)


@dataclass(frozen=True)
class _Setting:
    """How one user.conf key appears in the log: log keys, unit factor, scenarios that read it, and kind of value."""

    requested: str
    effective: str = ""
    factor: float = 1.0
    scenarios: tuple[str, ...] = ("Offline", "Server", "SingleStream", "MultiStream")
    kind: Callable[[Any], Any] = int
    zero_means: str = ""


def _per_scenario(key: str, scenario: str) -> _Setting | None:
    """The keys whose meaning depends on the scenario."""
    if key == "target_qps":
        name = {"Offline": "offline_expected_qps", "Server": "server_target_qps"}.get(scenario)
        return _Setting(f"requested_{name}", "effective_target_qps", kind=float) if name else None
    if key == "target_latency" and scenario in STREAMS:
        return _Setting(f"requested_{STREAMS[scenario]}_expected_latency_ns", factor=1e6, kind=float)
    if key == "target_latency" and scenario == "Server":
        return _Setting("requested_server_target_latency_ns", "effective_target_latency_ns", 1e6)
    if key == "target_latency_percentile" and scenario != "Offline":
        name = STREAMS.get(scenario, "server")
        return _Setting(f"requested_{name}_target_latency_percentile", "effective_target_latency_percentile", 0.01, kind=float)
    return None


def _same(name: str, kind: Callable[[Any], Any] = int) -> _Setting:
    return _Setting(f"requested_{name}", f"effective_{name}", kind=kind)


SCENARIO_KEYS = ("target_qps", "target_latency", "target_latency_percentile")
SETTINGS: dict[str, _Setting] = {
    "samples_per_query": _Setting(
        "requested_multi_stream_samples_per_query", "effective_samples_per_query", scenarios=("MultiStream",)
    ),
    "coalesce_queries": _Setting("requested_server_coalesce_queries", scenarios=("Server",), kind=bool),
    "max_async_queries": _Setting("requested_server_max_async_queries", "effective_max_async_queries", scenarios=("Server",)),
    "min_duration": _same("min_duration_ms"),
    "max_duration": _same("max_duration_ms"),
    "min_query_count": _Setting("requested_min_query_count"),
    "max_query_count": _same("max_query_count"),
    "performance_sample_count_override": _Setting(
        "requested_performance_sample_count_override",
        "effective_performance_sample_count",
        zero_means="qsl_reported_performance_count",
    ),
    "accuracy_sample_count_override": _Setting(
        "requested_accuracy_sample_count_override",
        "effective_accuracy_sample_count",
        zero_means="qsl_reported_total_count",
    ),
    "sample_concatenate_permutation": _same("sample_concatenate_permutation", bool),
    "performance_issue_unique": _same("performance_issue_unique", bool),
    "performance_issue_same": _same("performance_issue_same", bool),
    "performance_issue_same_index": _same("performance_issue_same_index"),
    "print_timestamps": _same("print_timestamps", bool),
    "accuracy_log_rng_seed": _same("accuracy_log_rng_seed"),
    "accuracy_log_sampling_target": _same("accuracy_log_sampling_target"),
    "accuracy_log_probability": _Setting(
        "requested_accuracy_log_probability", "effective_accuracy_log_probability", 0.01, kind=float
    ),
    "qsl_rng_seed": _same("qsl_rng_seed"),
    "sample_index_rng_seed": _same("sample_index_rng_seed"),
    "schedule_rng_seed": _same("schedule_rng_seed"),
    "use_token_latencies": _Setting("requested_use_token_latencies", kind=bool),
    "ttft_latency": _Setting("requested_server_ttft_latency", factor=1e6, scenarios=("Server",)),
    "tpot_latency": _Setting("requested_server_tpot_latency", factor=1e6, scenarios=("Server",)),
    "server_num_issue_query_threads": _Setting("requested_server_num_issue_query_threads", scenarios=("Server",)),
}
"""user.conf's keys (the last exists in TestSettings only) → how they appear in the log."""
MLPERF_CONF_ONLY = {"qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed", "accuracy_log_probability"}
NOT_LOGGED = {"infer_token_latencies", "token_latency_scaling_factor"}
"""Keys that LoadGen reads but never logs, so they cannot be checked."""


def compare_settings(asked: Mapping[str, Number], log: LoadGenLog, *, scenario: str = "", mode: str = "") -> list[Difference]:
    """Every setting of `asked` (user.conf's keys without model and scenario, in user.conf's units) that the log contradicts.

    Args:
        asked: for example {"target_qps": 100.0, "min_duration": 60000}.
        log: the run's detail log.
        scenario: the requested scenario; '' to skip this check.
        mode: the requested test mode; '' to skip this check.
    """
    found = [
        Difference(key, wanted, f"requested_{key}", wanted, log.get(f"requested_{key}"), "the harness started a different one")
        for key, wanted in (("scenario", scenario), ("test_mode", mode))
        if wanted and log.get(f"requested_{key}") != wanted
    ]
    for key, value in asked.items():
        if key not in NOT_LOGGED:
            one = _compare_one(key, value, log)
            found.extend([one] if one else [])
    return found


def require_settings(asked: Mapping[str, Number], log: LoadGenLog, *, scenario: str = "", mode: str = "") -> None:
    """RunError listing every difference, if there are any."""
    differences = compare_settings(asked, log, scenario=scenario, mode=mode)
    if differences:
        raise RunError(
            f"LoadGen ran with different settings than requested: {', '.join(one.key for one in differences)}",
            " | ".join(str(one) for one in differences),
            f"discard the result in {log.path.parent}; check its user.conf, then run again",
        )


def _compare_one(key: str, value: Number, log: LoadGenLog) -> Difference | None:
    """The first contradiction between the log and one setting."""
    if key == "mode":
        wanted = MODES[int(value)] if value in range(len(MODES)) else "one of 0 to 3"
        mode = log.get("requested_test_mode")
        return None if mode == wanted else Difference(key, value, "requested_test_mode", wanted, mode, _cause(key, value, int))
    if key not in SETTINGS and key not in SCENARIO_KEYS:
        hit = nearest(key, [*SETTINGS, *SCENARIO_KEYS])
        near = f"; the nearest is {hit}" if hit else ""
        return Difference(key, value, "", None, None, "LoadGen has no such key" + near)
    setting = SETTINGS.get(key) or _per_scenario(key, log.scenario)
    if setting is None or log.scenario not in setting.scenarios:
        return Difference(key, value, "", None, None, f"LoadGen does not read this key in {log.scenario}")
    for log_key, expected in _expectations(key, setting, value, log):
        found = log.get(log_key)
        unreadable = setting.kind is int and isinstance(expected, float)
        if unreadable or not _equal(found, expected):
            return Difference(key, value, log_key, expected, found, _cause(key, value, setting.kind))
    return None


def _expectations(key: str, setting: _Setting, value: Number, log: LoadGenLog) -> Iterator[tuple[str, Number]]:
    """The log keys to look at, and what they should say."""
    expected = _in_log_units(setting, value)
    if not (key == "use_token_latencies" and not value):  # logged only where it is on
        yield setting.requested, expected
    if setting.zero_means and not value:
        expected = log.get(setting.zero_means, 0)
    if setting.effective and setting.effective in log:
        yield setting.effective, expected
    if key == "target_latency" and log.scenario in STREAMS and value:
        yield "effective_target_qps", 1e3 / float(value)
    if key == "min_query_count":
        yield from _expected_counts(int(value), log)


def _in_log_units(setting: _Setting, value: Number) -> Number:
    expected = value * setting.factor
    if setting.kind is bool:
        return bool(value)
    if setting.kind is int and expected == int(expected):
        return int(expected) if setting.factor != 1.0 else int(value)
    return float(expected)


def _expected_counts(count: int, log: LoadGenLog) -> Iterator[tuple[str, Number]]:
    """Whether the log agrees with LoadGen's treatment of min_query_count."""
    seconds = float(log.get("effective_min_duration_ms", 0)) / 1e3
    rate = float(log.get("effective_target_qps", 0))
    if log.scenario == "Offline":
        yield "effective_min_query_count", 1
        if log.get("effective_performance_issue_unique", False):
            yield "effective_samples_per_query", log.get("effective_performance_sample_count", 0)
        else:
            samples = max(count, int(OFFLINE_SLACK * seconds * rate))
            found = log.get("effective_samples_per_query")
            near = isinstance(found, int) and abs(found - samples) <= 1 + LOG_PRECISION * samples  # the logged rate is rounded
            yield "effective_samples_per_query", found if near else samples
    elif log.scenario == "SingleStream" and log.get("effective_sample_concatenate_permutation", False):
        whole = int(log.get("qsl_reported_performance_count", 1)) or 1
        least = [max(count, int(2 * seconds * rate * (1 + error))) for error in (0, -LOG_PRECISION, LOG_PRECISION)]
        passes = [one + whole - one % whole for one in least]
        found = log.get("effective_min_query_count")
        yield "effective_min_query_count", found if found in passes else passes[0]
    else:
        yield "effective_min_query_count", count


def _equal(found: object, expected: Number) -> bool:
    """Integers and switches must be equal; real numbers must agree to LoadGen's printed precision."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if not isinstance(found, (int, float)):
        return False
    if isinstance(expected, int):
        return found == expected
    return math.isclose(found, expected, rel_tol=LOG_PRECISION, abs_tol=1e-9)


def _cause(key: str, value: Number, kind: Callable[[Any], Any]) -> str:
    if key in MLPERF_CONF_ONLY:
        return "LoadGen reads it from its built-in mlperf.conf only: set it through TestSettings instead"
    if kind is int and isinstance(value, float) and value != int(value):
        return "LoadGen reads this key as an integer"
    return "the line in user.conf was not read (spaces around the =, model, scenario?) or audit.config overrode it"
