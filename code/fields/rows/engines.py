"""Rows for engines: builder switches, calibration, and benchmark-specific options."""

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
    row(
        ENGINE,
        "graphs_max_memory",
        "int",
        "Device memory for CUDA graphs; 0: an eighth of what is free.",
        unit="MiB",
        limits=(0, 1 << 24),
    ),
    row(ENGINE, "graphs_max_seqlen", "int", "Longest sequence that graphs are captured for.", benchmarks=(BERT,), limits=TOKENS),
    row(ENGINE, "use_graphs", "bool", "Launch through captured CUDA graphs.", default=False),
    row(ENGINE, "use_fp8", "bool", "Quantise to fp8.", benchmarks=(BERT, GPTJ)),
    row(ENGINE, "use_int4awq", "bool", "Quantise weights to int4 by AWQ."),
    row(ENGINE, "workspace_size", "int", "Builder's workspace.", unit="bytes", limits=COUNT),
    row(
        ENGINE,
        "builder_optimization_level",
        "int",
        "TensorRT's builder optimisation level, 0 to 5: higher builds longer for faster kernels.",
        limits=(0, 5),
    ),
    row(
        ENGINE,
        "length_buckets",
        "list",
        "Upper ends of length ranges with one profile each, such as 128,256,384.",
        benchmarks=(BERT,),
    ),
    row(
        ENGINE,
        "hardware_compatibility",
        "str",
        "Other GPUs on which a TensorRT engine can run.",
        choices=("none", "ampere_plus", "same_compute_capability"),
    ),
    row(ENGINE, "version_compatible", "bool", "Build an engine that later TensorRT versions can run."),
    row(
        ENGINE,
        "profiling_verbosity",
        "str",
        "Layer information in the engine for profilers and for the check of fused attention; default: detailed.",
        choices=("none", "layer_names_only", "detailed"),
    ),
    row(ENGINE, "allow_unfused", "bool", "Build a TensorRT engine whose attention is not fused, for trying."),
    row(ENGINE, "plugin_libs", "list", "TensorRT plugin libraries to load.", reads=True),
    # ── calibration ────────────────────────────────────────────────────────────
    row(CALIB, "force_calibration", "bool", "Repeat a calibration that already exists."),
    row(CALIB, "calib_batch_size", "int", "Samples in a calibration batch.", default=1, limits=LENGTH),
    row(CALIB, "calib_max_batches", "int", "Maximum number of calibration batches.", default=128, limits=LENGTH),
    row(CALIB, "calib_data_map", "str", "List of calibration samples: one sample index per line.", reads=True),
    row(
        CALIB,
        "calib_score_samples",
        "int",
        "Number of samples for scoring a quantised graph; 0: not scored.",
        unit="samples",
        default=2048,
        limits=COUNT,
    ),
    row(CALIB, "cache_file", "str", "Calibration cache of older harnesses."),
    # ── text generation ────────────────────────────────────────────────────────────
    row(
        LLM,
        "num_beams",
        "int",
        "Beam width; any value but the benchmark's 4 is for the open division only.",
        benchmarks=(GPTJ,),
        limits=SMALL,
    ),
    row(
        LLM,
        "min_new_tokens",
        "int",
        "Minimum tokens of a text; default: the benchmark's 30.",
        unit="tokens",
        benchmarks=(GPTJ,),
        limits=TOKENS,
    ),
    row(
        LLM,
        "max_new_tokens",
        "int",
        "Maximum tokens of a text; default: the benchmark's 128.",
        unit="tokens",
        benchmarks=(GPTJ,),
        limits=LENGTH,
    ),
    row(
        LLM,
        "kv_cache_gb",
        "float",
        "KV cache size on a CPU; default: what the batch needs.",
        unit="GiB",
        benchmarks=(GPTJ,),
        limits=(0, 2**20),
    ),
    row(
        LLM,
        "kv_cache_precision",
        "str",
        "Numeric format of the KV cache on a CPU; default: that of the computation.",
        benchmarks=(GPTJ,),
        choices=("f32", "bf16", "f16", "u8"),
    ),
    row(LLM, "tensor_parallelism", "int", "Tensor parallelism: GPUs that share each layer.", benchmarks=(GPTJ,), limits=SMALL),
    row(
        LLM, "pipeline_parallelism", "int", "Pipeline parallelism: GPUs that divide the layers.", benchmarks=(GPTJ,), limits=SMALL
    ),
    row(LLM, "max_num_tokens", "int", "Maximum tokens in a step.", benchmarks=(GPTJ,), limits=TOKENS),
    row(
        LLM, "kvcache_free_gpu_mem_frac", "float", "Share of free GPU memory for the KV cache.", benchmarks=(GPTJ,), limits=SHARE
    ),
    row(LLM, "trtllm_batching_mode", "str", "TensorRT-LLM's batching mode.", benchmarks=(GPTJ,)),
    row(LLM, "trtllm_batch_sched_policy", "str", "TensorRT-LLM's scheduling policy.", benchmarks=(GPTJ,)),
    row(LLM, "trtllm_build_flags", "flags", "Flags of trtllm-build.", benchmarks=(GPTJ,)),
    row(LLM, "trtllm_checkpoint_flags", "flags", "Flags of TensorRT-LLM's checkpoint conversion.", benchmarks=(GPTJ,)),
    row(LLM, "trtllm_runtime_flags", "flags", "Flags of TensorRT-LLM's executor.", benchmarks=(GPTJ,)),
    row(LLM, "llm_gen_config_path", "str", "JSON file of generation settings.", benchmarks=(GPTJ,), reads=True),
    row(LLM, "enable_sort", "bool", "Sort samples by length.", benchmarks=(GPTJ,)),
    row(LLM, "num_sort_segments", "int", "Segments that are sorted separately.", benchmarks=(GPTJ,), limits=TOKENS),
    # ── 3D-UNet ────────────────────────────────────────────────────────────
    row(SEG, "slice_overlap_patch_kernel_cg_impl", "bool", "Use the cooperative-groups kernel for windows.", benchmarks=(UNET,)),
    row(
        SEG,
        "sliding_window_on_device",
        "bool",
        "Cut and sum windows and compute classes on the GPU; default: if the C++ harness has the kernels.",
        benchmarks=(UNET,),
    ),
    row(SEG, "unet3d_sw_gaussian_patch_path", "str", "File of the window's Gaussian weights.", benchmarks=(UNET,)),
)
