"""Options that are accepted but have no effect, each with the reason shown to the user.

They are in the table because public configs set them. A row belongs here until a consumer declares it
(code/fields/consumer.py); tests/unit/test_fields.py refuses an option that is in both places or in neither.
"""

from __future__ import annotations

from code.fields.rows import rounds
from code.fields.rows.others import ACCEPTED_OTHERS

JETSON = "it sets Jetson hardware, which this harness does not run on"
BATCHERS = "each stream batches for itself"
GEMM_PLUGIN = "it configures a GEMM plugin of NVIDIA's harness; graphs that use the plugin load with plugin_libs"
LWIS = "it tunes the thread layout of NVIDIA's LWIS harness; here each stream has threads of its own"
OWN_STREAM = "computing has a CUDA stream of its own"
FROM_GRAPH = "the ONNX graph defines it"
CLOCKS = "NVML has no call for it; set it before the run with `nvidia-smi boost-slider`"
PREPROCESSED = "inputs come from preprocessed_data_dir, where `make preprocess_data` writes them"
LOADGEN_FILES = "LoadGen's file names are fixed: results and the submission checker read mlperf_log_detail.txt"

ACCEPTED: dict[str, str] = {
    # model and data
    "tensor_path": PREPROCESSED,
    "map_path": "the samples of a data set are listed in its preprocessed folder",
    "input_dtype": FROM_GRAPH,
    "input_format": FROM_GRAPH,
    # LoadGen
    "performance_sample_count": "the data set defines it; performance_sample_count_override changes how many samples LoadGen draws from",
    # batches, streams and devices
    "run_infer_on_copy_streams": OWN_STREAM,
    "coalesced_tensor": "each input is one memory-mapped array already",
    "end_on_device": "outputs are copied to host memory, where LoadGen reads them",
    "use_direct_host_access": "inputs are copied to device memory",
    "assume_contiguous": "each sample is read in place",
    "use_batcher_thread_per_device": LWIS,
    "use_cuda_thread_per_device": LWIS,
    "complete_threads": LWIS,
    "use_same_context": "each stream has its own execution context",
    "use_jemalloc": "the harness uses the allocator of the system, or the one that LD_PRELOAD names",
    # engine
    "active_sms": "TensorRT has no such switch; use MIG or MPS to run on a part of a GPU",
    "energy_aware_kernels": "TensorRT has no such switch; power_limit sets a power limit for the run",
    "gemm_plugin_fairshare_cache_size": GEMM_PLUGIN,
    "use_small_tile_gemm_plugin": GEMM_PLUGIN,
    "graph_specs": "CUDA graphs are captured for the shapes that warm-up meets; graphs_max_seqlen and graphs_max_memory bound them",
    "cache_file": "scales are in the quantised ONNX graph, which `make calibrate` writes",
    # 3D-UNet
    "slice_overlap_patch_kernel_cg_impl": "it chooses between kernels of NVIDIA's harness",
    "unet3d_sw_gaussian_patch_path": "the window's Gaussian weights are computed",
    # logs
    "verbose_glog": "the harness does not log through glog",
    "verbose_nvtx": "the harness has no NVTX ranges",
    "logfile_suffix": LOADGEN_FILES,
    "logfile_prefix_with_datetime": LOADGEN_FILES,
    # power and clocks
    "vboost_slider": CLOCKS,
    "soc_cpu_freq": JETSON,
    "soc_dla_freq": JETSON,
    "soc_emc_freq": JETSON,
    "soc_gpu_freq": JETSON,
    "soc_pva_freq": JETSON,
    "orin_num_cores": JETSON,
    "orin_skip_maxq_reset": JETSON,
    "dla_batch_size": JETSON,
    "dla_copy_streams": JETSON,
    "dla_core": JETSON,
    "dla_inference_streams": JETSON,
    "dla_num_batchers": JETSON,
    "dla_num_issuers": JETSON,
    "max_dlas": JETSON,
    # Triton
    "num_concurrent_batchers": BATCHERS,
    **ACCEPTED_OTHERS,
    **rounds.REASONS,
}
"""Option → why it is ignored."""
