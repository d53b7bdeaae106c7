"""Cutting GPUs into MIG slices, and putting back what was there before."""
