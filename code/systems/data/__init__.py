"""The tables: one file each for GPUs, MIG slices, processors, systems, and the fields of a system description."""
