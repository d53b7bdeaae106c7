"""Rows for logs, power and clocks, and for options of other harnesses."""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.limits import BATCH, COUNT, HERTZ, MICROSECONDS, THREADS
from code.fields.rows.words import LOG, NODES, OFF, POWER, SERVER, row

ROWS: tuple[Field, ...] = (
    # ── logs ────────────────────────────────────────────────────────────
    row(LOG, "log_dir", "str", "Directory for results; default: build/logs/<timestamp>."),
    row(LOG, "verbose", "bool", "Print more details."),
    row(LOG, "verbose_glog", "int", "Verbosity in older harnesses.", limits=(0, 100)),
    row(LOG, "verbose_nvtx", "bool", "Mark ranges for a profiler."),
    row(LOG, "log_enable_trace", "bool", "Let LoadGen write mlperf_log_trace.json (large)."),
    row(
        LOG,
        "log_mode",
        "str",
        "LoadGen's logging mode: AsyncPoll, EndOfTestOnly, Synchronous.",
        choices=("AsyncPoll", "EndOfTestOnly", "Synchronous"),
    ),
    row(LOG, "log_mode_async_poll_interval_ms", "int", "LoadGen's polling interval.", unit="ms", limits=(1, 3_600_000)),
    row(LOG, "log_copy_detail_to_stdout", "bool", "Copy LoadGen's detail log to the terminal."),
    row(LOG, "disable_log_copy_summary_to_stdout", "bool", "Do not copy LoadGen's summary to stdout.txt."),
    row(LOG, "logfile_prefix_with_datetime", "bool", "Prefix LoadGen's file names with date and time."),
    row(LOG, "logfile_suffix", "str", "Suffix of LoadGen's file names."),
    row(
        LOG,
        "telemetry",
        "bool",
        "Record load, clocks, power, temperature and throttling of the machine during each test into telemetry.npz.",
        default=True,
    ),
    # ── power and clocks ────────────────────────────────────────────────────────────
    row(
        POWER,
        "power_limit",
        "int",
        "Power limit of each GPU during a test; put back afterwards. Needs root.",
        unit="W",
        limits=(0, 100000),
    ),
    row(
        POWER,
        "cpu_freq",
        "int",
        "Highest clock of each processor during a test; put back afterwards. Needs root.",
        unit="kHz",
        limits=HERTZ,
    ),
    row(POWER, "vboost_slider", "int", "GPU voltage boost.", limits=(0, 100)),
    row(POWER, "soc_cpu_freq", "int", "CPU clock.", unit="Hz", limits=HERTZ),
    row(POWER, "soc_dla_freq", "int", "DLA clock.", unit="Hz", limits=HERTZ),
    row(POWER, "soc_emc_freq", "int", "Memory clock.", unit="Hz", limits=HERTZ),
    row(POWER, "soc_gpu_freq", "int", "GPU clock.", unit="Hz", limits=HERTZ),
    row(POWER, "soc_pva_freq", "int", "PVA clock.", unit="Hz", limits=HERTZ),
    row(POWER, "orin_num_cores", "int", "CPU cores in use.", limits=THREADS),
    row(POWER, "orin_skip_maxq_reset", "bool", "Leave clocks as they are.", default=False),
    row(POWER, "dla_batch_size", "batch", "Maximum batch size on a DLA.", limits=BATCH),
    row(POWER, "dla_copy_streams", "int", "Copy streams per DLA.", limits=THREADS),
    row(POWER, "dla_core", "int", "Which DLA.", limits=THREADS),
    row(POWER, "dla_inference_streams", "int", "Inference streams per DLA.", limits=THREADS),
    row(POWER, "dla_num_batchers", "int", "Batchers per DLA.", limits=THREADS),
    row(POWER, "dla_num_issuers", "int", "Issuers per DLA.", limits=THREADS),
    row(POWER, "max_dlas", "int", "Maximum number of DLAs.", limits=THREADS),
    # ── several machines ────────────────────────────────────────────────────────────
    row(
        NODES,
        "num_nodes",
        "int",
        "Nodes that compute, each a Ray actor; default: this machine alone.",
        limits=(1, 1024),
        aliases=("nodes",),
    ),
    row(
        NODES,
        "ray_address",
        "str",
        "Ray cluster of the nodes: auto, HOST:PORT, or local:2 for two on this machine (`make cluster`).",
    ),
    row(
        NODES,
        "tolerate_node_loss",
        "bool",
        "Offline goes on without a node that is lost; the result says so, and is for the open division only.",
        scenarios=(OFF,),
    ),
    # ── Triton ────────────────────────────────────────────────────────────
    row(SERVER, "use_triton", "bool", "Compute behind Triton Inference Server; set by config versions with triton."),
    row(SERVER, "triton_url", "str", "HOST:PORT of a running server's gRPC or HTTP endpoint, instead of starting one."),
    row(
        SERVER,
        "triton_protocol",
        "str",
        "How the server is asked: grpc, http, or in_process by its C API; default: in_process for triton_unified, else grpc.",
        choices=("grpc", "http", "in_process"),
    ),
    row(SERVER, "triton_server", "str", "The program tritonserver; default: that of `make triton`, else of PATH.", reads=True),
    row(
        SERVER,
        "triton_backend",
        "str",
        "What computes in the server: python, with this project's runners, or own, Triton's backend for the engine; default: python.",
        choices=("python", "own"),
    ),
    row(
        SERVER,
        "triton_port",
        "int",
        "Port of a server that is started, of its protocol; default: any free one.",
        limits=(1, 65535),
    ),
    row(
        SERVER,
        "triton_shared_memory",
        "bool",
        "Pass tensors in system shared memory; default: where the server is on this machine.",
    ),
    row(
        SERVER, "batch_triton_requests", "bool", "False: requests of one sample, which Triton's batcher joins; default: batches."
    ),
    row(SERVER, "buffer_manager_thread_count", "int", "Threads that copy the parts of a batch.", default=0, limits=THREADS),
    row(
        SERVER,
        "gather_kernel_buffer_threshold",
        "int",
        "Parts of a batch from which a kernel gathers them.",
        default=0,
        limits=COUNT,
    ),
    row(
        SERVER, "instance_group_count", "int", "Copies of the model on each device; default: its streams.", limits=(1, THREADS[1])
    ),
    row(
        SERVER,
        "max_queue_delay_usec",
        "int",
        "How long Triton's batcher waits for a larger batch.",
        unit="µs",
        limits=MICROSECONDS,
    ),
    row(SERVER, "num_concurrent_batchers", "int", "Batchers at once.", default=1, limits=THREADS),
    row(
        SERVER,
        "num_concurrent_issuers",
        "int",
        "With use_concurrent_harness: requests in flight a stream.",
        default=1,
        limits=THREADS,
    ),
    row(SERVER, "output_pinned_memory", "bool", "Outputs in pinned memory."),
    row(SERVER, "preferred_batch_size", "str", "Batch sizes that Triton's batcher waits for, such as 8,16."),
    row(
        SERVER,
        "request_timeout_usec",
        "int",
        "Most time in Triton's queue; 0: any.",
        unit="µs",
        limits=MICROSECONDS,
    ),
    row(SERVER, "use_concurrent_harness", "bool", "Several requests in flight for each stream: num_concurrent_issuers."),
)
