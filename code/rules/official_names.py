"""Names of results as the official checkers know them, also of benchmarks that this harness does not have.

Source: "models", "model_mapping" and get_mlperf_model of the checkers in tools/submission of https://github.com/mlcommons/inference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from code.rules.benchmarks import every_facts
from code.rules.rounds import Round

_VISION = ("resnet", "retinanet", "stable-diffusion-xl")
_TEXT = ("llama2-70b-99", "llama2-70b-99.9", "mixtral-8x7b")
_INTERACTIVE = ("llama2-70b-interactive-99", "llama2-70b-interactive-99.9")
_DLRM = ("dlrm-v2-99", "dlrm-v2-99.9")
_LARGE = ("llama3.1-405b", "deepseek-r1", "whisper", "rgat")
_V60 = ("gpt-oss-120b", "wan-2.2-t2v-a14b", "qwen3-vl-235b-a22b", "dlrm-v3", "yolo-95", "yolo-99")
_V61 = ("qwen3.6-27b", "e2e-rag-qna", "e2e-rag-db")

OTHERS: dict[str, tuple[str, ...]] = {
    "v4.1": (*_VISION, *_DLRM, *_TEXT),
    "v5.0": (*_VISION, *_DLRM, *_TEXT, *_INTERACTIVE, "llama3.1-405b", "rgat", "pointpainting"),
    "v5.1": (*_VISION, *_DLRM, *_TEXT, *_LARGE, "pointpainting"),
    "v6.0": (*_VISION, *_TEXT, *_LARGE, *_V60, "pointpainting"),
    "v6.1": ("resnet", "stable-diffusion-xl", "llama2-70b-99.9", "rgat", "deepseek-r1", "whisper", *_V60, *_V61),
}
"""Round → the names of benchmarks that the harness does not have."""
ALIASES = {
    "ssd-resnet34": "retinanet",
    "mobilenet": "resnet",
    "resnet50": "resnet",
    "llama3_1-405b": "llama3.1-405b",
    **{facts.loadgen_name: facts.name for facts in every_facts() if facts.loadgen_name},
}
_PARTS = {"mobilenet": "resnet", "efficientnet": "resnet", "resnet50": "resnet", "llama3_1-405b": "llama3.1-405b"}
"""Part of a name → the benchmark that the checkers take it for."""


def known_names(round_: Round) -> frozenset[str]:
    """Every name that the round's checker knows."""
    return frozenset((*OTHERS[round_.name], *_own(round_)))


def _own(round_: Round, named_within: bool = False) -> Iterator[str]:
    """The names of the benchmarks here; with `named_within` only of those that are also recognised inside a longer name."""
    for facts in every_facts():
        if round_.name in facts.rounds and (facts.named_within or not named_within):
            yield from (target.full_name for target in facts.targets.values())


def official_name(round_: Round, name: str, mapping: Mapping[str, str]) -> str | None:
    """The benchmark of a results folder called `name`; None where the round's checker knows none.

    Args:
        mapping: the submitter's model_mapping.json, which holds in the open division only.
    """
    known = known_names(round_)
    guesses = [benchmark for part, benchmark in _PARTS.items() if part in name]
    guesses += [own for own in sorted(_own(round_, named_within=True), key=len, reverse=True) if own in name]
    return next((one for one in (name, ALIASES.get(name), mapping.get(name), *guesses) if one in known), None)
