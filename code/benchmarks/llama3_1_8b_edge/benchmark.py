"""Llama 3.1 8B at the edge: 5,000 articles, Offline and SingleStream."""

from __future__ import annotations

from code.benchmarks.llama3_1_8b.definition import Llama
from code.benchmarks.llama3_1_8b_edge.facts import FACTS

BENCHMARK = Llama(FACTS)
"""The definition that code/benchmarks/benchmark.py loads."""
