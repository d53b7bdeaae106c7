"""Writes results of MLCommons endpoints' client by its schema (metrics/report.py, evaluation/, version 0.1.0), and a tree of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from code.benchmarks.llama3_1_8b.facts import NAME, REFERENCE, SAMPLES
from code.common.files import write_json
from code.rules.rounds import Round, round_named
from code.submission.stage.layout import Place
from tests.unit.submission import made
from tests.unit.submission.closed import SUBMITTER, ClosedTree

SYSTEM = "Example_GPUx1_Endpoint"
V61 = round_named("v6.1")
MEASURED = {
    "input_data_types": "int32",
    "retraining": "No",
    "starting_weights_filename": "Llama-3.1-8B-Instruct",
    "weight_data_types": "fp8",
    "weight_transformations": "quantised to fp8",
}
GIVEN = ("submitter", "division", "status", "system_type")
DESCRIBED = {name: value for name, value in made.description().items() if name not in GIVEN} | {"system_name": SYSTEM}
"""What submission.toml says of the system."""
PERCENTILES = ("50", "75", "80", "90", "95", "97", "99", "99.9")


def series(value: float) -> dict[str, Any]:
    """A metric's block."""
    return {
        "total": value * SAMPLES,
        **dict.fromkeys(("min", "max", "median", "avg"), value),
        "std_dev": 1.5,
        "percentiles": dict.fromkeys(PERCENTILES, value),
        "early_stopping_percentiles": dict.fromkeys(PERCENTILES, value + 1),
        "histogram": {"buckets": [[0, 1]], "counts": [1]},
    }


def config(kind: str, round_: Round = V61) -> dict[str, Any]:
    """config.yaml, as the client resolves it."""
    seeds = {"dataloader_random_seed": "sample_index_rng_seed", "scheduler_random_seed": "schedule_rng_seed"}
    load = (
        {"type": "max_throughput"} if kind == "offline" else {"type": "poisson", "target_qps": 20.0, "target_concurrency": None}
    )
    return {
        "name": "a run",
        "version": "1.0",
        "type": kind,
        "submission_ref": None,
        "benchmark_mode": None,
        "model_params": {"name": NAME, "streaming": "auto", "tokenizer_name": "/models/llama"},
        "settings": {
            "runtime": {"min_duration_ms": 600_000, **{ours: round_.seeds[name] for ours, name in seeds.items()}},
            "load_pattern": load,
        },
        "endpoint_config": {"endpoints": ["http://127.0.0.1:8000"], "api_key": None},
    }


def summary(kind: str) -> dict[str, Any]:
    """performance/result_summary.json."""
    tokens = {"ttft": {}, "tpot": {}} if kind == "offline" else {"ttft": series(4e8), "tpot": series(2e7)}
    return {
        "version": "0.1.0",
        "git_sha": "ea33275",
        "test_started_at": 0,
        "n_samples_issued": SAMPLES,
        "n_samples_completed": SAMPLES,
        "n_samples_failed": 0,
        "duration_ns": 668_400_000_000,
        "state": "complete",
        "complete": True,
        **tokens,
        "latency": series(3e9),
        "output_sequence_lengths": series(100),
        "input_sequence_lengths": series(900),
        "qps": 20.0,
        "tps": 2000.0,
        "run_config": {"load_pattern": {"type": "poisson"}},
    }


def accuracy() -> dict[str, Any]:
    """accuracy/accuracy_results.json of its ROUGE scorer."""
    keys = {"ROUGE1": "rouge1", "ROUGE2": "rouge2", "ROUGEL": "rougeL", "ROUGELSUM": "rougeLsum", "GEN_LEN": "gen_len"}
    entry = {
        "dataset_name": "articles",
        "extractor": "IdentityExtractor",
        "score": {**{key: str(REFERENCE[name]) for name, key in keys.items()}, "gen_num": SAMPLES},
        "unit_samples": SAMPLES,
        "num_repeats": 1,
        "total_samples": SAMPLES,
        "complete": True,
        "dataset_type": "accuracy",
        "response_counts": {"issued": SAMPLES, "completed": SAMPLES, "failed": 0},
    }
    return {"average_accuracy": None, "accuracy_scores": [entry]}


def write(folder: Path, kind: str = "online", round_: Round = V61) -> Path:
    """A good result in the client's report_dir; the client leaves more beside these three files, which nobody reads."""
    for name in ("performance", "accuracy"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config(kind, round_)))
    write_json(folder / "performance/result_summary.json", summary(kind))
    write_json(folder / "accuracy/accuracy_results.json", accuracy())
    (folder / "events.jsonl").write_text("{}\n")
    return folder


class EndpointTree(ClosedTree):
    """A closed tree of two results of Llama 3.1 8B that were measured at an endpoint."""

    def place(self, scenario: str = "Server") -> Place:
        """The place of one of the results."""
        return Place(self.division, SUBMITTER, SYSTEM, NAME, scenario)

    def result(self, scenario: str = "Server") -> Path:
        """The folder with accuracy/ and performance/."""
        return super().result(scenario)

    def measurements(self, scenario: str = "Server") -> Path:
        """The measurements JSON."""
        return super().measurements(scenario)


def tree(root: Path, round_name: str = "v6.1") -> EndpointTree:
    """Such a tree, in which nothing is wrong."""
    made_tree = EndpointTree(root, round_named(round_name))
    for scenario, kind in (("Server", "online"), ("Offline", "offline")):
        folder = write(made_tree.result(scenario), kind, made_tree.round)
        (folder / "events.jsonl").unlink()
        write_json(folder / "measurements.json", MEASURED)
        (folder / "README.md").write_text("# How\n")
    (made_tree.submitter / "src").mkdir()
    (made_tree.submitter / "src/main.py").write_text("print()\n")
    (made_tree.submitter / "documentation").mkdir()
    (made_tree.submitter / "documentation/calibration.md").write_text("# Calibration\n")
    described = {"submitter": SUBMITTER, "division": "closed", "status": "available", "system_type": "datacenter"}
    made_tree.system.parent.mkdir()
    made_tree.system.write_text(json.dumps({**made.description(), "system_name": SYSTEM, **described}))
    made_tree.record()
    return made_tree


def set_in(path: Path, keys: str, value: Any) -> None:
    """Give a key of a JSON or YAML file ('settings/runtime/min_duration_ms') another value; None drops it. It must be there."""
    text = path.read_text()
    content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    *parents, last = keys.split("/")
    place = content
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    assert last in place, f"{keys} is not in {path}"
    if value is None:
        del place[last]
    else:
        place[last] = value
    path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content))
