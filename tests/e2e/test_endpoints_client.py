"""MLCommons endpoints' real client measures our server, and its result is staged and judged by the official checker.

The client needs Python 3.12 and an environment of its own: MLPERF_ENDPOINTS_CLIENT names its command `inference-endpoint`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from code.benchmarks.llama3_1_8b import facts, tiny
from code.benchmarks.llama3_1_8b.prompt import prompt
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text import cnndm
from code.common.errors import HarnessError
from code.machine.detect import detect
from code.rules.rounds import CURRENT, round_named
from code.submission.stage import endpoint
from code.systems.matching import match
from tests.e2e.test_submission import WHO, harness
from tests.owned import owned
from tests.unit.submission import made

CLIENT, CHECKER = "MLPERF_ENDPOINTS_CLIENT", "MLPERF_INFERENCE_DIR"
MEASURED = """
[measurements]
input_data_types = "int32"
retraining = "Yes: the harness's own tiny model"
starting_weights_filename = "model.safetensors"
weight_data_types = "fp32"
weight_transformations = "compiled by OpenVINO GenAI"
model_variant = "tiny"
"""
RATE = 30
"""Requests a second of `online`: 700 are measured and 13,368 scored, which takes eight minutes. A loaded machine keeps this rate."""
EVALUATE = """
import nltk
from rouge_score import rouge_scorer

nltk.sent_tokenize = str.splitlines


class Rouge:
    def compute(self, predictions, references, **_):
        kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
        scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
        found = [scorer.score(reference, text) for reference, text in zip(references, predictions, strict=True)]
        return {kind: [one[kind].fmeasure for one in found] for kind in kinds}


def load(name):
    assert name == "rouge"
    return Rouge()
"""
"""In place of what the client's scorer would download: the metric ROUGE around the package rouge_score, and NLTK's model of sentences."""

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.long, pytest.mark.official, pytest.mark.timeout(3600)]


@pytest.fixture
def client() -> Path:
    """The client's command."""
    pytest.importorskip("jinja2", reason="the server needs a chat template: make packages_chat")
    named = os.environ.get(CLIENT, "")
    if not named or not Path(named).is_file():
        pytest.skip(
            f"{CLIENT} names no command inference-endpoint; for one: python3.12 -m venv V; "
            "V/bin/pip install nltk rouge_score git+https://github.com/mlcommons/endpoints; then "
            f"{CLIENT}=V/bin/inference-endpoint {CHECKER}=… make test_full"
        )
    if not (Path(os.environ.get(CHECKER, "")) / CURRENT.script).is_file():
        pytest.skip(f"{CHECKER} names no mlcommons/inference checkout")
    return Path(named)


@pytest.fixture
def server(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Iterator[str]:
    """The address of our server with the tiny model of a benchmark."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"--benchmarks={request.param} --scenarios=offline --server_port={port}"
    log = tmp_path / "server.txt"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPINF_", "MAKE", "MFLAGS"))}
    with log.open("w") as out:
        command = ["make", "-C", str(project), "run_llm_server", f"RUN_ARGS={words}"]
        process = owned(command, stdout=out, stderr=out, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def articles(folder: Path, count: int) -> Path:
    """Generated articles as the client reads them: a prompt and its highlights in each line."""
    _, path = record.evaluation_set(tiny.MODEL, folder, count)
    lines = [json.dumps({"prompt": prompt(one.article), "highlights": one.highlights}) for one in cnndm.read(path, facts.NAME)]
    (folder / "articles.jsonl").write_text("\n".join(lines[:count]) + "\n")
    return folder / "articles.jsonl"


def config(kind: str, address: str, path: Path, samples: int, report: Path) -> dict[str, object]:
    """The client's config: the round's seeds, the whole set for accuracy, and a count that ends the measurement early."""
    seeds = {ours: round_named("v6.1").seeds[name] for ours, name in endpoint.SEEDS.items()}
    load = {"type": "max_throughput"} if kind == "offline" else {"type": "poisson", "target_qps": RATE}
    scored = {"eval_method": "rouge", "ground_truth": "highlights", "extractor": "identity_extractor", "num_repeats": 1}
    common = {"path": str(path), "samples": samples}
    return {
        "name": "tiny",
        "version": "1.0",
        "type": kind,
        "model_params": {
            "name": facts.NAME if kind == "online" else facts.EDGE_NAME,
            "tokenizer_name": str(tiny.MODEL),
            "temperature": 0.0,
            "max_new_tokens": 128,
            "streaming": "on" if kind == "online" else "off",
        },
        "datasets": [
            {"name": "measured", "type": "performance", **common},
            {"name": "scored", "type": "accuracy", "accuracy_config": scored, **common},
        ],
        "settings": {
            "runtime": {"min_duration_ms": 600_000, "n_samples_to_issue": 700 if kind == "online" else 64, **seeds},
            "load_pattern": load,
            "client": {"num_workers": 1, "max_connections": 64},
            "service_ready_timeout_s": 300,
        },
        "endpoint_config": {"endpoints": [address], "api_key": None},
        "report_dir": str(report),
    }


@pytest.mark.parametrize(
    ("server", "benchmark", "kind", "samples"),
    [
        (facts.EDGE_NAME, facts.EDGE_NAME, "offline", facts.EDGE_SAMPLES),
        (facts.NAME, facts.NAME, "online", facts.SAMPLES),
    ],
    indirect=["server"],
)
def test_its_result_is_staged_and_the_official_checker_takes_it(
    client: Path, server: str, benchmark: str, kind: str, samples: int, project: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    settings = tmp_path / "client.yaml"
    settings.write_text(yaml.safe_dump(config(kind, server, articles(tmp_path, samples), samples, report)))
    (tmp_path / "stand-ins").mkdir()
    (tmp_path / "stand-ins/evaluate.py").write_text(EVALUATE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "stand-ins"), "HF_HUB_OFFLINE": "1", "PYTHONNOUSERSITE": "1"}
    command = [str(client), "benchmark", "from-config", "--config", str(settings), "--mode", "both"]
    with (tmp_path / "client.txt").open("w+") as log:
        process = owned(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            status = process.wait(timeout=3000)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers and services, too
    assert status == 0, (tmp_path / "client.txt").read_text()[-6000:]
    read, faults = endpoint.read(report)
    assert faults == [] and read.scored_samples == samples and read.summary["n_samples_failed"] == 0
    assert float(read.score["rouge1"]) > 50, "the tiny model's summaries, as in its own record"
    try:
        system = match(detect()).system_id
    except HarnessError as error:
        pytest.skip(f"this machine matches no known system: {error.what}")
    lines = [f"{name} = {json.dumps(value)}" for name, value in made.SYSTEM_FIELDS.items()]
    (tmp_path / "submission.toml").write_text("[system]\n" + "\n".join(lines) + "\n" + MEASURED)
    words = [word for word in WHO if "category" not in word]
    words.append(f"--category={'edge' if benchmark == facts.EDGE_NAME else 'datacenter'}")
    told = [f"--endpoint_results={report}", f"--submission_file={tmp_path / 'submission.toml'}"]
    done = harness(project, tmp_path / "build", "stage_results", *told, *words)
    assert done.returncode == 0, done.stderr
    scenario = {"offline": "Offline", "online": "Server"}[kind]
    place = tmp_path / "build/submission/open/Example/results" / f"{system}_Endpoint" / benchmark / scenario
    assert (place / endpoint.SUMMARY).read_bytes() == (report / endpoint.SUMMARY).read_bytes()
    assert "The model is the tiny one" in (place / "README.md").read_text()
    done = harness(project, tmp_path / "build", "check_submission", **{CHECKER: os.environ[CHECKER]})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Official checker" in done.stdout and f"/{benchmark}/{scenario}" in done.stdout
