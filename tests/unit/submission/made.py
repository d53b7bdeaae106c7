"""Makes real LoadGen runs in the harness's own layout, on a system under test that answers every query at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from code.harness.schema.datasets import SequenceData
from code.harness.schema.options import NoOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, RunSpec
from code.results import metadata
from code.results.accuracy import AccuracyResult
from code.results.loadgen_log import read_detail
from code.results.verdict import judge
from code.rules.rounds import round_named
from code.submission.stage.identity import Identity

SAMPLES = 10833
F1, TARGET = 95.5, 94.0
SYSTEM_ID = "Example_CPUx1"
SYSTEM = f"{SYSTEM_ID}_OpenVINO_tiny"
ENGINE = "bert-model-openvino-fp32-0123456789abcdef"
SETTINGS: dict[str, dict[str, Any]] = {
    "Offline": {"target_qps": 17},
    "SingleStream": {"target_latency": 1, "max_query_count": 1100},
    "MultiStream": {"target_latency": 1, "max_query_count": 700},
    "Server": {"target_qps": 1500, "target_latency": 130, "max_query_count": 1500, "min_query_count": 1000},
}
"""LoadGen settings of a shortened run: the minimum duration stays ten minutes, a limit on queries ends it."""
ACCURACY_SETTINGS = {"Server": {"target_qps": 20000}}
"""Others of an accuracy run, which asks for every sample at this rate."""
FIELDS_TO_FILL = """
host_processor_model_name host_memory_capacity host_memory_configuration host_storage_capacity host_storage_type host_networking
host_networking_topology host_network_card_count cooling framework operating_system other_software_stack
"""
SYSTEM_FIELDS = dict.fromkeys(FIELDS_TO_FILL.split(), "filled in by the test")


def loadgen(folder: Path, scenario: str, mode: str, conf: dict[str, Any], round_: str, audit: str = "") -> None:
    """One LoadGen test in a process of its own."""
    (folder / "user.conf").write_text("".join(f"bert.{scenario}.{key} = {value}\n" for key, value in conf.items()))
    job = {"scenario": scenario, "mode": mode, "samples": SAMPLES, "seeds": dict(round_named(round_).seeds), "audit": audit}
    script = Path(__file__).with_name("quick_sut.py")
    done = subprocess.run([sys.executable, str(script), json.dumps(job)], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def write_run(
    folder: Path, scenario: str, mode: str, round_: str = "v6.1", conf: dict[str, Any] | None = None, system_id: str = SYSTEM_ID
) -> Path:
    """A complete run in `folder`, with everything that the harness leaves beside LoadGen's logs."""
    folder.mkdir(parents=True)
    system = f"{system_id}_OpenVINO_tiny"
    wanted = SETTINGS[scenario] if conf is None else conf
    if mode == "AccuracyOnly" and conf is None:
        wanted = {**wanted, **ACCURACY_SETTINGS.get(scenario, {})}
    loadgen(folder, scenario, mode, wanted, round_)
    spec = RunSpec(
        benchmark="bert",
        scenario=scenario,  # type: ignore[arg-type]
        test_mode=mode,  # type: ignore[arg-type]
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf="",
        engines=(EngineEntry("openvino", f"/engines/{ENGINE}", "fp32", NoOptions()),),
        devices=(DeviceEntry(0, "node 0", 0, (), 1, 1),),
        batch=BatchSettings(1, 0.0, 0.1),
        dataset=SequenceData("/data", SAMPLES, {"input_ids": "input_ids.npy"}, "lengths.npy", ("start", "end"), "int64"),
        seeds=dict(round_named(round_).seeds),
    )
    spec.write(folder / "run.json")
    log = read_detail(folder)
    extras = {"precision": "fp32", "system_id": system_id, "division_note": "open division only: the model is the tiny one"}
    name = f"{system}-custom_k_99_MaxP-{scenario}"
    runtime = ("openvino_version", "2026.1", "tiny", SAMPLES)
    identity = metadata.RunIdentity("bert-99", "bert", name, system, "a machine", scenario, mode, *runtime, extras)
    if mode == "AccuracyOnly":
        (folder / "accuracy.txt").write_text(json.dumps({"exact_match": 90.0, "f1": F1}) + "\n")
        content = metadata.accuracy_metadata(identity, log, [AccuracyResult("F1", F1, TARGET)], judge(log))
    else:
        content = metadata.performance_metadata(identity, log, judge(log))
    plan = {
        "benchmark": "bert",
        "scenario": scenario,
        "config_ver": "default",
        "values": {"precision": {"value": "fp32", "origin": "x"}},
    }
    engine = {"name": ENGINE, "model": {"file": "model.onnx", "sha256": "ab" * 32}, "settings": {"precision": "fp32"}}
    arguments = ["--action=run", "--benchmarks=bert", f"--scenarios={scenario}", "--max_query_count=1100"]
    provenance = {
        "schema": 1,
        "mode": mode,
        "arguments": arguments,
        "harness_version": "0.1.0",
        "commit": "abc1234",
        "plan": plan,
    }
    (folder / "provenance.json").write_text(json.dumps({**provenance, "engine": engine}))
    metadata.write_metadata(folder, content)
    return folder


def sealed(folder: Path, **changed: Any) -> Path:
    """The folder of a run whose files a test has changed, as if the run had left them so; `changed` are keys of its metadata.json."""
    content = json.loads((folder / "metadata.json").read_text())
    metadata.write_metadata(folder, {**content, **changed})
    return folder


def description() -> dict[str, Any]:
    """A complete description of the system, as `make add_system` and a person leave it."""
    from code.systems.data.description_fields import REQUIRED

    base = {name: "N/A" if name.startswith("accelerator") else "" for name in REQUIRED}
    numbers = {"number_of_nodes": 1, "host_processors_per_node": 1, "host_processor_core_count": 2, "accelerators_per_node": "0"}
    return {**base, **SYSTEM_FIELDS, **numbers, "system_name": SYSTEM_ID}


def run_folder(logs: Path, scenario: str, mode: str = "PerformanceOnly") -> Path:
    """The folder of one of the runs in `logs`."""
    name = scenario if mode == "PerformanceOnly" else f"{scenario}.2"
    return next(logs.glob(f"*/{SYSTEM_ID}/bert-99/{name}"))


def who(round_: str = "v6.1", division: str = "open", category: str = "edge", submitter: str = "Example") -> Identity:
    """A submitter."""
    return Identity(submitter, division, category, "available", round_named(round_))


def result(tree: Path, scenario: str = "Offline") -> Path:
    """The folder of one result in a tree of the 'inside' layout."""
    return tree / "open" / "Example" / "results" / SYSTEM / "bert-99" / scenario


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file; it must be there."""
    text = path.read_text()
    assert old in text, f"{old} is not in {path}"
    path.write_text(text.replace(old, new))


def edit_key(path: Path, key: str, new: object) -> None:
    """Give a key of a detail log another value."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        event = json.loads(line[len(":::MLLOG") :])
        if event["key"] == key:
            event["value"] = new
            lines[number] = ":::MLLOG " + json.dumps(event)
            break
    else:
        raise AssertionError(f"{key} is not in {path}")
    path.write_text("\n".join(lines) + "\n")
