"""Command lines that workflow tools and vendors' scripts generate for bert, gptj and 3d-unet: each plans, none is refused.

What such a line says and this harness does not act on is named with its reason. The lines are made from the rules of those tools.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from code.fields.accepted import ACCEPTED
from code.fields.rows.others import ACCEPTED_OTHERS
from code.fields.table import field_table
from code.main import main
from configs import loading

SYSTEM = "--system=H100_SXM_80GBx8"
COMMON = (
    "--test_mode=PerformanceOnly --gpu_copy_streams=2 --gpu_inference_streams=2 --workspace_size=5368709120 --no_audit_verify"
)
EVERY = (
    f"{COMMON} --precision=int8 --input_format=linear --performance_sample_count=64 --use_graphs --use_deque_limit "
    "--deque_timeout_usec=100 --use_cuda_thread_per_device --run_infer_on_copy_streams --start_from_device --end_on_device "
    "--dla_batch_size=1 --dla_copy_streams=1 --dla_inference_streams=1 --max_dlas=0 --audio_batch_size=256 --disable_encoder_plugin "
    "--disable_beta1_smallk --graphs_max_seqlen=200 --num_issue_query_threads=2 --soft_drop=0.99 --use_small_tile_gemm_plugin "
    "--audio_buffer_num_lines=512 --use_fp8 --enable_sort --sdxl_batcher_time_limit True --num_sort_segments=2 --devices=0 "
    "--embedding_weights_on_gpu_part=0.7 --num_warmups=20 --skip_postprocess"
)
"""Every option that a workflow tool may append, whatever the benchmark."""
AUDIT = "--action=run_audit_harness --audit_attempts=1 --no_audit_verify"
BERT = f"--benchmarks=bert {COMMON} --gpu_batch_size=64 --use_graphs=true --graphs_max_seqlen=240 --use_small_tile_gemm_plugin"
GPTJ = f"--benchmarks=gptj {COMMON} --gpu_batch_size=32 --use_fp8 --enable_sort --num_sort_segments=2 --skip_postprocess"
UNET = f"--benchmarks=3d-unet {COMMON} --gpu_batch_size=8 --start_from_device --end_on_device --input_format=linear"
ORIN = "--dla_batch_size=16 --dla_copy_streams=1 --dla_inference_streams=1 --max_dlas=2 --gpu_only"

LINES = {
    "bert offline": f"--scenarios=offline {BERT} --offline_expected_qps=3000 --use_deque_limit --deque_timeout_usec=50000",
    "bert offline, accuracy": f"--scenarios=offline {BERT} --offline_expected_qps=3000".replace(
        "PerformanceOnly", "AccuracyOnly"
    ),
    "bert server": f"--scenarios=server {BERT} --server_target_qps=2500 --soft_drop=0.993 --use_deque_limit",
    "bert server, both rates": f"--scenarios=server {BERT} --offline_expected_qps=3000 --server_target_qps=2500",
    "bert server, threads": f"--scenarios=server {BERT} --server_target_qps=2500 --num_issue_query_threads=4 --devices=0",
    "bert singlestream": f"--scenarios=singlestream {BERT} --single_stream_expected_latency_ns=1700000",
    "bert multistream": f"--scenarios=multistream {BERT} --multi_stream_expected_latency_ns=3000000",
    "bert high accuracy": f"--scenarios=offline {BERT} --config_ver=high_accuracy --precision=fp16 --accuracy_target=.999",
    "bert high accuracy, triton": f"--scenarios=offline {BERT} --use_triton --config_ver=high_accuracy_triton",
    "bert triton, other order": f"--scenarios=server {BERT} --use_triton --config_ver=triton_high_accuracy",
    "bert maxq": f"--scenarios=offline {BERT} --config_ver=maxq --power_setting=MaxQ",
    "bert maxq high accuracy": f"--scenarios=server {BERT} --config_ver=maxq_high_accuracy --power_setting=MaxP",
    "bert network": f"--scenarios=offline {BERT} --config_ver=lon_node_maxq_high_accuracy_triton --use_triton",
    "bert, words of other benchmarks": (
        f"--scenarios=offline {BERT} --audio_batch_size=512 --disable_encoder_plugin --num_warmups=-1 --disable_beta1_smallk "
        "--embedding_weights_on_gpu_part=0.5 --sdxl_batcher_time_limit True --audio_buffer_num_lines=4096"
    ),
    "bert, words of other harnesses": (
        f"--scenarios=offline {BERT} --harness_type=custom --core_type=trtllm_executor --trtllm_server_urls=0.0.0.0:30000 "
        "--engine_dir=build/engines --gpu_indices=0,1 --force_build_engines --profile nsys --no_child_process --no_gpu"
    ),
    "bert, deque limit": f"--scenarios=server {BERT} --server_target_qps=2500 --use_deque_limit=False --use_cuda_thread_per_device",
    "bert on an Orin": f"--scenarios=offline {BERT} {ORIN}",
    "bert, one word after another": (
        f"--scenarios offline,server,singlestream {BERT} --config_ver default --offline_expected_qps 3000 --log_dir build/logs/x"
    ),
    "bert generate_engines": f"--action=generate_engines --scenarios=offline {BERT} --run_infer_on_copy_streams",
    "bert calibrate": "--action=calibrate --benchmarks=bert --scenarios=offline --force_calibration --calib_batch_size=1 --no_audit_verify",
    "bert cloud automation": (
        "--benchmarks=bert --scenarios=Offline,Server,SingleStream --config_ver=default --test_mode=PerformanceOnly --fast"
    ),
    "bert by its result name": f"--scenarios=Offline {BERT} --test_mode=PerformanceOnly".replace("=bert", "=bert-99"),
    "gptj offline": f"--scenarios=offline {GPTJ} --offline_expected_qps=20 --fp8_quant_model_path=build/models/x",
    "gptj server": f"--scenarios=server {GPTJ} --server_target_qps=19 --tensor_parallelism=1 --pipeline_parallelism=1",
    "gptj high accuracy": f"--scenarios=offline {GPTJ} --config_ver=high_accuracy --checkpoint_dir=build/models/y",
    "gptj singlestream": f"--scenarios=singlestream {GPTJ} --single_stream_expected_latency_ns=300000000",
    "gptj accuracy": f"--scenarios=offline {GPTJ}".replace("PerformanceOnly", "AccuracyMode"),
    "3d-unet offline": f"--scenarios=offline {UNET} --offline_expected_qps=54 --unet3d_sw_gaussian_patch_path=build/x.npy",
    "3d-unet high accuracy": f"--scenarios=offline {UNET} --config_ver=high_accuracy --performance_sample_count=43",
    "3d-unet singlestream": f"--scenarios=singlestream {UNET} --single_stream_expected_latency_ns=430000000 --use_graphs",
    "3d-unet cloud automation": (
        "--benchmarks=3d-unet --scenarios=Offline,Server,SingleStream --config_ver=default --test_mode=AccuracyOnly --fast"
    ),
    "bert, every option": f"--benchmarks=bert --scenarios=server --server_target_qps=90 --gpu_batch_size=bert:64 {EVERY}",
    "gptj, every option": f"--benchmarks=gptj --scenarios=offline --offline_expected_qps=9 --gpu_batch_size=gptj:14 {EVERY}",
    "3d-unet, every option": f"--benchmarks=3d-unet --scenarios=singlestream --gpu_batch_size=3d-unet:8 {EVERY}",
    "bert, every option, node of a network": (
        f"--benchmarks=bert --scenarios=offline --use_triton  --config_ver=lon_node_maxq_high_accuracy_triton {EVERY}"
    ),
    "gptj, flags by component": (
        "--benchmarks=gptj --scenarios=offline --trtllm_build_flags=tensor_parallelism:1,pipeline_parallelism:1 "
        "--trtllm_checkpoint_flags=kv_cache_dtype:fp8 --precision=float16 --gpu_batch_size=gptj:8 --no_audit_verify"
    ),
    "bert calibrate, every option": f"--action=calibrate --benchmarks=bert --scenarios=offline {EVERY}",
    "bert generate_engines, every option": f"--action=generate_engines --benchmarks=bert --scenarios=multistream {EVERY}",
    "gptj audit, TEST06": f"{AUDIT} --audit_test=TEST06 --benchmarks=gptj --scenarios=server {EVERY}",
    "3d-unet audit, TEST04": f"{AUDIT} --audit_test=TEST04 --benchmarks=3d-unet --scenarios=offline {EVERY}",
    "bert audit, TEST01": f"{AUDIT} --audit_test=TEST01 --benchmarks=bert --scenarios=singlestream {EVERY}",
    "bert, words of older rounds": (
        f"--scenarios=offline {BERT} --num_samples=100 --engine_file=x.plan --openvino_version=f2f281e6 --split_threshold=500 "
        "--gpu_engine_batch_size=64 --dla_engine_batch_size=1 --use_inflight_batching --use_rnnt_triton --configs=x --model_opt=NoOpt"
    ),
    "audit": "--action=run_audit_harness --benchmarks=bert --scenarios=offline --audit_test=TEST01 --server_target_qps_adj_factor=0.92",
}


@pytest.fixture(autouse=True)
def _own_configs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(loading.CUSTOM_ENVIRONMENT, raising=False)
    monkeypatch.delenv("ENGINE_DIR", raising=False)
    loading.forget()


def planned(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a line with --dry_run."""
    words = shlex.split(line)
    if not any(word.startswith("--action") for word in words):
        words.insert(0, "--action=run")
    status = main([*words, SYSTEM, "--dry_run"])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_generated_line_plans_and_says_what_it_does_not_use(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, out, err = planned(line, capsys)
    assert status == 0, err
    assert "error:" not in err and out.count("\n  LoadGen  ") >= 1
    given = {word[2:].partition("=")[0] for word in shlex.split(line) if word.startswith("--")}
    for name in given:
        field = field_table()[name]
        if field.name in ACCEPTED:
            assert f"{field.name} ({ACCEPTED[field.name]})" in err, name


def test_an_impossible_pair_costs_itself_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, out, err = planned("--benchmarks=bert,3d-unet --scenarios=offline,server", capsys)
    assert status == 0 and out.count("\n  LoadGen  ") == 3
    assert "3d-unet Server is not defined, and left out: MLPerf defines Offline, SingleStream for 3d-unet" in err


def test_a_scenario_of_other_benchmarks_costs_itself_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, out, err = planned("--benchmarks=bert --scenarios=Offline,Interactive", capsys)
    assert status == 0 and out.count("\n  LoadGen  ") == 1 and "bert Interactive is not defined, and left out" in err
    status, out, err = planned("--benchmarks=bert --scenarios=interactive", capsys)
    assert status == 2 and "bert has no Interactive scenario" in err and out == ""


def test_nothing_but_impossible_pairs_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, _, err = planned("--benchmarks=3d-unet --scenarios=server", capsys)
    assert status == 2 and "3d-unet has no Server scenario" in err and "Offline, SingleStream" in err


def test_a_benchmark_that_is_not_here_costs_itself_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, out, err = planned("--benchmarks=resnet50,bert --scenarios=offline", capsys)
    assert status == 0 and out.count("\n  LoadGen  ") == 1 and "resnet50 is not supported" in err
    status, _, err = planned("--benchmarks=resnet50 --scenarios=offline", capsys)
    assert status == 2 and "error: resnet50 is not supported" in err


@pytest.mark.parametrize(("word", "nearest"), [("--no_audit_verfy", "no_audit_verify"), ("--gpu_batchsize=3", "gpu_batch_size")])
def test_a_word_that_no_harness_knows_is_an_error_with_the_nearest(
    word: str, nearest: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, _, err = planned(f"--benchmarks=bert --scenarios=offline {word}", capsys)
    assert status == 2 and repr(nearest) in err


def test_options_for_other_scenarios_are_named_and_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    status, _, err = planned("--benchmarks=bert --scenarios=offline --server_target_qps=5 --num_beams=4", capsys)
    assert status == 0
    assert "server_target_qps (it is for Server)" in err and "num_beams (it is for gptj, llama3.1-8b, llama3.1-8b-edge)" in err


def test_what_a_version_gives_up_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    _, out, err = planned(
        "--benchmarks=bert --scenarios=offline --config_ver=lon_node_high_accuracy_maxq_triton --use_triton", capsys
    )
    assert "bert-99.9 Offline on" in out and "custom_k_99_9_MaxP" in out
    assert "runs as 'high_accuracy': H100_SXM_80GBx8 has no config for MaxQ" in err
    assert "lon_node is left out" in err and "use_triton" not in err


def test_an_option_for_another_action_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["code.main"])
    _, _, err = planned("--benchmarks=bert --scenarios=offline --no_audit_verify --trials=3", capsys)
    assert (
        "no_audit_verify is for run_audit_harness and submission, and run does not read it" in err and "trials is for tune" in err
    )


def test_every_word_of_other_harnesses_is_a_field_with_a_reason() -> None:
    assert len(ACCEPTED_OTHERS) > 100
    assert all(field_table()[name].type == "any" and reason for name, reason in ACCEPTED_OTHERS.items())


def test_every_public_field_of_the_newer_rounds_is_known(shared: Path) -> None:
    import json

    facts = json.loads((shared / "facts" / "config_fields_v5.json").read_text())
    own = {"benchmark", "scenario", "system", "help", "show_help", "benchmarks", "scenarios", "action", "audit_test"}
    later = {"config_dir", "system_name", "trtllm_build_flags", "trtllm_checkpoint_flags", "trtllm_runtime_flags"}
    names = set(facts["used"]) | {row["name"] or name for name, row in facts["declared"].items()}
    assert not {name for name in names - own - later if name not in field_table()}
