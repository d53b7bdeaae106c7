"""Precision lives in the ONNX graph: fp32 → fp16, bf16, int8 and fp8 graphs that every backend compiles unchanged.

`graph_for` is the door: it answers with the graph of a workload's precision, made once and kept below build/graphs/.
"""

from code.precision.graphs import graph_for

__all__ = ["graph_for"]
