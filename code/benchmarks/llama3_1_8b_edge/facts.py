"""MLPerf Inference's rules for Llama 3.1 8B at the edge, which has the model and the rules of code/benchmarks/llama3_1_8b."""

from __future__ import annotations

from code.benchmarks.llama3_1_8b.facts import EDGE_FACTS

FACTS = EDGE_FACTS
