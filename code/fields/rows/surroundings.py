"""What is around a run: logs, power and clocks, and what only other harnesses have."""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.words import JETSON, LOG, POWER, SERVER, TRITON, row

ROWS: tuple[Field, ...] = (
    # ── logs ────────────────────────────────────────────────────────────
    row(LOG, "log_dir", "str", "Folder for results, instead of build/logs/<timestamp>."),
    row(LOG, "verbose", "bool", "Say more.", "ehca"),
    row(LOG, "verbose_glog", "int", "Verbosity as older harnesses name it.", "ehca"),
    row(LOG, "verbose_nvtx", "bool", "Mark ranges for a profiler.", "ehca"),
    row(LOG, "log_enable_trace", "bool", "Let LoadGen write mlperf_log_trace.json (large)."),
    row(LOG, "log_mode", "str", "LoadGen's logging mode: AsyncPoll, EndOfTestOnly, Synchronous."),
    row(LOG, "log_mode_async_poll_interval_ms", "int", "LoadGen's polling interval.", unit="ms"),
    row(LOG, "log_copy_detail_to_stdout", "bool", "LoadGen's detail log on the terminal too."),
    row(LOG, "disable_log_copy_summary_to_stdout", "bool", "No LoadGen summary in stdout.txt."),
    row(LOG, "logfile_prefix_with_datetime", "bool", "Date and time before LoadGen's file names."),
    row(LOG, "logfile_suffix", "str", "Suffix of LoadGen's file names."),
    # ── power and clocks ────────────────────────────────────────────────────────────
    row(POWER, "power_limit", "int", "GPU power limit.", unit="W"),
    row(POWER, "cpu_freq", "int", "CPU clock.", unit="kHz"),
    row(POWER, "vboost_slider", "int", "GPU voltage boost."),
    row(POWER, "soc_cpu_freq", "int", "CPU clock.", unit="Hz", elsewhere=JETSON),
    row(POWER, "soc_dla_freq", "int", "DLA clock.", unit="Hz", elsewhere=JETSON),
    row(POWER, "soc_emc_freq", "int", "Memory clock.", unit="Hz", elsewhere=JETSON),
    row(POWER, "soc_gpu_freq", "int", "GPU clock.", unit="Hz", elsewhere=JETSON),
    row(POWER, "soc_pva_freq", "int", "PVA clock.", unit="Hz", elsewhere=JETSON),
    row(POWER, "orin_num_cores", "int", "CPU cores in use.", elsewhere=JETSON),
    row(POWER, "orin_skip_maxq_reset", "bool", "Leave clocks as they are.", default=False, elsewhere=JETSON),
    row(POWER, "dla_batch_size", "batch", "Most samples in a batch on a DLA.", elsewhere=JETSON),
    row(POWER, "dla_copy_streams", "int", "Copy streams per DLA.", elsewhere=JETSON),
    row(POWER, "dla_core", "int", "Which DLA.", elsewhere=JETSON),
    row(POWER, "dla_inference_streams", "int", "Inference streams per DLA.", elsewhere=JETSON),
    row(POWER, "dla_num_batchers", "int", "Batchers per DLA.", elsewhere=JETSON),
    row(POWER, "dla_num_issuers", "int", "Issuers per DLA.", elsewhere=JETSON),
    row(POWER, "max_dlas", "int", "Most DLAs in use.", elsewhere=JETSON),
    # ── Triton ────────────────────────────────────────────────────────────
    row(SERVER, "use_triton", "bool", "Serve through Triton.", elsewhere=TRITON),
    row(SERVER, "batch_triton_requests", "bool", "Batch requests before they are sent.", elsewhere=TRITON),
    row(SERVER, "buffer_manager_thread_count", "int", "Threads of the buffer pool.", default=0, elsewhere=TRITON),
    row(SERVER, "gather_kernel_buffer_threshold", "int", "Threshold of the gather kernel.", default=0, elsewhere=TRITON),
    row(SERVER, "instance_group_count", "int", "Model instances.", elsewhere=TRITON),
    row(SERVER, "max_queue_delay_usec", "int", "Dynamic batcher's delay.", unit="µs", elsewhere=TRITON),
    row(SERVER, "num_concurrent_batchers", "int", "Batchers at once.", default=1, elsewhere=TRITON),
    row(SERVER, "num_concurrent_issuers", "int", "Issuers at once.", default=1, elsewhere=TRITON),
    row(SERVER, "output_pinned_memory", "bool", "Outputs in pinned memory.", elsewhere=TRITON),
    row(SERVER, "preferred_batch_size", "str", "Batch sizes that Triton prefers.", elsewhere=TRITON),
    row(SERVER, "request_timeout_usec", "int", "Request time-out.", unit="µs", elsewhere=TRITON),
    row(SERVER, "use_concurrent_harness", "bool", "Issue from several threads.", elsewhere=TRITON),
)
