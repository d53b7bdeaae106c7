"""Configs as the text of files: classes, or EXPORTS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MODULES: dict[str, tuple[str, ...]] = {
    "code.fields.gen_engines": (
        *("active_sms", "cache_file", "calib_batch_size", "calib_data_dir", "calib_data_map", "calib_max_batches"),
        *("force_calibration", "workspace_size"),
    ),
    "code.fields.triton": (
        *("batch_triton_requests", "buffer_manager_thread_count", "dla_num_batchers", "dla_num_issuers"),
        *("gather_kernel_buffer_threshold", "instance_group_count", "max_queue_delay_usec", "num_concurrent_batchers"),
        *("num_concurrent_issuers", "output_pinned_memory", "preferred_batch_size", "request_timeout_usec"),
        *("use_concurrent_harness", "use_triton"),
    ),
    "code.bert.tensorrt.fields": ("bert_opt_seqlen", "use_small_tile_gemm_plugin"),
    "code.fields.harness": (
        *("assume_contiguous", "coalesced_tensor", "complete_threads", "deque_timeout_usec", "dla_copy_streams"),
        *("dla_inference_streams", "end_on_device", "gpu_copy_streams", "gpu_inference_streams", "map_path", "max_dlas"),
        *("numa_config", "run_infer_on_copy_streams", "server_num_issue_query_threads", "start_from_device", "tensor_path"),
        *("use_batcher_thread_per_device", "use_cuda_thread_per_device", "use_deque_limit", "use_direct_host_access"),
        *("use_graphs", "use_jemalloc", "use_same_context", "use_spin_wait", "vboost_slider", "warmup_duration"),
    ),
    "code.fields.models": (
        *("dla_batch_size", "dla_core", "energy_aware_kernels", "gpu_batch_size", "input_dtype", "input_format", "model_path"),
        *("precision", "use_fp8"),
    ),
    "code.llmlib.fields": (
        *("enable_sort", "llm_gen_config_path", "pipeline_parallelism", "tensor_parallelism", "trtllm_build_flags"),
        *("trtllm_checkpoint_flags", "trtllm_runtime_flags", "use_token_latencies", "warmup_iterations"),
        "moe_expert_parallelism",
    ),
    "code.fields.loadgen": (
        *("accuracy_log_rng_seed", "disable_log_copy_summary_to_stdout", "log_copy_detail_to_stdout", "log_enable_trace"),
        *("log_mode", "log_mode_async_poll_interval_ms", "logfile_prefix_with_datetime", "logfile_suffix", "max_duration"),
        *("max_query_count", "min_duration", "min_query_count", "mlperf_conf_path", "multi_stream_expected_latency_ns"),
        *("multi_stream_samples_per_query", "multi_stream_target_latency_percentile", "offline_expected_qps"),
        *("performance_sample_count", "performance_sample_count_override", "qsl_rng_seed", "sample_index_rng_seed"),
        *("schedule_rng_seed", "server_target_latency_ns", "server_target_latency_percentile", "server_target_qps"),
        *("server_target_qps_adj_factor", "single_stream_expected_latency_ns", "single_stream_target_latency_percentile"),
        "user_conf_path",
    ),
    "code.fields.power": (
        *("cpu_freq", "orin_num_cores", "orin_skip_maxq_reset", "power_limit", "soc_cpu_freq", "soc_dla_freq", "soc_emc_freq"),
        *("soc_gpu_freq", "soc_pva_freq"),
    ),
    "code.fields.general": ("data_dir", "log_dir", "preprocessed_data_dir", "verbose", "verbose_nvtx"),
}
"""Module of the newer layout → its fields, as other harnesses of v5.1 and v6.0 have them."""

ALIASES = {
    "code.bert.tensorrt.fields": "bert_fields",
    "code.llmlib.fields": "llm_fields",
    "code.fields.models": "model_fields",
}
MODULE_OF = {name: module for module, names in MODULES.items() for name in names}
REST = "code.fields.harness"
"""The module that fields of this project alone are written with."""
TARGETS = {"k_99": "0.99", "k_99_9": "0.999"}

HEAD = '''\
"""Configs of {benchmark}, {scenario}, converted from the {layout} layout."""
'''


def alias(module: str) -> str:
    """'code.fields.loadgen' → 'loadgen_fields'."""
    return ALIASES.get(module) or f"{module.rsplit('.', 1)[1]}_fields"


def exports_text(configs: Sequence[Mapping[str, Any]]) -> str:
    """A file of the newer layout for one system's configs of one workload."""
    used = sorted({MODULE_OF.get(name, REST) for config in configs for name in config["values"]})
    first = configs[0]
    lines = [HEAD.format(benchmark=first["benchmark"], scenario=first["scenario"], layout="class")]
    lines += ["import code.common.constants as C", *(f"import {module} as {alias(module)}" for module in used), "", "EXPORTS = {"]
    for config in configs:
        harness, target, power = config["setting"]
        lines.append(
            f"    C.WorkloadSetting(C.HarnessType.{harness}, C.AccuracyTarget({TARGETS[target]}), C.PowerSetting.{power}): {{"
        )
        for name, value in config["values"].items():
            lines.append(f"        {alias(MODULE_OF.get(name, REST))}.{name}: {value!r},")
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def classes_text(configs: Sequence[Mapping[str, Any]], member: str) -> str:
    """A file of classes for the configs of one workload.

    Args:
        member: the benchmark's member of `Benchmark`.
    """
    first = configs[0]
    benchmark, scenario = first["benchmark"], first["scenario"]
    lines = [HEAD.format(benchmark=benchmark, scenario=scenario, layout="newer"), "from configs.configuration import *", ""]
    lines += ["", f"class {scenario}BaseConfig(BenchmarkConfiguration):", f"    benchmark = Benchmark.{member}"]
    lines += [f"    scenario = Scenario.{scenario}", ""]
    names: dict[str, int] = {}
    for config in configs:
        harness, target, power = config["setting"]
        suffix = f', "{config["suffix"]}"' if config["suffix"] else ""
        name = class_name(config)
        names[name] = names.get(name, 0) + 1
        name = name if names[name] == 1 else f"{name}_{names[name]}"
        lines += ["", f"@ConfigRegistry.register(HarnessType.{harness}, AccuracyTarget.{target}, PowerSetting.{power}{suffix})"]
        lines += [f"class {name}({scenario}BaseConfig):", f"    system = KnownSystem.{system_name(config)}"]
        lines += [f"    {field} = {value!r}" for field, value in config["values"].items()]
        lines.append("")
    return "\n".join(lines)


def system_name(config: Mapping[str, Any]) -> str:
    """The name of a config's system as an identifier."""
    return str(config["known"]) or identifier(config["system"])


def identifier(text: str) -> str:
    """Text as a Python identifier."""
    name = re.sub(r"\W", "_", text)
    return name if name.isidentifier() else f"_{name}"


def class_name(config: Mapping[str, Any]) -> str:
    """The name of a config's class, which tells its setting."""
    harness, target, power = config["setting"]
    words = [
        system_name(config).lstrip("_") if config["known"] else f"System_{system_name(config)}".replace("System__", "System_")
    ]
    words += [] if harness == "Custom" else [harness]
    words += ["HighAccuracy"] if target == "k_99_9" else []
    words += [power] if power != "MaxP" else []
    words += [identifier(config["suffix"])] if config["suffix"] else []
    return "_".join(words)
