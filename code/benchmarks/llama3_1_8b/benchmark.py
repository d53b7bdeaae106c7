"""Llama 3.1 8B for datacenters: the whole validation split, Offline, Server and Interactive."""

from __future__ import annotations

from code.benchmarks.llama3_1_8b.definition import Llama
from code.benchmarks.llama3_1_8b.facts import FACTS

BENCHMARK = Llama(FACTS)
"""The definition that code/benchmarks/benchmark.py loads."""
