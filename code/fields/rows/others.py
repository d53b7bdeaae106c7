"""Words of other harnesses: options that their configs set and that their automation appends.

Names are those of public vendor harnesses of rounds v3.0 to v6.0. What nobody here acts on has its reason, which a run that sets it prints.
"""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.limits import PERCENT
from code.fields.rows.words import request, row

OTHERS = "Other harnesses"

ALIASES = {
    "devices": ("gpu_indices",),
    "force_build": ("force_build_engines",),
    "server_num_issue_query_threads": ("num_issue_query_threads",),
    "verbose_glog": ("glog_verbosity",),
}
"""Option → what other harnesses call it."""

OF_BENCHMARKS: dict[str, tuple[str, ...]] = {
    "dlrm": (
        *("compress_categorical_inputs", "enable_interleaved_top_mlp", "output_padding_granularity", "sample_partition_path"),
        *("embedding_weights_on_gpu_part", "embeddings_path", "embeddings_precision", "bot_mlp_precision", "top_mlp_precision"),
        *("final_linear_precision", "interaction_op_precision", "num_staging_threads", "num_staging_batches"),
        *("max_pairs_per_staging_thread", "gpu_num_bundles", "check_contiguity", "qsl_numa_override", "split_threshold"),
        *("bot_mlp_precision_override", "final_linear_precision_override"),
    ),
    "resnet50": ("gpu_res2res3_loop_count", "dla_loop_count", "use_plugin_conv1x1_instead_of_smallk"),
    "resnet50 and retinanet": ("disable_beta1_smallk",),
    "retinanet": ("nms_type", "use_nmsopt"),
    "rgat": ("rgat_buffer_size",),
    "rnnt": (
        *("audio_batch_size", "audio_buffer_num_lines", "audio_fp16_input", "dali_batches_issue_ahead", "dali_pipeline_depth"),
        *("disable_encoder_plugin", "max_seq_length", "nobatch_sorting", "noenable_audio_processing", "nopipelined_execution"),
        *("nouse_copy_kernel", "use_rnnt_triton"),
    ),
    "stable-diffusion-xl": ("batcher_time_limit", "sdxl_batcher_time_limit", "use_native_instance_norm"),
    "wan22-a14b": (
        *("attn_type", "cfg_size", "cpu_offload_stride", "disable_parallel_vae", "dp_size", "enable_visual_gen_cpu_offload"),
        *("guidance_scale", "guidance_scale_2", "height", "width", "linear_type", "num_frames", "num_inference_steps"),
        *("prompt_file", "ulysses_size"),
    ),
    "whisper": ("whisper_decoder_build_flags", "whisper_encoder_build_flags"),
    "qwen3-vl-235b-a22b": (
        *("enable_trace", "frontend_enable_numa_binding", "max_concurrency", "model_repo_id", "model_revision"),
        *("num_warmup_requests_per_vllm_instance", "omp_num_threads", "test_scenario", "tokio_worker_threads", "use_http_client"),
        *("vllm_cli", "vllm_dyn_log", "vllm_enable_numa_binding", "vllm_flashinfer_moe_backend"),
        *("vllm_flashinfer_workspace_buffer_size", "vllm_logging_level", "vllm_mm_encoder_fp8_attn"),
        *("vllm_use_flashinfer_moe_fp4", "vllm_use_flashinfer_sampler", "vllm_use_triton_pos_embed"),
    ),
}
"""A benchmark that this harness does not have → the options that belong to it alone."""

REASONS: dict[str, tuple[str, ...]] = {
    "it configures an LLM server, which this harness does not start": (
        *(
            "capture_server_logs_dir",
            "core_type",
            "dynamo_cluster",
            "enable_metrics",
            "readiness_timeout",
            "server_in_foreground",
        ),
        *("traffic_distribution_policy", "trtllm_disagg_config_path", "trtllm_server_urls"),
    ),
    "it configures several Triton servers; here one is started, or named with triton_url": (
        *("triton_num_clients_per_frontend", "triton_num_clients_per_server", "triton_num_frontends_per_model"),
        *("triton_num_models_per_server", "triton_num_servers", "triton_server_urls", "triton_skip_server_spawn"),
        *("triton_verbose_frontend",),
    ),
    "it sets Jetson hardware, which this harness does not run on": (
        "gpu_only",
        "no_gpu",
        "device_types",
        "dla_engine_batch_size",
    ),
    "it compiles for AWS Inferentia, which this harness has no backend for": (
        *("inferentia_compiled_model_batch_size", "inferentia_compiled_model_framework", "inferentia_neuron_core_count"),
        *("inferentia_request_batch_size", "inferentia_threads_per_core", "use_inferentia"),
    ),
    "it configures the OpenVINO backend of NVIDIA's harness; here cpu_batch_size and cpu_inference_streams do": (
        *("batch_size", "model_name", "num_instances", "openvino_version", "ov_parameters", "use_cpu"),
    ),
    "it quantises by TensorRT Model Optimizer; here `make calibrate` writes the quantised graph": (
        *("fp8_quant_model_path", "llm_quantizer_outdir", "quantizer_lib_path_override", "quantizer_outdir"),
    ),
    "it names a TensorRT-LLM checkpoint; model_path names the model": ("checkpoint_dir",),
    "TensorRT-LLM is imported from the Python environment": ("trtllm_lib_path",),
    "experts are divided in mixture-of-experts models only": ("moe_expert_parallelism",),
    "the tokeniser is the model's own": ("harness_use_hf_tokenizer",),
    "LoadGen measures the times of tokens": ("enable_ttft_latency_tracker",),
    "progress is shown on a terminal only": ("disable_progress_display", "show_steady_state_progress"),
    "warm-up is set in seconds, by warmup_duration": ("num_warmups", "warmup_iterations"),
    "answers are always post-processed, because accuracy is scored from them": ("skip_postprocess",),
    "the layout of a tensor is TensorRT's choice": ("enable_interleaved",),
    "the ONNX graph defines it": ("skip_graphsurgeon", "strongly_typed"),
    "calibration samples are taken from the benchmark's own data set": ("calib_data_dir",),
    "an engine is always built in the process of the action": ("no_child_process",),
    "no profiler is started; run the command below yours, as in `nsys profile make run_harness RUN_ARGS=…`": (
        "profile",
        "profiler",
    ),
    "--harness_lang=python selects the Python harness": ("py_harness",),
    "a query of Offline has as many samples as its duration needs, which LoadGen computes": ("offline_samples_per_query",),
    "all devices share one sample library": ("use_single_qsl",),
    "--devices selects GPUs, and each uses the cores near it": ("gpu_rank_map",),
    "power is measured where --power asks for it (documentation/power.md)": ("enable_power_meter", "use_power_meter"),
    "results are written below log_dir": ("results_dir",),
    "engines are searched in engine_dir by what made them": ("engine_file",),
    "an engine is built for gpu_batch_size": ("gpu_engine_batch_size",),
    "an accuracy run scores the whole data set; test_query_count shortens a run": ("num_samples",),
    "config files are searched in config_dir; --system and --config_ver choose among them": ("configs",),
    "TensorRT-LLM batches requests in flight by itself": ("use_inflight_batching",),
    "a config that is registered for a changed model is a variant, which --config_suffix chooses": ("model_opt",),
}
"""Why an option is not used → the options."""

ACCEPTED_OTHERS: dict[str, str] = {
    **{
        name: f"it is for {benchmark}, which this harness does not have"
        for benchmark, names in OF_BENCHMARKS.items()
        for name in names
    },
    **{name: reason for reason, names in REASONS.items() for name in names},
}
"""Option → why it changes nothing."""

_BENCHMARK_OF = {name: benchmark for benchmark, names in OF_BENCHMARKS.items() for name in names}


def _help(name: str) -> str:
    return f"An option of other harnesses{', for ' + _BENCHMARK_OF[name] if name in _BENCHMARK_OF else ''}."


ROWS: tuple[Field, ...] = (
    request(
        "harness_type",
        "str",
        "Config version by its parts: the harness.",
        choices=("auto", "custom", "lwis", "triton", "triton_unified", "hetero"),
    ),
    request("accuracy_target", "float", "Config version by its parts: 0.99 or 0.999 of the reference accuracy.", limits=PERCENT),
    request("power_setting", "str", "Config version by its parts: MaxP or MaxQ.", choices=("MaxP", "MaxQ")),
    request(
        "no_audit_verify",
        "bool",
        "run_audit_harness: run the audit tests without verifying them; run_audit_verification does that later.",
        default=False,
    ),
    request("engine_dir", "str", "Directory of engines; default: build/engines."),
    *(row(OTHERS, name, "any", _help(name)) for name in ACCEPTED_OTHERS),
)
