"""Triton Inference Server: what it is given to serve, and the engine that asks it."""
