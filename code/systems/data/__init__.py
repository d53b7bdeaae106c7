"""Data tables, one file each: GPUs, MIG slices, processors, systems, fields of system descriptions, public results."""
