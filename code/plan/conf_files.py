"""Settings of a user's own user.conf and mlperf.conf (--user_conf_path, --mlperf_conf_path), each with its file and line.

The order is that of a harness that hands such files to LoadGen: mlperf.conf < config class < environment < command line < user.conf.
Within a file a key of the benchmark and scenario goes before '*.scenario', that before 'benchmark.*', and that before '*.*'. Source:
LoadGen's test_settings_internal.cc, TestSettings::FromConfig.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from code.common.errors import MissingError, UsageError, nearest
from code.common.files import not_stored
from code.fields.consumer import Consumer
from code.fields.field import Field
from code.fields.table import FIELDS
from code.plan.request import Value

READS = Consumer("plan", ("mlperf_conf_path", "user_conf_path"))
ROUND = Consumer("plan", ("round",))
DEFAULT = "default"
NS_PER_MS = 1_000_000
MOST_BYTES = 4 << 20
SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
LINE = re.compile(r"(?P<key>[^\s=#]+)\s*=\s*(?P<value>[^\s#]+)")
KNOWN = frozenset(
    (
        *("accuracy_log_probability", "accuracy_sample_count_override", "infer_token_latencies", "max_async_queries", "mode"),
        *("performance_issue_same", "performance_issue_same_index", "performance_issue_unique", "print_timestamps"),
        *("sample_concatenate_permutation", "target_duration", "test05", "test05_qsl_rng_seed", "test05_sample_index_rng_seed"),
        *("test05_schedule_rng_seed", "token_latency_scaling_factor", "tpot_latency", "ttft_latency"),
    )
)
"""Keys of LoadGen that no option here sets; LoadGen's own mlperf.conf does."""


@dataclass(frozen=True)
class Setting:
    """One line of a file.

    Args:
        where: file:line.
    """

    key: str
    text: str
    where: str


@dataclass(frozen=True)
class Applied:
    """What a file gives one workload: field → (value, file:line), and a line for each setting that is not used."""

    values: Mapping[str, tuple[Any, str]]
    notes: tuple[str, ...] = ()


def apply(values: dict[str, Value], model: str, scenario: str) -> list[str]:
    """Put the settings of both files into `values`, in place. Returns what is not used, and whose value gave way, a line each.

    Files that a config class names, as older ones do, may be absent: that is a line too.
    """
    notes: list[str] = []
    read = READS.of(values)
    paths = {"mlperf_conf_path": read["mlperf_conf_path"], "user_conf_path": read["user_conf_path"]}
    for name, path in paths.items():
        if path.value is None:
            continue
        try:
            applied = _applied(Path(str(path.value)), f"--{name}", model, scenario, every=name == "user_conf_path")
        except MissingError as error:
            if not path.origin.startswith("config "):
                raise
            notes.append(f"{path.origin}: {error.what}: {error.why}")
            continue
        notes += applied.notes
        for field, (value, where) in applied.values.items():
            before = values[field]
            if name == "mlperf_conf_path" and not _open(values, field):
                continue
            if before.origin.startswith("command line") and before.value != value:
                notes.append(f"{field} is {value!r} of {where}, which goes before the command line's {before.value!r}")
            values[field] = Value(value, where)
    return notes


def _open(values: Mapping[str, Value], field: str) -> bool:
    """Whether a setting of mlperf.conf applies: nothing else sets the field, or the round that decides the seeds.

    How many samples there are is what the data set in use has.
    """
    if field == "performance_sample_count_override" or (field in SEEDS and ROUND.of(values)["round"].origin != DEFAULT):
        return False
    return values[field].origin == DEFAULT


def _applied(path: Path, option: str, model: str, scenario: str, every: bool) -> Applied:
    """Look the settings of one workload up.

    Args:
        every: note each setting that is not used; otherwise only those that LoadGen does not know, because a mlperf.conf repeats
            what LoadGen has itself.
    """
    values: dict[str, tuple[Any, str]] = {}
    notes = []
    fields = _fields(scenario)
    for setting in _of_workload(read(path, option), model, scenario):
        field = fields.get(setting.key)
        if field is not None:
            values[field.name] = (_value(field, setting), setting.where)
        elif setting.key not in KNOWN and not _elsewhere(setting.key):
            near = nearest(setting.key, [*fields, *KNOWN])
            notes.append(
                f"{setting.where}: LoadGen has no setting {setting.key!r}" + (f"; did you mean {near!r}?" if near else "")
            )
        elif every:
            notes.append(f"{setting.where}: {setting.key} is not used in {scenario}: no option sets it")
    if every and not values:
        notes.append(f"{path} has no setting for {model} {scenario}")
    return Applied(values, tuple(notes))


@cache
def _read(path: Path, _stamp: tuple[int, int]) -> tuple[Setting, ...]:
    """The lines of a file. UsageError for one that LoadGen would refuse."""
    found = []
    text = path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        hit = LINE.match(content)
        where = f"{path}:{number}"
        if hit is None:
            raise UsageError(f"cannot read {content[:60]!r}", "a line is `model.scenario.key = value`", "correct the line", where)
        if not _is_number(hit["value"]):
            raise UsageError(
                f"{hit['key']} cannot be {hit['value'][:40]!r}",
                "LoadGen reads whole and decimal numbers",
                "correct the line",
                where,
            )
        found.append(Setting(hit["key"], hit["value"], where))
    return tuple(found)


def read(path: Path, option: str) -> tuple[Setting, ...]:
    """The settings of a file, in its order. MissingError where there is none, UsageError where it is not such a file."""
    try:
        status = path.stat()
        if not path.is_file() or not_stored(path) or status.st_size > MOST_BYTES:
            raise UsageError(
                f"{path} is not a LoadGen configuration", "it is not a text file of settings", "name a user.conf", option
            )
        return _read(path, (status.st_mtime_ns, status.st_size))
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), f"correct {option}", option) from error


def _of_workload(settings: tuple[Setting, ...], model: str, scenario: str) -> Iterator[Setting]:
    """The setting of each key that applies; a later line of the same text replaces an earlier one, as in LoadGen."""
    by_text = {setting.key: setting for setting in settings}
    heads = (f"{model}.{scenario}.", f"*.{scenario}.", f"{model}.*.", "*.*.")
    keys = dict.fromkeys(text[len(head) :] for head in heads for text in by_text if text.startswith(head))
    for key in keys:
        hit = next(by_text[head + key] for head in heads if head + key in by_text)
        yield Setting(key, hit.text, hit.where)


@cache
def _fields(scenario: str) -> dict[str, Field]:
    """LoadGen's key → the field that carries it in a scenario."""
    found = {f.loadgen: f for f in FIELDS if f.loadgen and (not f.scenarios or scenario in f.scenarios)}
    return {**found, **{f.name: f for f in FIELDS if f.name in SEEDS}}


def _elsewhere(key: str) -> bool:
    """Whether LoadGen reads the key in another scenario."""
    return any(f.loadgen == key for f in FIELDS)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(int(text, 0)) if text.lower().startswith("0x") else float(text))
    except (ValueError, OverflowError):
        return False


def _value(field: Field, setting: Setting) -> Any:
    """The value in the field's own unit. UsageError where it is out of the field's range."""
    text = str(int(setting.text, 0)) if setting.text.lower().startswith("0x") else setting.text
    where = setting.where
    if field.unit == "ns":
        return field.check(round(float(text) * NS_PER_MS), where)
    if field.type == "bool":
        return field.parse("true" if float(text) else "false", where)
    if field.type == "int":
        return field.check(int(text) if text.lstrip("+-").isdigit() else int(float(text)), where)
    return field.parse(text, where)
