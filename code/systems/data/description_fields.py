"""The fields of an MLPerf system description that the official submission checker requires.

Source: SYSTEM_DESC_* in tools/submission of https://github.com/mlcommons/inference (rounds v4.1 to v6.1).
"""

from __future__ import annotations

REQUIRED: tuple[str, ...] = (
    "division",
    "submitter",
    "status",
    "system_name",
    "system_type",
    "system_type_detail",
    "number_of_nodes",
    "host_processor_model_name",
    "host_processors_per_node",
    "host_processor_core_count",
    "host_processor_frequency",
    "host_processor_caches",
    "host_processor_interconnect",
    "host_memory_capacity",
    "host_memory_configuration",
    "host_storage_capacity",
    "host_storage_type",
    "host_networking",
    "host_networking_topology",
    "host_network_card_count",
    "accelerators_per_node",
    "accelerator_model_name",
    "accelerator_memory_capacity",
    "accelerator_memory_configuration",
    "accelerator_frequency",
    "accelerator_host_interconnect",
    "accelerator_interconnect",
    "accelerator_interconnect_topology",
    "accelerator_on-chip_memories",
    "cooling",
    "framework",
    "operating_system",
    "other_software_stack",
    "hw_notes",
    "sw_notes",
)
"""Fields that must be present."""

MEANINGFUL: tuple[str, ...] = (
    "division",
    "submitter",
    "status",
    "system_name",
    "system_type",
    "number_of_nodes",
    "host_processor_model_name",
    "host_processors_per_node",
    "host_processor_core_count",
    "host_memory_capacity",
    "host_memory_configuration",
    "host_storage_capacity",
    "host_storage_type",
    "host_networking",
    "host_networking_topology",
    "host_network_card_count",
    "accelerators_per_node",
    "accelerator_model_name",
    "accelerator_memory_capacity",
    "accelerator_memory_configuration",
    "accelerator_host_interconnect",
    "accelerator_interconnect",
    "cooling",
    "framework",
    "operating_system",
    "other_software_stack",
)
"""Fields that must not be empty."""

ALLOWED: dict[str, tuple[str, ...]] = {
    "division": ("closed", "open", "network"),
    "status": ("available", "preview", "rdi"),
    "system_type": ("datacenter", "edge", "datacenter,edge", "edge,datacenter"),
}
"""Fields with a fixed set of values."""

NETWORK_FIELDS: tuple[str, ...] = (
    "network_type",
    "network_media",
    "network_rate",
    "nic_loadgen",
    "number_nic_loadgen",
    "net_software_stack_loadgen",
    "network_protocol",
    "number_connections",
    "nic_sut",
    "number_nic_sut",
    "net_software_stack_sut",
    "network_topology",
)
"""Required of a system that is measured over a network (is_network)."""

BY_HAND: tuple[str, ...] = (
    "division",
    "submitter",
    "status",
    "system_type",
    "host_memory_configuration",
    "host_processor_interconnect",
    "accelerator_interconnect_topology",
    "cooling",
    "hw_notes",
    "sw_notes",
)
"""Fields that detection never fills; a value in one of them was entered by hand."""

HINTS: dict[str, str] = {
    "division": "closed, open or network",
    "submitter": "your organisation, spelled as the submission's folder",
    "status": "available, preview or rdi",
    "system_type": "datacenter, edge, or datacenter,edge",
    "host_memory_configuration": "modules, such as 32x 64GB DDR5-4800 (sudo dmidecode -t memory)",
    "host_storage_capacity": "such as 2 TB",
    "host_storage_type": "such as NVMe SSD",
    "host_networking": "such as Ethernet, 100 Gbit/s",
    "host_networking_topology": "how it is connected, or N/A for one machine",
    "host_network_card_count": "such as 2x 100Gbe",
    "accelerator_memory_configuration": "such as HBM3",
    "accelerator_host_interconnect": "such as PCIe Gen5 x16",
    "accelerator_interconnect": "such as NVLink, or N/A",
    "cooling": "such as Air or Liquid",
    "framework": "runtime and version",
    "operating_system": "name and version",
    "other_software_stack": "drivers and libraries with versions",
}
"""Expected content of fields that cannot always be detected."""
