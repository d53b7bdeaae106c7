"""Config files of the newer layout, one for each pattern that public files have: place below configs/ → text."""

from __future__ import annotations

H100, B200, LONG, RACK = (
    "DGX-H100_H100-SXM-80GBx8",
    "B200-SXM-180GBx8",
    "Somebody_ML30_RTX_L40S_PCIE_48GBx2_TRT",
    "Rack7_H100-SXM-80GBx4",
)

HEAD = """\
import code.common.constants as C
import code.fields.models as model_fields
import code.fields.harness as harness_fields
import code.fields.loadgen as loadgen_fields
import code.fields.gen_engines as gen_engines_fields
import code.fields.power as power_fields
import code.fields.triton as triton_fields
import code.llmlib.fields as llm_fields
from importlib import import_module
"""


def setting(target: str = "0.99", power: str = "MaxP", harness: str = "Custom") -> str:
    return f"C.WorkloadSetting(C.HarnessType.{harness}, C.AccuracyTarget({target}), C.PowerSetting.{power})"


BERT = """\
base = {
    model_fields.gpu_batch_size: {"bert": 64},
    model_fields.precision: "int8",
    harness_fields.gpu_inference_streams: 2,
    harness_fields.use_graphs: False,
    gen_engines_fields.workspace_size: 7516192768,
}
"""

FILES: dict[str, str] = {
    # a base dict, unpacked and overridden, for two targets and two power settings
    f"{H100}/Offline/bert.py": HEAD
    + "import code.bert.tensorrt.fields as bert_fields\n"
    + BERT
    + f"""\
EXPORTS = {{
    {setting()}: {{**base, loadgen_fields.offline_expected_qps: 75200, bert_fields.bert_opt_seqlen: 384}},
    {setting("0.999")}: {{
        **base,
        model_fields.precision: "fp16",
        model_fields.use_fp8: True,
        loadgen_fields.offline_expected_qps: 65600,
    }},
    {setting("0.99", "MaxQ")}: {{**base, loadgen_fields.offline_expected_qps: 54000, power_fields.power_limit: 400}},
}}
""",
    # members of AccuracyTarget, an annotation, and the same dict twice
    f"{H100}/Server/bert.py": HEAD
    + BERT
    + """\
base[loadgen_fields.server_target_qps] = 57600
EXPORTS: dict = {
    C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget.k_99, C.PowerSetting.MaxP): base,
    C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget.k_99_9, C.PowerSetting.MaxP): base,
}
""",
    # fields imported by name, and names of the constants
    f"{H100}/SingleStream/bert.py": """\
from code.common.constants import AccuracyTarget, HarnessType, PowerSetting, WorkloadSetting
from code.fields.models import gpu_batch_size, precision
from code.fields.loadgen import *

EXPORTS = {
    WorkloadSetting(HarnessType.Custom, AccuracyTarget(0.99), PowerSetting.MaxP): {
        gpu_batch_size: {"bert": 1},
        precision: "int8",
        single_stream_expected_latency_ns: 1700000,
    },
}
""",
    # a number as text, which the field's own parser reads, and a default setting
    f"{H100}/MultiStream/bert.py": HEAD
    + """\
EXPORTS = {
    C.WorkloadSetting(): {
        model_fields.gpu_batch_size: "bert:8",
        model_fields.precision: "INT8",
        loadgen_fields.multi_stream_expected_latency_ns: "8_000_000",
        loadgen_fields.multi_stream_samples_per_query: 8,
        harness_fields.use_graphs: "true",
    },
}
""",
    # flags of TensorRT-LLM as dicts
    f"{H100}/Offline/gptj.py": HEAD
    + f"""\
EXPORTS = {{
    {setting()}: {{
        model_fields.gpu_batch_size: {{"gptj": 396}},
        model_fields.precision: "fp8",
        model_fields.input_dtype: "int32",
        loadgen_fields.offline_expected_qps: 288,
        llm_fields.tensor_parallelism: 1,
        llm_fields.trtllm_build_flags: {{"max_beam_width": 4, "context_fmha": "enable", "max_num_tokens": 4096}},
        llm_fields.trtllm_checkpoint_flags: {{"kv_cache_dtype": "fp8"}},
        llm_fields.trtllm_runtime_flags: {{"use_inflight_batching": True, "batch_scheduler_policy": "max_util"}},
        llm_fields.use_token_latencies: False,
    }},
}}
""",
    # a deep copy that is changed
    f"{H100}/Server/gptj.py": HEAD
    + f"""\
import copy

base = {{
    model_fields.gpu_batch_size: {{"gptj": 128}},
    model_fields.precision: "fp8",
    llm_fields.trtllm_runtime_flags: {{"max_num_tokens": 2048}},
}}
fast = copy.deepcopy(base)
fast[loadgen_fields.server_target_qps] = 280
fast[llm_fields.trtllm_runtime_flags]["max_num_tokens"] = 4096
EXPORTS = {{{setting()}: fast}}
""",
    # Mitten's precisions, and a precision by component
    f"{H100}/Offline/3d-unet.py": HEAD
    + f"""\
from nvmitten.constants import Precision

EXPORTS = {{
    {setting()}: {{
        model_fields.gpu_batch_size: {{"3d-unet": 8}},
        model_fields.input_dtype: Precision.INT8,
        model_fields.precision: {{"3d-unet": Precision.INT8}},
        loadgen_fields.offline_expected_qps: 1.5 * 32,
    }},
    {setting("0.999")}: {{
        model_fields.gpu_batch_size: {{"3d-unet": 4}},
        model_fields.precision: C.Precision.FP16,
        loadgen_fields.offline_expected_qps: 46.5,
    }},
}}
""",
    # a neighbour in another scenario's folder, by its module's name
    f"{H100}/SingleStream/3d-unet.py": HEAD
    + f"""\
offline = import_module("configs.{H100}.Offline.3d-unet")

EXPORTS = {{
    setting: {{k: v for k, v in values.items() if k != loadgen_fields.offline_expected_qps}}
    for setting, values in offline.EXPORTS.items()
}}
for values in EXPORTS.values():
    values[loadgen_fields.single_stream_expected_latency_ns] = 430000000
""",
    # fields of benchmarks that do not run here
    f"{H100}/Offline/dlrm-v2.py": HEAD
    + f"""\
dlrm_fields = import_module("code.dlrm-v2.tensorrt.fields")
EXPORTS = {{
    {setting("0.999")}: {{
        model_fields.gpu_batch_size: {{"dlrm-v2": 600000}},
        dlrm_fields.embedding_weights_on_gpu_part: 1.0,
        dlrm_fields.bot_mlp_precision: "int8",
    }},
}}
""",
    f"{H100}/Server/stable-diffusion-xl.py": HEAD
    + f"""\
sdxl_fields = import_module("code.stable-diffusion-xl.tensorrt.fields")
EXPORTS = {{
    {setting()}: {{
        model_fields.gpu_batch_size: {{"clip1": 16, "clip2": 16, "unet": 16, "vae": 8}},
        model_fields.precision: {{"clip1": C.Precision.FP32, "clip2": C.Precision.FP32, "unet": C.Precision.FP8, "vae": "fp32"}},
        sdxl_fields.batcher_time_limit: 3,
    }},
}}
""",
    f"{H100}/Offline/whisper.py": HEAD
    + f"""\
whisper_fields = import_module("code.whisper.tensorrt.fields")
base = {{
    model_fields.gpu_batch_size: {{"encoder": 320, "decoder": 320}},
    whisper_fields.whisper_encoder_build_flags: {{"max_beam_width": 1}},
}}
base_maxq = base | {{power_fields.power_limit: 700}}
EXPORTS = {{{setting()}: base, {setting("0.99", "MaxQ")}: base_maxq}}
""",
    f"{H100}/Offline/rgat.py": HEAD
    + f"""\
import code.rgat.pytorch.fields as rgat_fields
EXPORTS = {{{setting()}: {{model_fields.gpu_batch_size: {{"rgat": 8192}}, rgat_fields.rgat_buffer_size: 2}}}}
""",
    f"{H100}/MultiStream/retinanet.py": HEAD
    + f"""\
import code.retinanet.tensorrt.fields as retinanet_fields
EXPORTS = {{
    {setting()}: {{retinanet_fields.nms_type: "nmsopt", loadgen_fields.multi_stream_expected_latency_ns: 8000000}},
    {setting(harness="Triton")}: {{triton_fields.use_triton: True, triton_fields.triton_num_servers: 2}},
    {setting(harness="TritonUnified")}: {{triton_fields.use_triton: True}},
}}
""",
    # a file sets environment variables of its own runtime
    f"{H100}/Server/llama2-70b.py": HEAD
    + f"""\
import os
os.environ["TRTLLM_SERVER_DISABLE_GC"] = "1"
os.environ.setdefault("MLPINF_HTTP_USE_COMPLETIONS", "1")
EXPORTS = {{{setting()}: {{model_fields.gpu_batch_size: {{"llama2-70b": 2048}}, model_fields.precision: "fp4"}}}}
""",
    # a scenario that only the newer layout has
    f"{B200}/Interactive/llama3_1-8b.py": HEAD
    + f"""\
EXPORTS = {{{setting()}: {{loadgen_fields.server_target_qps: 66, llm_fields.trtllm_runtime_flags: {{
    "cuda_graph_batch_sizes": [128 * (x + 1) for x in range(8)],
    "kvcache_free_gpu_mem_frac": 0.9,
}}}}}}
""",
    # 'src' for 'code'
    f"{B200}/Offline/llama3_1-405b.py": HEAD.replace("code.", "src.")
    + f"""\
q3vl_fields = import_module("src.qwen3-vl-235b-a22b.harness.fields")
EXPORTS = {{{setting()}: {{model_fields.gpu_batch_size: {{"llama3.1-405b": 512}}, q3vl_fields.vllm_cli: ["--async"]}}}}
""",
    f"{B200}/Offline/bert.py": HEAD.replace("code.", "src.") + BERT + f"EXPORTS = {{{setting()}: base}}\n",
    # overrides that other runs of that harness take, and a disaggregated server
    f"{B200}/Server/deepseek-r1.py": HEAD
    + f"""\
base = {{loadgen_fields.server_target_qps: 9 * 2 * 0.87, loadgen_fields.min_query_count: 50 * 4388}}
EXPORTS = {{{setting()}: base}}
ACCURACY_OVERRIDES = {{{setting()}: {{loadgen_fields.min_query_count: 4388}}}}
COMPLIANCE_OVERRIDES = {{C.AuditTest.TEST07: {{{setting()}: {{loadgen_fields.min_query_count: 990}}}}}}
ATOMIC_EXPORTS = {{{setting()}: {{"default": base}}}}
""",
    # a text above, the working directory in the path, an unused import
    f"{LONG}/Offline/bert.py": '"""Configs of a small server."""\nimport os\nimport sys\nsys.path.insert(0, os.getcwd())\n'
    + HEAD
    + BERT
    + f"EXPORTS = {{{setting()}: {{**base, loadgen_fields.offline_expected_qps: 3100, gen_engines_fields.workspace_size: 16 << 30}}}}\n",
    # a folder's scenario in lower case
    f"{LONG}/singlestream/bert.py": HEAD
    + BERT
    + f"EXPORTS = {{{setting()}: base | {{loadgen_fields.single_stream_expected_latency_ns: 2_500_000}}}}\n",
    # a neighbour, imported relatively, by its own name, and from the system folder
    f"{RACK}/Offline/common_settings.py": HEAD + BERT,
    f"{RACK}/shared.py": HEAD + "STREAMS = {harness_fields.gpu_copy_streams: 3}\n",
    f"{RACK}/Offline/bert.py": HEAD
    + f"""\
import common_settings
from .common_settings import base as relative
from ..shared import STREAMS
EXPORTS = {{{setting()}: {{**common_settings.base, **relative, **STREAMS, loadgen_fields.offline_expected_qps: 36000}}}}
""",
    # a function, itertools and update
    f"{RACK}/Server/bert.py": HEAD
    + BERT
    + """\
import itertools


def at(rate, **more):
    new = dict(base)
    new.update({loadgen_fields.server_target_qps: rate})
    new |= {harness_fields.deque_timeout_usec: 50}
    return new


EXPORTS = {
    C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget(target), power): at(28000 * target)
    for target, power in itertools.product((0.99, 0.999), C.PowerSetting)
}
""",
    # dict(), setdefault, and general and wrapped fields
    f"{RACK}/SingleStream/bert.py": HEAD
    + BERT
    + f"""\
import code.fields.general as general_fields
import code.fields.meta as meta_fields
import code.fields.wrapped as wrapped_fields
values = dict([(loadgen_fields.single_stream_expected_latency_ns, 1_900_000)])
values.setdefault(general_fields.verbose, True)
values = base.copy() | values
EXPORTS = dict({{{setting()}: values}})
""",
    f"{RACK}/Server/3d-unet.py": HEAD + f"EXPORTS = {{{setting()}: {{model_fields.gpu_batch_size: {{'3d-unet': 8}}}}}}\n",
    f"{RACK}/Offline/gpt-oss-120b.py": HEAD + f"EXPORTS = {{{setting()}: {{llm_fields.moe_expert_parallelism: 4}}}}\n",
    f"{RACK}/Offline/mixtral-8x7b.py": HEAD + f"EXPORTS = {{{setting()}: {{llm_fields.trtllm_build_flags: {{}}}}}}\n",
    f"{RACK}/Offline/resnet50.py": HEAD + f"EXPORTS = {{{setting()}: {{model_fields.dla_batch_size: {{'resnet50': 8}}}}}}\n",
    # variants that no run selects: they load all the same
    f"{RACK}/Offline/old_bert.py": HEAD + BERT + f"EXPORTS = {{{setting()}: base}}\n",
    f"{RACK}/llama2-70b-blaze-config.py": HEAD + f"EXPORTS = {{{setting()}: {{}}}}\n",
    # the folders for machines that nobody listed
    # nothing but ATOMIC_EXPORTS, keyed by the setting's short form
    "minimal/Server/bert.py": HEAD
    + BERT
    + """\
high = dict(base)
high[model_fields.precision] = "fp16"
ATOMIC_EXPORTS = {
    C.WorkloadSetting(accuracy_target=C.AccuracyTarget.k_99).short: {**base, loadgen_fields.server_target_qps: 70},
    C.WorkloadSetting(accuracy_target=C.AccuracyTarget.k_99_9).short: high | {loadgen_fields.server_target_qps: 50},
}
""",
    "minimal/SingleStream/bert.py": HEAD
    + BERT
    + f"ATOMIC_EXPORTS = {{{setting()}: {{'default': {{**base, loadgen_fields.single_stream_expected_latency_ns: 9_000_000}}}}}}\n",
    "minimal/Offline/bert.py": HEAD + BERT + f"EXPORTS = {{{setting()}: {{**base, loadgen_fields.offline_expected_qps: 100}}}}\n",
    "UNREGISTERED_x86_64_NVIDIA_L4x3/Offline/bert.py": HEAD + BERT + f"EXPORTS = {{{setting()}: base}}\n",
}

CONFIGS = [place for place, text in FILES.items() if "EXPORTS" in text]
"""The files among them that are configs; the others are their neighbours."""
