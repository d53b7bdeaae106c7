"""Conversion of ONNX graphs from fp32 to fp16, bf16, int8 and fp8, which every backend compiles unchanged.

The entry point is `graph_for`: the graph in a workload's precision, made once and cached below build/graphs/.
"""

from code.precision.graphs import graph_for

__all__ = ["graph_for"]
