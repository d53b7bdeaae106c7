"""The one list of options.

The argument parser, the check of config classes, the environment variables, the harness's JSON and documentation/fields.md are all
derived from this table. A new option is one new row. Names that public vendor configs set are kept as they spell them.
"""

from __future__ import annotations

from functools import cache

from code.common.errors import UsageError, unknown
from code.common.field import Field
from code.submission.rounds import ROUNDS

BERT, GPTJ, UNET = "bert", "gptj", "3d-unet"
OFF, SRV, SS, MS = "Offline", "Server", "SingleStream", "MultiStream"
JETSON, TRITON = "Jetson only", "Triton Inference Server harnesses only"

REQUEST = "The request"
ROOM = "Model and data"
LOADGEN = "LoadGen"
BATCH = "Batches, streams and devices"
ENGINE = "Engine"
CALIB = "Calibration"
LLM = "Text generation"
SEG = "3D-UNet"
LOG = "Logs"
POWER = "Power and clocks"
SERVER = "Triton"


def _r(name: str, kind: str, text: str, **more: object) -> Field:
    return Field(name, kind, text, REQUEST, request=True, **more)  # type: ignore[arg-type]


def _f(group: str, name: str, kind: str, text: str, actions: str = "h", **more: object) -> Field:
    more.setdefault("affects_engine", group == ENGINE)
    return Field(name, kind, text, group, actions=actions, **more)  # type: ignore[arg-type]


FIELDS: tuple[Field, ...] = (
    # ── the request ────────────────────────────────────────────────────────────
    _r("action", "str", "What to do; the make target of the same name passes it."),
    _r("benchmarks", "list", "Benchmarks to run, comma-separated, or 'all' that this version runs."),
    _r("scenarios", "list", "Scenarios to run, comma-separated; default: all that the benchmark has."),
    _r("config_ver", "list", "Config versions: default, high_accuracy, maxq, triton, … or all.", default=["default"]),
    _r("system", "str", "Use this known system's configs instead of the detected one's."),
    _r(
        "test_mode",
        "str",
        "LoadGen's mode.",
        default="PerformanceOnly",
        actions="h",
        choices=("PerformanceOnly", "AccuracyOnly", "SubmissionRun"),
    ),
    _r("fast", "bool", "A minimum duration of 60 s instead of 600 s.", default=False, aliases=("test_run",)),
    _r("test_query_count", "int", "A short run of this many queries; its result is for the open division only."),
    _r("force_build", "bool", "Build engines even when they are there.", default=False),
    _r("dry_run", "bool", "Resolve and print the plan, engine names and LoadGen settings; run nothing.", default=False),
    _r("strict", "bool", "Exit 5 when a result is INVALID or its accuracy fails.", default=False),
    _r("name", "str", "Name of the system to add or remove."),
    _r("capture", "str", "A machine's capture to read instead of this machine (capture_system: the file to write)."),
    _r("yes", "bool", "Do it without asking.", default=False),
    _r("write", "bool", "tune: write the values into the config class.", default=False),
    _r("trials", "int", "tune: points to measure in all; those of an earlier search count.", default=24),
    _r("tune_duration", "float", "tune: length of a Server run that decides whether a rate is VALID.", unit="s", default=10.0),
    _r("json", "bool", "Print machine-readable JSON where the action can.", default=False),
    # ── audits and submission ────────────────────────────────────────────────────────────
    _r("submitter", "str", "Your organisation, as its folder in the submission is called."),
    _r("division", "str", "Division to submit to.", choices=("closed", "open")),
    _r("category", "str", "Category of the system: datacenter, edge or 'datacenter,edge'."),
    _r("status", "str", "Availability of the system.", choices=("available", "preview", "rdi")),
    _r("submission_file", "str", "The file to read these from; default: submission.toml in the project's root."),
    _r("submission_dir", "str", "Folder of the staged tree; default: build/submission."),
    _r("from_tree", "str", "Stage from this submission tree instead of from the harness's logs."),
    _r("runs", "list", "Folders of runs to stage, comma-separated, although there are newer ones."),
    _r("infer", "bool", "Let results stand for others where the rules allow it.", default=True),
    _r("audit_test", "list", "Audit tests to run, comma-separated; default: those the round asks for."),
    _r("audit_attempts", "int", "Most runs of an audit test whose performance part fails.", default=2),
    _r("passphrase_file", "str", "File with the passphrase to encrypt with; default: ask on the terminal."),
    _r("a", "str", "What to compare: the folder of a run, or a public result such as H100_SXM_80GBx8."),
    _r("b", "str", "What to compare it with."),
    _r("report_dir", "str", "Folder of the report pages; default: build/report."),
    # ── model and data ────────────────────────────────────────────────────────────
    _f(ROOM, "benchmark", "str", "The benchmark a config class is for; set by its base class.", ""),
    _f(ROOM, "scenario", "str", "The scenario a config class is for; set by its base class.", ""),
    _f(
        ROOM,
        "model_variant",
        "str",
        "The MLPerf model, or the project's own small one.",
        "ehc",
        default="reference",
        choices=("reference", "tiny"),
        affects_engine=True,
    ),
    _f(ROOM, "backend", "str", "The runtime that builds and runs engines.", "ehc", default="tensorrt"),
    _f(
        ROOM,
        "harness_lang",
        "str",
        "The harness's language; auto is cpp where `make build` has built it with what the workload needs, else python.",
        default="auto",
        choices=("auto", "cpp", "python"),
    ),
    _f(
        ROOM,
        "precision",
        "str",
        "Numeric format of the network.",
        "ehc",
        default="fp32",
        affects_engine=True,
        choices=("fp32", "bf16", "fp16", "fp8", "int8", "int4"),
    ),
    _f(ROOM, "model_path", "str", "The model file to use instead of the benchmark's own.", "ehc", affects_engine=True),
    _f(
        ROOM,
        "data_path",
        "str",
        "The data set file to use instead of the benchmark's own (bert: a SQuAD v1.1 file; 3d-unet: a folder of cases or one image).",
        "hc",
    ),
    _f(ROOM, "vocab_path", "str", "The vocabulary that belongs to model_path.", "hc", benchmarks=(BERT, GPTJ)),
    _f(
        ROOM,
        "cnndm_source",
        "str",
        "A CSV, JSON or Parquet file with the columns article and highlights to make the data set of.",
        "hc",
        benchmarks=(GPTJ,),
    ),
    _f(
        ROOM,
        "unet3d_roi",
        "list",
        "Edges of the model's window: one number, or three; default: the model's own.",
        "hc",
        benchmarks=(UNET,),
        unit="voxels",
    ),
    _f(
        ROOM,
        "unet3d_segmentation_path",
        "str",
        "The labels that belong to data_path where that is one image.",
        "hc",
        benchmarks=(UNET,),
    ),
    _f(
        ROOM,
        "unet3d_label_map",
        "list",
        "Classes of other data's labels, such as 2:1,3:1; the rest is background.",
        "hc",
        benchmarks=(UNET,),
    ),
    _f(ROOM, "accuracy_reference", "float", "The fp32 score of model_path on data_path, which targets are a share of."),
    _f(ROOM, "data_dir", "str", "Folder of the published data set, instead of build/data.", "hc"),
    _f(ROOM, "preprocessed_data_dir", "str", "Folder of the preprocessed arrays, instead of build/preprocessed_data.", "hc"),
    _f(ROOM, "tensor_path", "str", "Preprocessed inputs as older harnesses name them.", "h"),
    _f(ROOM, "map_path", "str", "List of samples as older harnesses name it.", "h", benchmarks=(UNET,)),
    _f(ROOM, "input_dtype", "str", "Type of the network's inputs as older harnesses name it.", "eh"),
    _f(ROOM, "input_format", "str", "Memory layout of the network's inputs as older harnesses name it.", "eh"),
    # ── LoadGen ────────────────────────────────────────────────────────────
    _f(
        LOADGEN,
        "offline_expected_qps",
        "float",
        "Expected throughput; sets the size of the one query.",
        unit="samples/s",
        scenarios=(OFF,),
        loadgen="target_qps",
    ),
    _f(
        LOADGEN,
        "server_target_qps",
        "float",
        "Mean rate of the Poisson arrivals.",
        unit="queries/s",
        scenarios=(SRV,),
        loadgen="target_qps",
    ),
    _f(LOADGEN, "server_target_qps_adj_factor", "float", "Factor on server_target_qps.", scenarios=(SRV,)),
    _f(LOADGEN, "server_target_latency_ns", "int", "Latency bound.", unit="ns", scenarios=(SRV,), loadgen="target_latency"),
    _f(
        LOADGEN,
        "server_target_latency_percentile",
        "float",
        "Percentile that must meet the bound.",
        scenarios=(SRV,),
        loadgen="target_latency_percentile",
    ),
    _f(
        LOADGEN,
        "server_coalesce_queries",
        "bool",
        "Let LoadGen hand over arrived queries together.",
        scenarios=(SRV,),
        loadgen="coalesce_queries",
    ),
    _f(LOADGEN, "server_num_issue_query_threads", "int", "LoadGen threads that issue queries; 0: its own one.", scenarios=(SRV,)),
    _f(
        LOADGEN,
        "single_stream_expected_latency_ns",
        "int",
        "Expected latency of a query.",
        unit="ns",
        scenarios=(SS,),
        loadgen="target_latency",
    ),
    _f(
        LOADGEN,
        "single_stream_target_latency_percentile",
        "float",
        "Percentile that is reported.",
        scenarios=(SS,),
        loadgen="target_latency_percentile",
    ),
    _f(
        LOADGEN,
        "multi_stream_expected_latency_ns",
        "int",
        "Expected latency of a query.",
        unit="ns",
        scenarios=(MS,),
        loadgen="target_latency",
    ),
    _f(LOADGEN, "multi_stream_samples_per_query", "int", "Samples in a query.", scenarios=(MS,), loadgen="samples_per_query"),
    _f(
        LOADGEN,
        "multi_stream_target_latency_percentile",
        "float",
        "Percentile that is reported.",
        scenarios=(MS,),
        loadgen="target_latency_percentile",
    ),
    _f(LOADGEN, "min_duration", "int", "Least duration of a performance run.", unit="ms", loadgen="min_duration"),
    _f(LOADGEN, "max_duration", "int", "Most duration of a performance run; 0: none.", unit="ms", loadgen="max_duration"),
    _f(LOADGEN, "min_query_count", "int", "Least number of queries (Offline: of samples).", loadgen="min_query_count"),
    _f(LOADGEN, "max_query_count", "int", "Most queries; 0: no limit.", loadgen="max_query_count"),
    _f(LOADGEN, "performance_sample_count", "int", "Samples the QSL says it holds in memory."),
    _f(
        LOADGEN,
        "performance_sample_count_override",
        "int",
        "Samples that LoadGen draws from.",
        loadgen="performance_sample_count_override",
    ),
    _f(
        LOADGEN,
        "round",
        "str",
        "MLPerf round: its seeds, layout and rules; default: the newest round that has the benchmark.",
        "ha",
        choices=tuple(ROUNDS),
    ),
    _f(LOADGEN, "qsl_rng_seed", "int", "Seed of the sample choice; default: the round's."),
    _f(LOADGEN, "sample_index_rng_seed", "int", "Seed of the sample order; default: the round's."),
    _f(LOADGEN, "schedule_rng_seed", "int", "Seed of the arrival times; default: the round's."),
    _f(
        LOADGEN,
        "accuracy_log_rng_seed",
        "int",
        "Seed of the sampled accuracy log (audit tests).",
        "ha",
        loadgen="accuracy_log_rng_seed",
    ),
    _f(
        LOADGEN,
        "accuracy_log_sampling_target",
        "int",
        "Samples in the sampled accuracy log (audit tests).",
        "ha",
        loadgen="accuracy_log_sampling_target",
    ),
    _f(LOADGEN, "mlperf_conf_path", "str", "mlperf.conf as older harnesses name it; LoadGen carries its own."),
    _f(LOADGEN, "user_conf_path", "str", "user.conf as older harnesses name it; it is generated."),
    _f(LOADGEN, "use_token_latencies", "bool", "Report token latencies.", benchmarks=(GPTJ,), loadgen="use_token_latencies"),
    # ── batches, streams, devices ────────────────────────────────────────────────────────────
    _f(BATCH, "devices", "str", "Devices to use, comma-separated indices, or 'all'."),
    _f(BATCH, "cpu_batch_size", "batch", "Most samples in a batch on a CPU.", "eh"),
    _f(BATCH, "cpu_inference_streams", "int", "Batches in flight on a CPU, each on its own share of the cores.", "eh"),
    _f(BATCH, "cpu_threads_per_stream", "int", "Threads of one CPU stream; 0: cores divided by streams.", "eh"),
    _f(BATCH, "gpu_batch_size", "batch", "Most samples in a batch on a GPU.", "eh", affects_engine=True),
    _f(BATCH, "gpu_inference_streams", "int", "Inference streams per GPU.", "eh"),
    _f(BATCH, "gpu_copy_streams", "int", "Copy streams per GPU.", "eh"),
    _f(BATCH, "deque_timeout_usec", "int", "How long a batch waits to fill.", unit="µs"),
    _f(
        BATCH,
        "batch_padding",
        "float",
        "A sample joins a batch when at most this share of the batch's longest sample is padded for it.",
        default=1 / 16,
    ),
    _f(BATCH, "use_deque_limit", "bool", "Honour deque_timeout_usec as a limit."),
    _f(
        BATCH,
        "soft_drop",
        "float",
        "Share of queries that the latency bound still must hold for; late ones may wait.",
        benchmarks=(BERT,),
        scenarios=(SRV,),
    ),
    _f(BATCH, "coalesced_tensor", "bool", "Inputs of all samples in one array.", benchmarks=(BERT, GPTJ)),
    _f(BATCH, "start_from_device", "bool", "Inputs are in device memory before the run."),
    _f(BATCH, "end_on_device", "bool", "Outputs stay in device memory.", benchmarks=(UNET,)),
    _f(BATCH, "use_direct_host_access", "bool", "The device reads host memory in place.", benchmarks=(UNET,)),
    _f(BATCH, "assume_contiguous", "bool", "Samples of a query lie one after the other.", benchmarks=(UNET,)),
    _f(BATCH, "run_infer_on_copy_streams", "bool", "Run inference on the copy streams."),
    _f(BATCH, "use_batcher_thread_per_device", "bool", "One batcher thread for each device."),
    _f(BATCH, "use_cuda_thread_per_device", "bool", "One launching thread for each device."),
    _f(BATCH, "use_same_context", "bool", "All streams share one execution context."),
    _f(BATCH, "use_spin_wait", "bool", "Wait for the device by spinning."),
    _f(BATCH, "complete_threads", "int", "Threads that hand responses to LoadGen."),
    _f(BATCH, "numa_config", "str", "Devices and cores of each NUMA node, as '0:0-31&1:32-63'."),
    _f(BATCH, "use_jemalloc", "bool", "Run the harness with jemalloc."),
    _f(BATCH, "warmup_duration", "float", "Inference before LoadGen starts.", unit="s"),
    # ── engine ────────────────────────────────────────────────────────────
    _f(ENGINE, "bert_opt_seqlen", "int", "Sequence length that the engine is tuned for.", "e", benchmarks=(BERT,)),
    _f(ENGINE, "active_sms", "int", "Share of the GPU's multiprocessors.", "e", unit="%"),
    _f(ENGINE, "energy_aware_kernels", "bool", "Prefer kernels that use less energy.", "e", benchmarks=(BERT,)),
    _f(ENGINE, "gemm_plugin_fairshare_cache_size", "int", "Cache size of a vendor's GEMM plugin.", "e", benchmarks=(BERT,)),
    _f(ENGINE, "use_small_tile_gemm_plugin", "bool", "Use a vendor's small-tile GEMM plugin.", "e", benchmarks=(BERT,)),
    _f(ENGINE, "graph_specs", "str", "Shapes that CUDA graphs are captured for.", "eh", benchmarks=(BERT,), affects_engine=False),
    _f(
        ENGINE,
        "graphs_max_seqlen",
        "int",
        "Longest sequence that graphs are captured for.",
        "eh",
        benchmarks=(BERT,),
        affects_engine=False,
    ),
    _f(ENGINE, "use_graphs", "bool", "Launch through captured CUDA graphs.", "eh", default=False, affects_engine=False),
    _f(ENGINE, "use_fp8", "bool", "Quantise to fp8.", "e", benchmarks=(BERT, GPTJ)),
    _f(ENGINE, "use_int4awq", "bool", "Quantise weights to int4 by AWQ.", "e"),
    _f(ENGINE, "workspace_size", "int", "Builder's workspace.", "e", unit="bytes"),
    _f(ENGINE, "builder_optimization_level", "int", "How long TensorRT searches for faster kernels, 0 to 5.", "e"),
    _f(
        ENGINE,
        "length_buckets",
        "list",
        "Ends of the length ranges that get a profile each, such as 128,256,384.",
        "e",
        benchmarks=(BERT,),
    ),
    _f(
        ENGINE,
        "hardware_compatibility",
        "str",
        "GPUs besides the one it is built on that a TensorRT engine runs on.",
        "e",
        choices=("none", "ampere_plus", "same_compute_capability"),
    ),
    _f(ENGINE, "version_compatible", "bool", "Build an engine that later TensorRT versions run too.", "eh"),
    _f(
        ENGINE,
        "profiling_verbosity",
        "str",
        "What an engine can tell a profiler.",
        "e",
        choices=("none", "layer_names_only", "detailed"),
    ),
    _f(ENGINE, "plugin_libs", "list", "TensorRT plugin libraries to load.", "eh"),
    # ── calibration ────────────────────────────────────────────────────────────
    _f(CALIB, "force_calibration", "bool", "Calibrate even when a result is there.", "ce"),
    _f(CALIB, "calib_batch_size", "int", "Samples in a calibration batch.", "ce", default=1),
    _f(CALIB, "calib_max_batches", "int", "Most calibration batches.", "ce", default=128),
    _f(CALIB, "calib_data_map", "str", "List of calibration samples: sample indices, one a line.", "ce"),
    _f(
        CALIB,
        "calib_score_samples",
        "int",
        "Samples that a quantised graph is scored on; 0: it is not scored.",
        "ce",
        unit="samples",
        default=2048,
    ),
    _f(CALIB, "cache_file", "str", "Calibration cache as older harnesses name it.", "ce"),
    # ── text generation ────────────────────────────────────────────────────────────
    _f(
        LLM,
        "num_beams",
        "int",
        "Width of the beam search; any but the benchmark's 4 is for the open division only.",
        benchmarks=(GPTJ,),
    ),
    _f(LLM, "min_new_tokens", "int", "Least tokens of a text; default: the benchmark's 30.", unit="tokens", benchmarks=(GPTJ,)),
    _f(LLM, "max_new_tokens", "int", "Most tokens of a text; default: the benchmark's 128.", unit="tokens", benchmarks=(GPTJ,)),
    _f(
        LLM,
        "kv_cache_gb",
        "float",
        "Most memory for keys and values on a CPU; default: what the batch needs.",
        unit="GiB",
        benchmarks=(GPTJ,),
    ),
    _f(
        LLM,
        "kv_cache_precision",
        "str",
        "Numeric format of keys and values on a CPU; default: that of the computation.",
        benchmarks=(GPTJ,),
        choices=("f32", "bf16", "f16", "u8"),
    ),
    _f(LLM, "tensor_parallelism", "int", "GPUs that share each layer.", "e", benchmarks=(GPTJ,), affects_engine=True),
    _f(LLM, "pipeline_parallelism", "int", "GPUs that share the layers.", "e", benchmarks=(GPTJ,), affects_engine=True),
    _f(LLM, "max_num_tokens", "int", "Most tokens in a step.", "eh", benchmarks=(GPTJ,), affects_engine=True),
    _f(LLM, "kvcache_free_gpu_mem_frac", "float", "Share of free GPU memory for the KV cache.", benchmarks=(GPTJ,)),
    _f(LLM, "trtllm_batching_mode", "str", "TensorRT-LLM's batching mode.", "e", benchmarks=(GPTJ,)),
    _f(LLM, "trtllm_batch_sched_policy", "str", "TensorRT-LLM's scheduling policy.", "e", benchmarks=(GPTJ,)),
    _f(LLM, "llm_gen_config_path", "str", "JSON file of generation settings.", benchmarks=(GPTJ,)),
    _f(LLM, "enable_sort", "bool", "Sort samples by length.", benchmarks=(GPTJ,)),
    _f(LLM, "num_sort_segments", "int", "Segments that are sorted separately.", benchmarks=(GPTJ,)),
    # ── 3D-UNet ────────────────────────────────────────────────────────────
    _f(SEG, "slice_overlap_patch_kernel_cg_impl", "bool", "Use the cooperative-groups kernel for windows.", benchmarks=(UNET,)),
    _f(
        SEG,
        "sliding_window_on_device",
        "bool",
        "Cut windows, add them up and choose classes on the GPU; default: where the C++ harness has kernels for it.",
        benchmarks=(UNET,),
    ),
    _f(SEG, "unet3d_sw_gaussian_patch_path", "str", "File of the window's Gaussian weights.", benchmarks=(UNET,)),
    # ── logs ────────────────────────────────────────────────────────────
    _f(LOG, "log_dir", "str", "Folder for results, instead of build/logs/<timestamp>."),
    _f(LOG, "verbose", "bool", "Say more.", "ehca"),
    _f(LOG, "verbose_glog", "int", "Verbosity as older harnesses name it.", "ehca"),
    _f(LOG, "verbose_nvtx", "bool", "Mark ranges for a profiler.", "ehca"),
    _f(LOG, "log_enable_trace", "bool", "Let LoadGen write mlperf_log_trace.json (large)."),
    _f(LOG, "log_mode", "str", "LoadGen's logging mode: AsyncPoll, EndOfTestOnly, Synchronous."),
    _f(LOG, "log_mode_async_poll_interval_ms", "int", "LoadGen's polling interval.", unit="ms"),
    _f(LOG, "log_copy_detail_to_stdout", "bool", "LoadGen's detail log on the terminal too."),
    _f(LOG, "disable_log_copy_summary_to_stdout", "bool", "No LoadGen summary in stdout.txt."),
    _f(LOG, "logfile_prefix_with_datetime", "bool", "Date and time before LoadGen's file names."),
    _f(LOG, "logfile_suffix", "str", "Suffix of LoadGen's file names."),
    # ── power and clocks ────────────────────────────────────────────────────────────
    _f(POWER, "power_limit", "int", "GPU power limit.", unit="W"),
    _f(POWER, "cpu_freq", "int", "CPU clock.", unit="kHz"),
    _f(POWER, "vboost_slider", "int", "GPU voltage boost."),
    _f(POWER, "soc_cpu_freq", "int", "CPU clock.", unit="Hz", elsewhere=JETSON),
    _f(POWER, "soc_dla_freq", "int", "DLA clock.", unit="Hz", elsewhere=JETSON),
    _f(POWER, "soc_emc_freq", "int", "Memory clock.", unit="Hz", elsewhere=JETSON),
    _f(POWER, "soc_gpu_freq", "int", "GPU clock.", unit="Hz", elsewhere=JETSON),
    _f(POWER, "soc_pva_freq", "int", "PVA clock.", unit="Hz", elsewhere=JETSON),
    _f(POWER, "orin_num_cores", "int", "CPU cores in use.", elsewhere=JETSON),
    _f(POWER, "orin_skip_maxq_reset", "bool", "Leave clocks as they are.", default=False, elsewhere=JETSON),
    _f(POWER, "dla_batch_size", "batch", "Most samples in a batch on a DLA.", elsewhere=JETSON),
    _f(POWER, "dla_copy_streams", "int", "Copy streams per DLA.", elsewhere=JETSON),
    _f(POWER, "dla_core", "int", "Which DLA.", elsewhere=JETSON),
    _f(POWER, "dla_inference_streams", "int", "Inference streams per DLA.", elsewhere=JETSON),
    _f(POWER, "dla_num_batchers", "int", "Batchers per DLA.", elsewhere=JETSON),
    _f(POWER, "dla_num_issuers", "int", "Issuers per DLA.", elsewhere=JETSON),
    _f(POWER, "max_dlas", "int", "Most DLAs in use.", elsewhere=JETSON),
    # ── Triton ────────────────────────────────────────────────────────────
    _f(SERVER, "use_triton", "bool", "Serve through Triton.", elsewhere=TRITON),
    _f(SERVER, "batch_triton_requests", "bool", "Batch requests before they are sent.", elsewhere=TRITON),
    _f(SERVER, "buffer_manager_thread_count", "int", "Threads of the buffer pool.", default=0, elsewhere=TRITON),
    _f(SERVER, "gather_kernel_buffer_threshold", "int", "Threshold of the gather kernel.", default=0, elsewhere=TRITON),
    _f(SERVER, "instance_group_count", "int", "Model instances.", elsewhere=TRITON),
    _f(SERVER, "max_queue_delay_usec", "int", "Dynamic batcher's delay.", unit="µs", elsewhere=TRITON),
    _f(SERVER, "num_concurrent_batchers", "int", "Batchers at once.", default=1, elsewhere=TRITON),
    _f(SERVER, "num_concurrent_issuers", "int", "Issuers at once.", default=1, elsewhere=TRITON),
    _f(SERVER, "output_pinned_memory", "bool", "Outputs in pinned memory.", elsewhere=TRITON),
    _f(SERVER, "preferred_batch_size", "str", "Batch sizes that Triton prefers.", elsewhere=TRITON),
    _f(SERVER, "request_timeout_usec", "int", "Request time-out.", unit="µs", elsewhere=TRITON),
    _f(SERVER, "use_concurrent_harness", "bool", "Issue from several threads.", elsewhere=TRITON),
)


@cache
def field_table() -> dict[str, Field]:
    """Every spelling of every option, aliases included."""
    table: dict[str, Field] = {}
    for field in FIELDS:
        for name in (field.name, *field.aliases):
            if name in table:
                raise ValueError(f"option {name!r} stands twice in the table")
            table[name] = field
    return table


def lookup(name: str, where: str = "", kind: str = "field") -> Field:
    """The option called `name`; UsageError with the nearest known name otherwise."""
    field = field_table().get(name.replace("-", "_"))
    if field is None or (kind == "flag" and field.class_only):
        known = [spelling for spelling, option in field_table().items() if kind != "flag" or not option.class_only]
        raise unknown(kind, name, known, where, listing=False)
    return field


def require_applicable(field: Field, benchmark: str, scenario: str, where: str) -> None:
    """UsageError where `field` was set on the command line for a benchmark it does not belong to."""
    if field.benchmarks and benchmark not in field.benchmarks:
        raise UsageError(
            f"{field.name} does not apply to {benchmark}",
            f"it belongs to {', '.join(field.benchmarks)}",
            f"leave it out, or run one of these benchmarks ({scenario} was asked for)",
            where,
        )
