"""Rows for options that config files of single rounds or submitters have, and that nothing here acts on.

Each has its reason beside it. Their values are not read: they may be of any type.
"""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.words import OTHER, row

NETWORK = "it configures the nodes of the network division, which this harness does not run"
DLRM = "it is for dlrm, which this harness does not have"

WORDS: dict[str, tuple[str, ...]] = {
    NETWORK: (
        *("SUT_uses_host_mem_for_RDMA", "enable_max_transactions_per_connection", "lon_netid", "lon_numa_config"),
        *("lon_uses_one_issue_queue", "max_transactions_per_connection", "max_wait_before_sending_us", "nic_mapping"),
        *("num_ibqps_per_nic", "round_robin_samples_to_multi_issue_queue", "smart_balance_samples_to_multi_issue_queue"),
        *("sut_netid", "sut_nic_gpu_affinity", "sut_numa_config", "tcp_port"),
    ),
    DLRM: (
        *("interaction_op_precision_override", "mega_table_npy_file", "mega_table_scales_npy_file", "reduced_precision_io"),
        *("row_frequencies_npy_filepath", "top_mlp_precision_override"),
    ),
    "it is for stable-diffusion-xl, which this harness does not have": ("sdxl_shallow_unet_steps",),
    "it is for llama2-70b, which this harness does not have": ("quant_model_path",),
    "it configures several Triton servers; here one is started, or named with triton_url": ("triton_grpc_ports",),
}
"""Reason → the options that it is given for."""

REASONS: dict[str, str] = {name: reason for reason, names in WORDS.items() for name in names}
"""Option → why it changes nothing."""

ROWS: tuple[Field, ...] = tuple(row(OTHER, name, "any", "An option of other harnesses.") for name in REASONS)
