"""What an engine is: builder switches, calibration, and what single benchmarks need."""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.limits import COUNT, LENGTH, PERCENT, SHARE, SMALL, TOKENS
from code.fields.rows.words import BERT, CALIB, ENGINE, GPTJ, LLM, SEG, UNET, row

ROWS: tuple[Field, ...] = (
    # ── engine ────────────────────────────────────────────────────────────
    row(ENGINE, "bert_opt_seqlen", "int", "Sequence length that the engine is tuned for.", benchmarks=(BERT,), limits=LENGTH),
    row(ENGINE, "active_sms", "int", "Share of the GPU's multiprocessors.", unit="%", limits=PERCENT),
    row(ENGINE, "energy_aware_kernels", "bool", "Prefer kernels that use less energy.", benchmarks=(BERT,)),
    row(
        ENGINE,
        "gemm_plugin_fairshare_cache_size",
        "int",
        "Cache size of a vendor's GEMM plugin.",
        benchmarks=(BERT,),
        limits=COUNT,
    ),
    row(ENGINE, "use_small_tile_gemm_plugin", "bool", "Use a vendor's small-tile GEMM plugin.", benchmarks=(BERT,)),
    row(ENGINE, "graph_specs", "str", "Shapes that CUDA graphs are captured for.", benchmarks=(BERT,)),
    row(ENGINE, "graphs_max_seqlen", "int", "Longest sequence that graphs are captured for.", benchmarks=(BERT,), limits=TOKENS),
    row(ENGINE, "use_graphs", "bool", "Launch through captured CUDA graphs.", default=False),
    row(ENGINE, "use_fp8", "bool", "Quantise to fp8.", benchmarks=(BERT, GPTJ)),
    row(ENGINE, "use_int4awq", "bool", "Quantise weights to int4 by AWQ."),
    row(ENGINE, "workspace_size", "int", "Builder's workspace.", unit="bytes", limits=COUNT),
    row(ENGINE, "builder_optimization_level", "int", "How long TensorRT searches for faster kernels, 0 to 5.", limits=(0, 5)),
    row(
        ENGINE,
        "length_buckets",
        "list",
        "Ends of the length ranges that get a profile each, such as 128,256,384.",
        benchmarks=(BERT,),
    ),
    row(
        ENGINE,
        "hardware_compatibility",
        "str",
        "GPUs besides the one it is built on that a TensorRT engine runs on.",
        choices=("none", "ampere_plus", "same_compute_capability"),
    ),
    row(ENGINE, "version_compatible", "bool", "Build an engine that later TensorRT versions run too."),
    row(
        ENGINE,
        "profiling_verbosity",
        "str",
        "What an engine can tell a profiler.",
        choices=("none", "layer_names_only", "detailed"),
    ),
    row(ENGINE, "plugin_libs", "list", "TensorRT plugin libraries to load."),
    # ── calibration ────────────────────────────────────────────────────────────
    row(CALIB, "force_calibration", "bool", "Calibrate even when a result is there."),
    row(CALIB, "calib_batch_size", "int", "Samples in a calibration batch.", default=1, limits=LENGTH),
    row(CALIB, "calib_max_batches", "int", "Most calibration batches.", default=128, limits=LENGTH),
    row(CALIB, "calib_data_map", "str", "List of calibration samples: sample indices, one a line."),
    row(
        CALIB,
        "calib_score_samples",
        "int",
        "Samples that a quantised graph is scored on; 0: it is not scored.",
        unit="samples",
        default=2048,
        limits=COUNT,
    ),
    row(CALIB, "cache_file", "str", "Calibration cache as older harnesses name it."),
    # ── text generation ────────────────────────────────────────────────────────────
    row(
        LLM,
        "num_beams",
        "int",
        "Width of the beam search; any but the benchmark's 4 is for the open division only.",
        benchmarks=(GPTJ,),
        limits=SMALL,
    ),
    row(
        LLM,
        "min_new_tokens",
        "int",
        "Least tokens of a text; default: the benchmark's 30.",
        unit="tokens",
        benchmarks=(GPTJ,),
        limits=TOKENS,
    ),
    row(
        LLM,
        "max_new_tokens",
        "int",
        "Most tokens of a text; default: the benchmark's 128.",
        unit="tokens",
        benchmarks=(GPTJ,),
        limits=LENGTH,
    ),
    row(
        LLM,
        "kv_cache_gb",
        "float",
        "Most memory for keys and values on a CPU; default: what the batch needs.",
        unit="GiB",
        benchmarks=(GPTJ,),
        limits=(0, 2**20),
    ),
    row(
        LLM,
        "kv_cache_precision",
        "str",
        "Numeric format of keys and values on a CPU; default: that of the computation.",
        benchmarks=(GPTJ,),
        choices=("f32", "bf16", "f16", "u8"),
    ),
    row(LLM, "tensor_parallelism", "int", "GPUs that share each layer.", benchmarks=(GPTJ,), limits=SMALL),
    row(LLM, "pipeline_parallelism", "int", "GPUs that share the layers.", benchmarks=(GPTJ,), limits=SMALL),
    row(LLM, "max_num_tokens", "int", "Most tokens in a step.", benchmarks=(GPTJ,), limits=TOKENS),
    row(
        LLM, "kvcache_free_gpu_mem_frac", "float", "Share of free GPU memory for the KV cache.", benchmarks=(GPTJ,), limits=SHARE
    ),
    row(LLM, "trtllm_batching_mode", "str", "TensorRT-LLM's batching mode.", benchmarks=(GPTJ,)),
    row(LLM, "trtllm_batch_sched_policy", "str", "TensorRT-LLM's scheduling policy.", benchmarks=(GPTJ,)),
    row(LLM, "llm_gen_config_path", "str", "JSON file of generation settings.", benchmarks=(GPTJ,)),
    row(LLM, "enable_sort", "bool", "Sort samples by length.", benchmarks=(GPTJ,)),
    row(LLM, "num_sort_segments", "int", "Segments that are sorted separately.", benchmarks=(GPTJ,), limits=TOKENS),
    # ── 3D-UNet ────────────────────────────────────────────────────────────
    row(SEG, "slice_overlap_patch_kernel_cg_impl", "bool", "Use the cooperative-groups kernel for windows.", benchmarks=(UNET,)),
    row(
        SEG,
        "sliding_window_on_device",
        "bool",
        "Cut windows, add them up and choose classes on the GPU; default: where the C++ harness has kernels for it.",
        benchmarks=(UNET,),
    ),
    row(SEG, "unet3d_sw_gaussian_patch_path", "str", "File of the window's Gaussian weights.", benchmarks=(UNET,)),
)
