"""`make run` of GPT-J as a user runs it: the tiny model in every scenario, greedy search, and real articles by fields alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.in_process import called
from tests.e2e.test_run_bert import COLD, make, results

pytestmark = pytest.mark.e2e
SCENARIOS = ("Offline", "Server", "SingleStream")
QUICK = f"--test_query_count=10 --offline_expected_qps=10 {COLD}"
ARTICLES = "data/cnndm/cnn_dailymail_v3_validation_first64.csv"


@pytest.fixture(scope="module")
def short(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    logs = tmp_path_factory.mktemp("logs")
    given = f"--offline_expected_qps=10 --server_target_qps=5 {COLD}"  # SingleStream's latency is measured first
    arguments = f"--benchmarks=gptj --scenarios=offline,server,singlestream --test_query_count=10 {given}"
    return logs, make(project, "run", arguments, LOG_DIR=str(logs))


def test_every_scenario_ends_with_a_result_and_a_table(short: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    logs, done = short
    assert done.returncode == 0, done.stderr
    assert {r["scenario"] for r in results(logs)} == set(SCENARIOS)
    table = done.stdout[done.stdout.index("Results") :]
    assert all(name in table for name in SCENARIOS)


def test_a_short_run_is_short_and_says_it_is_for_the_open_division(short: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for result in results(short[0]):
        assert "open division" in result["division_note"] and "a shortened run" in result["division_note"]
        assert result["model_variant"] == "tiny" and "OpenVINOGenAI" in result["system_name"]
        if result["scenario"] != "SingleStream":
            assert any(key.endswith("tokens_per_second") and result[key] > 0 for key in result)
    for log in short[0].rglob("batches.npy"):
        assert 10 <= len(np.load(log)) <= 64
        texts = np.load(log.with_name("texts.npy"))
        assert len(texts) == len(np.load(log)) == np.load(log.with_name("latencies.npy"))[:, 1].sum()
        assert (texts[:, 0] <= texts[:, 2]).all() and (texts[:, 3] >= 1).all()


@pytest.mark.full
def test_offlines_rate_is_measured_first(project: Path, tmp_path: Path) -> None:
    """As for a user. tests/unit/test_generation_run.py measures what takes no time."""
    done = make(project, "run", f"--benchmarks=gptj --scenarios=offline --test_query_count=10 {COLD}", LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert found["scenario"] == "Offline" and any(key.endswith("tokens_per_second") and found[key] > 0 for key in found)


@pytest.mark.full
def test_an_accuracy_run_of_real_articles_by_fields_alone(shared: Path, project: Path, tmp_path: Path) -> None:
    """The tiny network with GPT-2's 50,257 tokens: what it says is noise, and every step but its weights is the real one."""
    model = widened(project / "code/benchmarks/gptj/tiny/model", tmp_path / "model", 50_400, 50_256)
    arguments = (
        f"--benchmarks=gptj --scenarios=offline --test_mode=AccuracyOnly --cnndm_source={shared / ARTICLES} --model_path={model} "
        f"--vocab_path={shared / 'data/gpt2_bpe'} --num_beams=2 --min_new_tokens=4 --max_new_tokens=8 --accuracy_reference=0.0"
    )
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path / "logs"))
    assert done.returncode == 0, done.stderr
    (result,) = results(tmp_path / "logs")
    (log,) = (tmp_path / "logs").rglob("mlperf_log_accuracy.json")
    texts, samples = decoded(log, shared)
    assert sorted(texts) == list(range(64))
    from tests.unit.test_gptj_accuracy import reference_steps

    expected = reference_steps([texts[index] for index in range(64)], [sample.highlights for sample in samples])
    found = json.loads((log.parent / "accuracy.json").read_text())
    assert (found["ROUGE1"], found["ROUGELSUM"], found["GEN_LEN"]) == (
        expected["ROUGE1"],
        expected["ROUGELSUM"],
        expected["GEN_LEN"],
    )
    assert result["model_variant"] == "custom" and "num_beams is 2" in result["division_note"]


def widened(source: Path, target: Path, entries: int, end: int) -> Path:
    """The tiny model with `entries` tokens: rows of its embedding and its head repeated."""
    import openvino
    from openvino import opset13

    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    old = config["vocab_size"]
    core = openvino.Core()
    network = core.read_model(str(source / "openvino/openvino_model.xml"))
    for node in network.get_ops():
        if node.get_type_name() == "Constant" and old in list(node.get_output_shape(0)):
            data = np.asarray(node.data)
            axis = data.shape.index(old)
            repeated = np.take(data, np.arange(entries) % old, axis=axis)
            node.output(0).replace(opset13.constant(repeated).output(0))
    network.validate_nodes_and_infer_types()
    openvino.save_model(network, str(target / "openvino/openvino_model.xml"), compress_to_fp16=False)
    (target / "model.safetensors").unlink()
    (target / "config.json").write_text(json.dumps({**config, "vocab_size": entries, "eos_token_id": end}))
    return target


def decoded(log: Path, shared: Path) -> tuple[dict[int, str], list[Any]]:
    from code.benchmarks.gptj import bpe, cnndm
    from code.benchmarks.text import rouge

    vocabulary = bpe.read(shared / "data/gpt2_bpe")
    found = {entry["qsl_idx"]: np.frombuffer(bytes.fromhex(entry["data"]), dtype="<i4") for entry in json.loads(log.read_text())}
    texts = {
        index: rouge.tidied(text)
        for index, text in zip(found, vocabulary.decode([t.tolist() for t in found.values()]), strict=True)
    }
    return texts, cnndm.from_file(shared / ARTICLES)


def test_greedy_search_is_an_open_division_run_and_says_so(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the reference's variable, which is the same as the field (tests/compat/test_exports.py)."""
    monkeypatch.setenv("GPTJ_BEAM_SIZE", "1")
    done = make(project, "run", f"--benchmarks=gptj --scenarios=offline {QUICK}", LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "open division only: num_beams is 1" in done.stderr
    (result,) = results(tmp_path)
    assert "num_beams is 1" in result["division_note"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("--backend=openvino", 2, "openvino does not generate text"),
        ("--vocab_path={shared}/data/gpt2_bpe", 2, "is the wrong tokenizer for"),
        ("--max_new_tokens=2000", 2, "is over the limit"),
        ("--cnndm_source={tmp}/empty.csv", 2, "empty article"),
        ("--model_path={tmp}/none", 3, "gptj's model does not exist"),
        ("--precision=fp8", 2, "does not support fp8"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: str, status: int, words: str, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("article,highlights\n ,b\n")
    options = arguments.format(shared=shared, tmp=tmp_path).split()
    command = ("--action=run", "--benchmarks=gptj", "--scenarios=offline", *QUICK.split())
    done = called(*command, *options, f"--log_dir={tmp_path}")
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (status, True, False), done.stderr
    assert done.stderr.count("error: ") == 1 and "next:" in done.stderr
