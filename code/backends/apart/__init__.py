"""Engines in processes of their own, for devices that CUDA shows a process one at a time: MIG slices."""
