"""Config files of the class layout, one for each pattern that public files of rounds v3.0 to v5.0 have: place below configs/ → text."""

from __future__ import annotations

IMPORTS = """\
import os
import sys
sys.path.insert(0, os.getcwd())

from code.common.constants import Benchmark, Scenario
from code.common.systems.system_list import KnownSystem
from configs.configuration import *
"""
REGISTER = "@ConfigRegistry.register(HarnessType.{}, AccuracyTarget.{}, PowerSetting.{}{})\n"
MAIN = REGISTER.format("Custom", "k_99", "MaxP", "")
HIGH = REGISTER.format("Custom", "k_99_9", "MaxP", "")
MAXQ = REGISTER.format("Custom", "k_99", "MaxQ", "")

MEMBERS = {
    "resnet50": "ResNet50",
    "retinanet": "Retinanet",
    "rnnt": "RNNT",
    "dlrm": "DLRM",
    "dlrm-v2": "DLRMv2",
    "llama2-70b": "LLAMA2",
    "mixtral-8x7b": "Mixtral8x7B",
    "stable-diffusion-xl": "SDXL",
}


def base(benchmark: str, *lines: str) -> str:
    """A benchmark's own __init__.py."""
    body = "".join(f"    {line}\n" for line in (f"benchmark = Benchmark.{benchmark}", *lines))
    head = "from code.common.constants import Benchmark\nfrom configs.configuration import BenchmarkConfiguration\n\n\n"
    return f"{head}class GPUBaseConfig(BenchmarkConfiguration):\n{body}\n\nclass CPUBaseConfig(GPUBaseConfig):\n    pass\n"


def parent(benchmark: str, scenario: str, *lines: str) -> str:
    """The head of a scenario's __init__.py with its base class."""
    how = f'ParentConfig = import_module("configs.{benchmark}")\nGPUBaseConfig = ParentConfig.GPUBaseConfig\n'
    first = "from importlib import import_module\n" if "-" in benchmark else ""
    take = how if "-" in benchmark else f"from configs.{benchmark} import GPUBaseConfig\n"
    body = "".join(f"    {line}\n" for line in (f"scenario = Scenario.{scenario}", *lines))
    return f"{first}{IMPORTS}{take}\n\nclass {scenario}GPUBaseConfig(GPUBaseConfig):\n{body}\n\n"


def cls(register: str, name: str, parent_class: str, *lines: str) -> str:
    """A registered class."""
    return f"{register}class {name}({parent_class}):\n" + "".join(f"    {line}\n" for line in lines or ("pass",)) + "\n\n"


def simple(benchmark: str, scenario: str, rate: str, *lines: str) -> str:
    """A file with one system."""
    own = cls(MAIN, "L40x1", f"{scenario}GPUBaseConfig", "system = KnownSystem.L40x1", rate, *lines)
    return parent(benchmark, scenario) + own


FILES: dict[str, str] = {
    "bert/__init__.py": base("BERT", "tensor_path = 'a.npy,b.npy'", "precision = 'int8'", "input_dtype = 'int32'"),
    # a family by inheritance: targets, power, counts, and arithmetic on a parent's value
    "bert/Offline/__init__.py": parent("bert", "Offline", "gpu_copy_streams = 2", "enable_interleaved = False")
    + cls(MAIN, "L40Sx1", "OfflineGPUBaseConfig", "system = KnownSystem.L40Sx1", "gpu_batch_size = {'bert': 512}",
          "offline_expected_qps = 3000", "workspace_size: int = 7516192768", "remark: str")
    + cls(HIGH, "L40Sx1_HighAccuracy", "L40Sx1", "precision = 'fp16'", "use_fp8 = True",
          "offline_expected_qps = L40Sx1.offline_expected_qps / 2")
    + cls(MAXQ, "L40Sx1_MaxQ", "L40Sx1", "power_limit = 250", "offline_expected_qps = 2400")
    + cls(MAIN, "L40Sx8", "L40Sx1", "system = KnownSystem.L40Sx8", "offline_expected_qps = 24_000",
          "numa_config = '0-3:0-15&4-7:16-31'"),
    "bert/Offline/custom.py": "from . import *\n\n\n"
    + cls(MAIN, "L40Sx4", "L40Sx1", "system = KnownSystem.L40Sx4", "offline_expected_qps: float = 11000.5"),
    # every harness type, and a mixin
    "bert/Server/__init__.py": parent("bert", "Server", "gpu_batch_size = {'bert': 64}")
    + "class Sleepy:\n    power_limit = 200\n\n\n"
    + "".join(
        cls(REGISTER.format(harness, "k_99", "MaxP", ""), f"T4x1_{harness}", "ServerGPUBaseConfig, Sleepy",
            "system = KnownSystem.T4x1", "server_target_qps = 400")
        for harness in ("Custom", "LWIS", "Triton", "TritonUnified", "HeteroMIG")
    ),
    "bert/Server/custom.py": "from . import *\n\n\n"
    + cls(MAIN, "Rack", "ServerGPUBaseConfig", "system = KnownSystem.Rack_H100x4", "server_target_qps = 30000"),
    "bert/SingleStream/__init__.py": parent("bert", "SingleStream", "gpu_batch_size = 1")
    + cls(MAIN, "Orin", "SingleStreamGPUBaseConfig", "system = KnownSystem.Orin", "dla_batch_size = {'bert': 1}",
          "single_stream_expected_latency_ns = 6200000", "soc_gpu_freq = 816000000", "orin_num_cores = 4"),
    "bert/MultiStream/__init__.py": simple("bert", "MultiStream", "multi_stream_expected_latency_ns = 7500000"),
    # dicts of flags, and precisions in the spelling of TensorRT-LLM
    "gptj/__init__.py": base("GPTJ", "precision = 'fp16'", "trtllm_build_flags = {'max_beam_width': 4, 'gemm_plugin': 'float16'}"),
    "gptj/Offline/__init__.py": parent("gptj", "Offline", "tensor_parallelism = 1")
    + cls(MAIN, "H100_SXM_80GBx8", "OfflineGPUBaseConfig", "system = KnownSystem.H100_SXM_80GBx8", "precision = 'fp8'",
          "gpu_batch_size = {'gptj': 192}", "offline_expected_qps = 300",
          "trtllm_checkpoint_flags = {'kv_cache_dtype': 'fp8'}", "trtllm_runtime_flags = {'batch_scheduler_policy': 'max_util'}")
    + cls(HIGH, "H100_SXM_80GBx8_HighAccuracy", "H100_SXM_80GBx8", "precision = 'float16'"),
    "gptj/Server/__init__.py": parent("gptj", "Server", "precision = 'int4_awq'", "coalesced_tensor = True")
    + cls(MAIN, "L40Sx8", "ServerGPUBaseConfig", "system = KnownSystem.L40Sx8", "gpu_batch_size = {'gptj': 64}",
          "server_target_qps = 60", "use_token_latencies = True"),
    "gptj/Server/custom.py": "from . import *\n",
    # variants told apart by a fourth argument
    "gptj/SingleStream/__init__.py": parent("gptj", "SingleStream", "gpu_batch_size = {'gptj': 1}")
    + cls(REGISTER.format("Custom", "k_99", "MaxP", ', "TP1PP1"'), "L40Sx1_TP1", "SingleStreamGPUBaseConfig",
          "system = KnownSystem.L40Sx1", "single_stream_expected_latency_ns = 1400000000")
    + cls(REGISTER.format("Custom", "k_99", "MaxP", ', "TP2PP1"'), "L40Sx1_TP2", "SingleStreamGPUBaseConfig",
          "system = KnownSystem.L40Sx1", "single_stream_expected_latency_ns = 900000000", "tensor_parallelism = 2"),
    # a package that is no identifier, enum values, nested classes and methods
    "3d-unet/__init__.py": base("UNET3D", "map_path = 'data_maps/kits19/val_map.txt'", "precision = Precision.INT8").replace(
        "import BenchmarkConfiguration", "import *"
    ),
    "3d-unet/Offline/__init__.py": parent("3d-unet", "Offline", "gpu_batch_size = {'3d-unet': 8}", "use_graphs = False")
    + cls(MAIN, "H100_SXM_80GBx8", "OfflineGPUBaseConfig", "system = KnownSystem.H100_SXM_80GBx8", "offline_expected_qps = 50.0",
          "slice_overlap_patch_kernel_cg_impl = True", "class Notes:", "    text = ''", "def helper(self):", "    return 1")
    + cls(HIGH, "H100_SXM_80GBx8_HighAccuracy", "H100_SXM_80GBx8"),
    "3d-unet/SingleStream/__init__.py": parent("3d-unet", "SingleStream", "precision = {'3d-unet': 'int8'}")
    + cls(MAIN, "L4x1", "SingleStreamGPUBaseConfig", "system = KnownSystem.L4x1", "single_stream_expected_latency_ns = 4e9"),
    # the CPU and Inferentia harnesses behind Triton
    "resnet50/__init__.py": base("ResNet50", "model_name = 'ResNet50'"),
    "resnet50/Offline/__init__.py": parent("resnet50", "Offline", "batch_size = 1", "num_instances = 16")
    + cls(REGISTER.format("Triton", "k_99", "MaxP", ""), "T4x1_Triton", "OfflineGPUBaseConfig", "system = KnownSystem.T4x1",
          "inferentia_neuron_core_count = 4", "ov_parameters = {'CPU_THROUGHPUT_STREAMS': '14'}", "use_triton = True"),
    "resnet50/Server/__init__.py": parent("resnet50", "Server", "disable_beta1_smallk = True", "lon_netid = '::1'")
    + cls(REGISTER.format("LWIS", "k_99", "MaxP", ""), "A2x1", "ServerGPUBaseConfig", "system = KnownSystem.A2x1"),
    "retinanet/__init__.py": base("Retinanet"),
    "retinanet/SingleStream/__init__.py": simple("retinanet", "SingleStream", "single_stream_expected_latency_ns = 2", "nms_type = 'x'"),
    "rnnt/__init__.py": base("RNNT"),
    "rnnt/Offline/__init__.py": simple("rnnt", "Offline", "audio_batch_size = 512", "nobatch_sorting = True", "num_warmups = 32"),
    "dlrm/__init__.py": base("DLRM"),
    "dlrm/Server/__init__.py": simple("dlrm", "Server", "server_target_qps = 1000", "num_staging_batches = 8"),
    "dlrm-v2/__init__.py": base("DLRMv2"),
    "dlrm-v2/Offline/__init__.py": simple("dlrm-v2", "Offline", "bot_mlp_precision = 'int8'", "qsl_numa_override = '0'"),
    "llama2-70b/__init__.py": base("LLAMA2"),
    "llama2-70b/Server/__init__.py": simple("llama2-70b", "Server", "precision = 'fp4'", "trtllm_runtime_flags = {}"),
    "mixtral-8x7b/__init__.py": base("Mixtral8x7B"),
    "mixtral-8x7b/Offline/__init__.py": simple("mixtral-8x7b", "Offline", "moe_expert_parallelism = 1"),
    "stable-diffusion-xl/__init__.py": base("SDXL"),
    "stable-diffusion-xl/Offline/__init__.py": simple(
        "stable-diffusion-xl", "Offline", "gpu_batch_size = {'clip1': 2, 'unet': 2}", "sdxl_batcher_time_limit = 5"
    ),
}  # fmt: skip
