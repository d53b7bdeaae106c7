"""Files that document how a result was made: the measurements JSON, README.md, user.conf and calibration.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import UsageError
from code.common.paths import shown
from code.results import provenance
from code.rules.benchmarks import short_name
from code.rules.rounds import Round
from code.submission.check.finding import Finding
from code.submission.stage import endpoint_pages, inference, power_files
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import FILE_NAME, Identity
from code.submission.stage.runs import Run

REQUIRED = ("input_data_types", "retraining", "starting_weights_filename", "weight_data_types", "weight_transformations")
"""Fields that the official checker requires to be non-empty."""
EXAMPLES = {
    "input_data_types": "int32",
    "retraining": "No",
    "starting_weights_filename": "Llama-3.1-8B-Instruct",
    "weight_data_types": "fp8",
    "weight_transformations": "quantised by TensorRT Model Optimizer",
}
CALIBRATION = """# Calibration

{paragraphs}

Post-training quantisation uses only the calibration set that MLPerf names for the benchmark
(mlcommons/inference, folder calibration/), and one set of ranges for all scenarios.
"""
NOT_CALIBRATED = "{benchmark} on {system}: {precision}, not quantised. No calibration was used."
CALIBRATED = "{benchmark} on {system}: {precision}. The ranges come from the calibration recorded in the engine: {calibration}."


def read(path: Path) -> dict[str, Any]:
    """The measurements JSON of a tree. UsageError if it is damaged."""
    try:
        return jsonfile.read_object(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "correct it, or leave the result out with --benchmarks") from error


def lacking(one: Candidate) -> Iterator[Finding]:
    """A finding on the required fields of the measurements JSON that the submitter has not given for a result of an endpoint."""
    missing = [name for name in REQUIRED if not one.measured_fields.get(name)]
    if missing and "measurements" not in one.tree_files and one.endpoint is not None:
        what = f"nothing tells {', '.join(missing)} of {one.benchmark}, which the official checker requires"
        step = f'add them to the [measurements] table of {FILE_NAME}, for example: {missing[0]} = "{EXAMPLES[missing[0]]}"'
        yield Finding(one.endpoint, what, step, check="measurements")


def implementation(run: Run) -> str:
    """The implementation in file names: the runtime, as in the system's name."""
    backend = str(run.engine_entry.get("backend") or "custom")
    return backend


def content(one: Candidate, round_: Round) -> dict[str, Any]:
    """The measurements JSON of a candidate run by the harness.

    Besides the required fields it records digests, engine, accuracy and versions.
    """
    run, accuracy = one.performance_run, one.accuracy_run
    assert run is not None and accuracy is not None
    engine = run.provenance.get("engine", {})
    model = engine.get("model", {})
    precision = str(run.metadata.get("precision") or run.engine_entry.get("precision") or "fp32")
    out: dict[str, Any] = {
        "input_data_types": str(run.spec.get("dataset", {}).get("input_dtype") or "int32"),
        "retraining": _retraining(run),
        "starting_weights_filename": str(model.get("file") or "unknown"),
        "weight_data_types": precision,
        "weight_transformations": _transformations(run, precision),
        "accuracy": accuracy.metadata.get("accuracy", []),
        "engine": run.engine,
        "accuracy_run_engine": accuracy.engine,
        "engine_settings": engine.get("settings", {}),
        "harness_commit": str(run.provenance.get("commit") or ""),
        "harness_version": str(run.provenance.get("harness_version") or ""),
        "loadgen_version": str(run.metadata.get("loadgen_version") or ""),
        "model_sha256": str(model.get("sha256") or ""),
        "model_variant": str(run.metadata.get("model_variant") or "reference"),
        "round": round_.name,
        "run_started": run.started,
        "accuracy_run_started": accuracy.started,
    }
    if one.open_only:
        out["division_note"] = one.open_only
    if note := inference.note(one):
        out["inferred"] = note
    return out


def _retraining(run: Run) -> str:
    if run.tiny:
        return "Yes: the harness's own tiny model of the same architecture, trained from scratch on generated data"
    named = run.spec.get("record", {}).get("model_path")
    return f"Unknown: the submitter's own model {named}" if named else "No"


def _transformations(run: Run, precision: str) -> str:
    backend = str(run.engine_entry.get("backend") or "the runtime")
    named = str(run.provenance.get("engine", {}).get("model", {}).get("file") or "")
    return f"{'ONNX weights' if named.endswith('.onnx') else 'Weights'} compiled by {backend} to {precision}"


def write_pages(folder: Path, one: Candidate, identity: Identity, round_: Round) -> None:
    """Write README.md, and before v6.0 the pages of a power result."""
    (folder / "README.md").write_text(readme(one, identity, round_), encoding="utf-8")
    if not round_.modern:
        power_files.write(folder, one, identity)


def readme(one: Candidate, identity: Identity, round_: Round) -> str:
    """README.md of one result, with the exact steps to reproduce it."""
    run, accuracy = one.performance_run, one.accuracy_run
    assert run is not None and accuracy is not None
    parts = [f"# {one.benchmark} {one.scenario} on {one.system}", "", _result_line(run)]
    passed = str(accuracy.metadata.get("summary_string", ""))
    parts += [f"Accuracy: {passed}" if passed else "", ""]
    if one.open_only:
        parts += [f"**{one.open_only[0].upper()}{one.open_only[1:]}.**", ""]
    if note := inference.note(one):
        parts += [f"**Inferred:** {note}.", ""]
    parts += [
        "## To reproduce it",
        "",
        *_steps(one, run, accuracy),
        "",
        "## Inputs",
        "",
        *_facts(run, accuracy, round_),
    ]
    parts += ["", "## Explicitly set fields", "", *_settings(run)]
    return "\n".join(parts).rstrip() + "\n"


def _result_line(run: Run) -> str:
    return f"Result: {run.metadata.get('summary_string', 'not recorded')}"


def _steps(one: Candidate, run: Run, accuracy: Run) -> list[str]:
    commit = str(run.provenance.get("commit") or "")
    short = short_name(one.benchmark)
    lines = ["```"]
    if commit:
        lines.append(f"git checkout {commit}")
    lines += [f"make download_data BENCHMARKS={short}", f"make download_model BENCHMARKS={short}"]
    lines += [line for line in (provenance.command(r.provenance, r.mode) for r in (run, accuracy)) if line]
    lines.append("```")
    if not commit:
        lines += ["", "The run was made outside a git checkout, so no commit is recorded."]
    if run.provenance.get("changed"):
        lines += ["", "The run was made from a work tree with uncommitted changes to that commit."]
    if commit and accuracy.provenance.get("commit") != run.provenance.get("commit"):
        lines += ["", f"The accuracy run was made at commit {accuracy.provenance.get('commit') or 'unknown'}."]
    return lines


def _facts(run: Run, accuracy: Run, round_: Round) -> list[str]:
    engine = run.provenance.get("engine", {})
    model = engine.get("model", {})
    rows: list[tuple[str, Any]] = [
        ("Round", f"{round_.name}, with its seeds"),
        ("Harness", f"{run.provenance.get('harness_version', '')} {run.provenance.get('commit', '')}".strip()),
        ("LoadGen", run.metadata.get("loadgen_version", "")),
        ("Runtime", ", ".join(f"{k[: -len('_version')]} {v}" for k, v in run.metadata.items() if _runtime(k))),
        ("Model", f"{model.get('file', '')}, SHA-256 {model.get('sha256', '')}" if model else ""),
        ("Engine", run.engine),
        ("Engine settings", json.dumps(engine.get("settings", {}), sort_keys=True) if engine.get("settings") else ""),
        ("Performance run", run.started),
        ("Accuracy run", accuracy.started),
    ]
    return ["| What | Is |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows if value)]


def _runtime(key: str) -> bool:
    return key.endswith("_version") and key not in ("loadgen_version", "harness_version")


def _settings(run: Run) -> list[str]:
    values: Mapping[str, Any] = run.provenance.get("plan", {}).get("values", {})
    chosen = {n: v for n, v in sorted(values.items()) if v.get("origin") != "default" and v.get("value") is not None}
    rows = [
        f"| {name} | `{json.dumps(item['value'])}` | {item.get('origin', '')} |"
        for name, item in chosen.items()
        if name != "log_dir"
    ]
    return ["| Field | Value | From |", "| --- | --- | --- |", *rows] if rows else ["The run recorded none."]


def calibration_page(candidates: list[Candidate]) -> str:
    """documentation/calibration.md of a submitter."""
    paragraphs = []
    for one in candidates:
        run = one.performance_run
        if run is None:
            if (text := endpoint_pages.calibration(one)) and text not in paragraphs:
                paragraphs.append(text)
            continue
        settings = run.provenance.get("engine", {}).get("settings", {})
        calibration = settings.get("calibration") or settings.get("calibration_sha256")
        precision = str(run.metadata.get("precision") or "fp32")
        text = (CALIBRATED if calibration else NOT_CALIBRATED).format(
            benchmark=one.benchmark, system=one.system, precision=precision, calibration=calibration
        )
        if text not in paragraphs:
            paragraphs.append(text)
    return CALIBRATION.format(
        paragraphs="\n\n".join(paragraphs) or "The results were taken over from another tree with their own notes."
    )


def user_conf_note(run: Run) -> str:
    """The origin of user.conf, for messages."""
    return shown(run.folder / "user.conf")
