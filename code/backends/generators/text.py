"""What text generators ask of a benchmark of the family "text", beside what every benchmark offers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.rules.benchmark_facts import BenchmarkFacts, TextFacts
from code.rules.benchmarks import BENCHMARKS, facts_of, of_family

READS = Consumer(
    "text generators",
    ("benchmark",),
    engine=True,
    backends=("openvino_genai", "tensorrt_llm", "tensorrt_llm_api", "pytorch", "openai", "triton_llm"),
)

IR, IR_WEIGHTS = "openvino_model.xml", "openvino_model.bin"
"""A model in OpenVINO's format, under the names that OpenVINO GenAI looks for."""


class TextModel(Protocol):
    """A complete model folder."""

    @property
    def positions(self) -> int:
        """The most tokens that prompt and text have together."""

    @property
    def parameters(self) -> int:
        """Approximate number of weights."""

    @property
    def kv_numbers(self) -> int:
        """Number of KV cache elements per token."""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The files of a Hugging Face checkpoint's weights; () where there are none."""

    @property
    def is_exported(self) -> bool:
        """Whether it is in OpenVINO's format already."""


class TextDefinition(Protocol):
    """A benchmark that a text generator runs."""

    @property
    def graph_version(self) -> int:
        """Version of `to_openvino`; increment it when the same model gives another graph."""

    def num_beams(self, values: Mapping[str, Any]) -> int | None:
        """Width of the beam search where the workload's fields say one; None for the benchmark's own."""

    def open_model(self, folder: Path) -> TextModel:
        """The model in `folder`. MissingError when a file is absent, RunError or UsageError when it is not the benchmark's architecture."""

    def to_openvino(self, model: Path, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
        """Write IR, IR_WEIGHTS and config.json of the model in `model` into `folder`; returns how they were made.

        Args:
            precision: of the weights.
            candidates: how many of the best next tokens a search looks at.

        Raises MissingError where a package is not installed, RunError where the model cannot be exported or written.
        """


def require_text(backend: str, values: Mapping[str, Any]) -> tuple[BenchmarkFacts, TextFacts]:
    """The facts of the benchmark that `values` are for; UsageError where it is not of the family "text"."""
    facts = facts_of(str(READS.of(values)["benchmark"]))
    if facts.text is None:
        raise UsageError(
            f"{backend} generates text and does not support {facts.name}",
            f"it is for {', '.join(of_family('text'))}",
            "omit --backend, or select one of the benchmark's",
        )
    return facts, facts.text


def text_definition(name: str) -> TextDefinition:
    """What the benchmark called `name`, of the family "text", offers to generators.

    It is looked up by name, because benchmarks stand above backends.
    """
    return cast(TextDefinition, importlib.import_module(f"{BENCHMARKS[name]}.benchmark").BENCHMARK)
