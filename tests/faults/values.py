"""Rows: values that no option takes, from the command line, the environment and config classes alike."""

from __future__ import annotations

from tests.faults.rows import Fault

SERVER = ("--action=run", "--benchmarks=bert", "--scenarios=server", "--system=A100_SXM4_40GBx8")
OFFLINE = ("--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8")
SINGLE = ("--action=run", "--benchmarks=bert", "--scenarios=singlestream", "--system=CPU_x86_64")
MULTI = ("--action=run", "--benchmarks=bert", "--scenarios=multistream", "--system=CPU_x86_64")
VOLUMES = ("--action=run", "--benchmarks=3d-unet", "--scenarios=offline", "--system=CPU_x86_64")

BAD: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (OFFLINE, "cpu_inference_streams", "-1"),
    (OFFLINE, "cpu_inference_streams", "1e9"),
    (OFFLINE, "gpu_inference_streams", "-1"),
    (OFFLINE, "gpu_batch_size", "0"),
    (OFFLINE, "gpu_batch_size", "{'bert': -1}"),
    (OFFLINE, "batch_padding", "nan"),
    (OFFLINE, "batch_padding", "-0.1"),
    (OFFLINE, "batch_padding", "2"),
    (MULTI, "multi_stream_samples_per_query", "0"),
    (MULTI, "multi_stream_samples_per_query", "-8"),
    (SERVER, "server_target_qps", "inf"),
    (SERVER, "server_target_qps", "nan"),
    (SERVER, "server_target_qps", "-1"),
    (SERVER, "server_target_qps", "1e400"),
    (SERVER, "server_target_latency_ns", "-1"),
    (SERVER, "server_target_latency_percentile", "0"),
    (SERVER, "server_target_latency_percentile", "100"),
    (SERVER, "server_target_latency_percentile", "200"),
    (SERVER, "server_target_latency_percentile", "-2"),
    (OFFLINE, "offline_expected_qps", "inf"),
    (OFFLINE, "min_duration", "-1"),
    (OFFLINE, "min_duration", "1e30"),
    (OFFLINE, "min_duration", "9223372036854"),
    (OFFLINE, "max_duration", "604800001"),
    (OFFLINE, "log_mode_async_poll_interval_ms", "0"),
    (OFFLINE, "min_query_count", "-5"),
    (OFFLINE, "warmup_duration", "inf"),
    (OFFLINE, "warmup_duration", "-1"),
    (OFFLINE, "qsl_rng_seed", "-1"),
    (OFFLINE, "qsl_rng_seed", "18446744073709551616"),
    (OFFLINE, "test_query_count", "0"),
    (OFFLINE, "test_query_count", "-3"),
    (OFFLINE, "performance_sample_count_override", "9" * 400),
    (OFFLINE, "deque_timeout_usec", "-1"),
    (OFFLINE, "trials", "0"),
    (OFFLINE, "tune_duration", "nan"),
)

COMMAND_LINE = tuple(
    Fault(f"command line: {name}={text[:24]}", (*words, f"--{name}={text}"), 2, (name, "from ")) for words, name, text in BAD
)
ENVIRONMENT = tuple(
    Fault(f"environment: {name}={text[:24]}", words, 2, (name, "from "), {f"MLPINF_{name.upper()}": text})
    for words, name, text in BAD
)

TOGETHER = (
    Fault(
        "a minimum above its maximum: duration",
        (*OFFLINE, "--min_duration=600000", "--max_duration=1000"),
        2,
        ("min_duration is 600,000", "max_duration"),
    ),
    Fault(
        "a minimum above its maximum: queries",
        (*SERVER, "--min_query_count=1000", "--max_query_count=10"),
        2,
        ("min_query_count is 1,000", "max_query_count"),
    ),
    Fault(
        "a minimum above its maximum, from the environment",
        (*OFFLINE, "--min_duration=600000"),
        2,
        ("min_duration is 600,000",),
        {"MLPINF_MAX_DURATION": "1000"},
    ),
    Fault(
        "a percentile of one",
        (*SERVER, "--server_target_latency_percentile=1"),
        2,
        ("server_target_latency_percentile cannot be 1", "100 %"),
    ),
    Fault("more samples than memory", (*OFFLINE, "--offline_expected_qps=1e12"), 2, ("offline_expected_qps", "6e+14 samples")),
    Fault(
        "more queries than memory", (*SERVER, "--min_query_count=9007199254740992"), 2, ("min_query_count", "9.01e+15 samples")
    ),
    Fault(
        "a latency of a nanosecond",
        (*SINGLE, "--single_stream_expected_latency_ns=1", "--min_duration=600000"),
        2,
        ("single_stream_expected_latency_ns", "1.2e+12 samples"),
    ),
    Fault(
        "queries of a million samples",
        (*MULTI, "--multi_stream_samples_per_query=1048576", "--min_query_count=1000000"),
        2,
        ("samples",),
    ),
    Fault("a rate that never ends", (*SERVER, "--server_target_qps=1e-9", "--min_query_count=100"), 2, ("takes 1,157,407 days",)),
    Fault("a rate of zero", (*SERVER, "--server_target_qps=0"), 2, ("server_target_qps is 0",)),
    Fault("a bound of zero", (*SERVER, "--server_target_latency_ns=0"), 2, ("server_target_latency_ns is 0",)),
    *(
        Fault(
            f"a window of {text}", (*VOLUMES, "--dry_run", f"--unet3d_roi={text}"), 2, ("unet3d_roi cannot be", "window's edges")
        )
        for text in ("inf", "-1", "0", "1e9", "1,2", "1,2,3,4", "99999", "3.5", "１２")
    ),
    *(
        Fault(f"labels {text}", (*VOLUMES, "--dry_run", f"--unet3d_label_map={text}"), 2, ("unet3d_label_map cannot be",))
        for text in ("inf", "1:2:3", "-1:2", "1:99", "1:", ":")
    ),
)

CLASS_HEAD = """\
from code.common.systems.system_list import KnownSystem
from configs.configuration import *
from configs.bert import GPUBaseConfig


class OfflineGPUBaseConfig(GPUBaseConfig):
    scenario = Scenario.Offline


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx8(OfflineGPUBaseConfig):
    system = KnownSystem.A100_SXM4_40GBx8
"""
CLASSES: tuple[tuple[str, str], ...] = (
    ("offline_expected_qps", 'float("inf")'),
    ("offline_expected_qps", 'float("nan")'),
    ("offline_expected_qps", "-1"),
    ("offline_expected_qps", '"3"'),
    ("offline_expected_qps", "[1]"),
    ("min_query_count", "10**400"),
    ("min_query_count", "10**5000"),
    ("min_query_count", "1.5"),
    ("min_query_count", "None or object()"),
    ("gpu_batch_size", "{'bert': 10**400}"),
    ("gpu_batch_size", "{'bert': 0}"),
    ("gpu_batch_size", "{'bert': 1.5}"),
    ("gpu_batch_size", "{}"),
    ("gpu_batch_size", "[8]"),
    ("gpu_inference_streams", "-1"),
    ("batch_padding", 'float("nan")'),
    ("qsl_rng_seed", "2**64"),
    ("warmup_duration", "10**400"),
    ("precision", "int"),
    ("precision", "len"),
    ("precision", "object()"),
    ("precision", "['fp16']"),
    ("precision", "16"),
    ("backend", "int"),
    ("model_path", "object()"),
    ("model_path", "b'x'"),
    ("use_graphs", "2"),
    ("use_graphs", "'yes'"),
    ("devices", "object()"),
    ("plugin_libs", "5"),
)
"""Field → source of a value that it cannot have."""
