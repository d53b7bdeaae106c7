"""summary.csv and summary.json: a tree's results in the official checker's columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import atomic_write
from code.results import loadgen_log
from code.results.loadgen_log import LoadGenLog
from code.rules.benchmarks import result_named, rules_in
from code.rules.metrics import METRICS
from code.rules.official_names import official_name
from code.rules.rounds import Round, loadgen_scenario
from code.submission.check import accuracy_text, power_checks, stray_folders
from code.submission.stage import endpoint
from code.submission.stage.layout import LAYOUTS, Place

COLUMNS = (
    "Organization",
    "Availability",
    "Division",
    "SystemType",
    "SystemName",
    "Platform",
    "Model",
    "MlperfModel",
    "Scenario",
    "Result",
    "Accuracy",
    "number_of_nodes",
    "host_processor_model_name",
    "host_processors_per_node",
    "host_processor_core_count",
    "accelerator_model_name",
    "accelerators_per_node",
    "total_accelerators",
    "Location",
    "framework",
    "operating_system",
    "notes",
    "compliance",
    "errors",
    "version",
    "inferred",
    "has_power",
    "Units",
    "weight_data_types",
    "design_power_watts",
    "PrivateID",
)
UNITS = {
    "Offline": "Samples/s",
    "Server": "Queries/s",
    "Interactive": "Queries/s",
    "SingleStream": "Latency (ms)",
    "MultiStream": "Latency (ms)",
}
MS_PER_NS = 1e-6


def rows(root: Path, round_: Round) -> list[dict[str, Any]]:
    """One row per result, in the tree's order, and a second one with the power figure where power was measured."""
    return [row for place in LAYOUTS[round_.layout].places(root) for row in _rows(root, round_, place)]


def _rows(root: Path, round_: Round, place: Place) -> list[dict[str, Any]]:
    """The script before v6.0 leaves the first row out if the system is there for its power figure only."""
    shape = LAYOUTS[round_.layout]
    system = _json(shape.system_json(root, place))
    if endpoint.is_endpoint(shape.results_dir(root, place)):
        return [_row(root, round_, place, _at_endpoint(shape.results_dir(root, place), place), system)]
    log = loadgen_log.read_detail(shape.performance_dir(root, place))
    outcome = {
        "Result": result(log, place, round_),
        "Accuracy": _accuracy(shape.accuracy_dir(root, place) / "accuracy.txt", place),
        "inferred": int(log.scenario != loadgen_scenario(place.scenario)),
        "Units": _unit(place, round_, log),
    }
    row = _row(root, round_, place, outcome, system)
    if not row["has_power"]:
        return [row]
    watts = power_checks.figure(shape.performance_dir(root, place), log, place.scenario)
    power = {**row, "Result": watts, "Units": power_checks.UNITS[place.scenario]}
    alone = not round_.modern and str(system.get("system_power_only", "")).lower() == "true"
    return [power] if alone else [row, power]


def _at_endpoint(folder: Path, place: Place) -> dict[str, Any]:
    """What a result of MLCommons endpoints' client came to."""
    read, _ = endpoint.read(folder)
    value, unit = read.figure(place.scenario)
    shown = read.score.items() if isinstance(read.score, dict) else [("score", read.score)]
    return {"Result": value, "Accuracy": "  ".join(f"{name}: {score}" for name, score in shown), "inferred": 0, "Units": unit}


def _row(root: Path, round_: Round, place: Place, outcome: dict[str, Any], system: dict[str, Any]) -> dict[str, Any]:
    """One row; `outcome` has its columns Result, Accuracy, inferred and Units."""
    shape = LAYOUTS[round_.layout]
    measured = _json(shape.find_measurements_json(root, place))
    nodes, accelerators = str(system.get("number_of_nodes", 1)), str(system.get("accelerators_per_node", 0))
    notes = ". ".join(text for text in (str(system.get("hw_notes") or ""), str(system.get("sw_notes") or "")) if text)
    return {
        "Organization": place.submitter,
        "Availability": system.get("status", ""),
        "Division": place.division,
        "SystemType": system.get("system_type", ""),
        "SystemName": system.get("system_name", ""),
        "Platform": place.system,
        "Model": place.benchmark,
        "MlperfModel": _official(root, round_, place),
        "Scenario": place.scenario,
        **outcome,
        **{
            name: system.get(name, "")
            for name in (
                "number_of_nodes",
                "host_processor_model_name",
                "host_processors_per_node",
                "host_processor_core_count",
                "accelerator_model_name",
                "accelerators_per_node",
            )
        },
        "total_accelerators": int(nodes) * int(accelerators) if nodes.isdigit() and accelerators.isdigit() else "",
        "Location": str(shape.performance_dir(root, place).relative_to(root)),
        "framework": system.get("framework", ""),
        "operating_system": system.get("operating_system", ""),
        "notes": notes,
        "compliance": place.division,
        "errors": 0,
        "version": round_.name,
        "has_power": (shape.results_dir(root, place) / "performance" / "power").is_dir(),
        "weight_data_types": measured.get("weight_data_types", ""),
        "design_power_watts": system.get("system_power_capacity", ""),
        "PrivateID": "",
    }


def _official(root: Path, round_: Round, place: Place) -> str:
    mapping, _ = stray_folders.read_mapping(root / place.division / place.submitter)
    return official_name(round_, place.benchmark, mapping) or place.benchmark


def result(log: LoadGenLog, place: Place, round_: Round) -> float | None:
    """The score as the official checker reports it: rates, latencies in ms, inferred results by its formulas."""
    if place.scenario == "Offline" and log.scenario == "SingleStream":
        return _number(log.get("result_qps_without_loadgen_overhead"))
    if place.scenario == "Offline" and log.scenario == "MultiStream":
        mean = _number(log.get("result_mean_query_latency_ns"))
        return None if not mean else float(log.need("effective_samples_per_query")) * 1000 / (mean * MS_PER_NS)
    if place.scenario == "MultiStream" and log.scenario == "SingleStream":
        estimate = _number(log.get("early_stopping_latency_ms"))
        return None if estimate is None else estimate * 8 * MS_PER_NS
    key = _token_key(place, round_, log) or METRICS[log.scenario].submission_key
    value = _number(log.get(key))
    if value is not None and log.scenario in ("SingleStream", "MultiStream"):
        return value / 1e6
    return value


def _token_key(place: Place, round_: Round, log: LoadGenLog) -> str:
    """The log key of a rate that the round's checker reports in tokens/s; '' for rates in samples or queries and for latencies.

    LoadGen counts tokens itself with use_token_latencies; for older benchmarks it infers them from samples.
    """
    rules = rules_in(round_, place.benchmark)
    if rules is None or not rules.counts_tokens:
        return ""
    inferred = "" if log.get("requested_use_token_latencies") else "inferred_"
    keys = {"Offline": f"result_{inferred}tokens_per_second", "Server": f"result_{inferred}completed_tokens_per_second"}
    return keys.get(place.scenario, "")


def _unit(place: Place, round_: Round, log: LoadGenLog) -> str:
    return "Tokens/s" if _token_key(place, round_, log) else UNITS[place.scenario]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _accuracy(path: Path, place: Place) -> str:
    result = result_named(place.benchmark)
    if result is None or not path.is_file():
        return ""
    found = accuracy_text.scores(path, tuple(result.target.least))
    return "  ".join(f"{name}: {value}" for name, value in found.items() if value is not None)


def _json(path: Path | None) -> dict[str, Any]:
    return {} if path is None else jsonfile.object_or_empty(path)


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def as_csv(content: list[dict[str, Any]]) -> str:
    """The rows as CSV with a header.

    A text that a spreadsheet would read as a formula gets an apostrophe in front (OWASP, "CSV Injection").
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in content)
    return out.getvalue()


def write(folder: Path, content: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Write summary.csv and summary.json into `folder`."""
    named: Mapping[str, str] = {
        "summary.csv": as_csv(content),
        "summary.json": json.dumps(content, indent=2, sort_keys=True) + "\n",
    }
    for name, text in named.items():
        with atomic_write(folder / name) as out:
            out.write(text)
    return folder / "summary.csv", folder / "summary.json"
