"""Limits of a machine that a run sets and puts back: power of GPUs, clock of processors."""
