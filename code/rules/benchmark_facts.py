"""The types of a benchmark's facts, which each benchmark's package defines (code/benchmarks/<package>/facts.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from code.rules.rounds import BOTH, DATACENTER, EDGE, INTERACTIVE

Family = Literal["encoder", "text", "volume"]
"""Kind of network: token sequences in one pass, generated text, or volumes that a window slides over."""

Scenarios = Mapping[str, tuple[str, ...]]
"""Category → the scenarios that a closed submission must have."""

GB = 10**9


@dataclass(frozen=True)
class Target:
    """One accuracy target.

    Args:
        full_name: the name in results: 'bert-99.9'.
        least: metric → minimum value that passes.
        most: metric → maximum value that passes.
    """

    full_name: str
    least: Mapping[str, float]
    most: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenBounds:
    """Bounds of token latencies in ns, each for 99 % of the queries.

    Args:
        first: time to the first token.
        each: time for each token after it.
    """

    first: int
    each: int

    def whole(self, tokens: int) -> int:
        """The most that a text of `tokens` takes within both, in ns."""
        return self.first + self.each * (tokens - 1)


@dataclass(frozen=True)
class RoundRules:
    """What a round requires of a benchmark in the closed division (inference_rules.adoc, tools/submission).

    Args:
        required: category → the scenarios that a submission must have.
        optional: category → the scenarios that it may have beside them.
        audits: the audit tests that each result must have.
        server_latency_ns: the most a Server run's latency bound may be; None where the round has no Server for it.
        counts_tokens: the official checker reports Offline and Server in tokens per second.
        required_at: full name of a target → its own `required`, for a target of which the round asks something else.
        token_bounds: scenario → the bounds of its token latencies, where LoadGen bounds those instead of the whole latency.
        endpoint: the official checker also takes results of MLCommons endpoints' client for it (ENDPOINTS_ALLOWED_MODELS).
    """

    required: Scenarios
    audits: tuple[str, ...] = ()
    server_latency_ns: int | None = None
    counts_tokens: bool = False
    required_at: Mapping[str, Scenarios] = field(default_factory=dict)
    optional: Scenarios = field(default_factory=dict)
    token_bounds: Mapping[str, TokenBounds] = field(default_factory=dict)
    endpoint: bool = False

    def allowed(self, category: str, full_name: str = "") -> tuple[str, ...]:
        """The scenarios that a submission of a category may have: the required and the optional ones."""
        return (*self.scenarios(category, full_name), *self.optional.get(_named(category), ()))

    def scenarios(self, category: str, full_name: str = "") -> tuple[str, ...]:
        """The scenarios of a category; () where the benchmark is not in it. 'edge,datacenter' and its reverse mean the same.

        Args:
            full_name: 'bert-99.9', the benchmark at one of its targets; '' for any.
        """
        return self.required_at.get(full_name, self.required).get(_named(category), ())


def _named(category: str) -> str:
    """A category as the rules name it."""
    return BOTH if {word.strip() for word in category.split(",")} == {DATACENTER, EDGE} else category


@dataclass(frozen=True)
class Audits:
    """How a benchmark is audited (mlcommons/inference, compliance/).

    Args:
        tests: the audit tests that can be run for it, whether a round requires them or not.
        element: numpy's name for the type of a response's elements.
        sampling: test → accuracy_log_sampling_target, for the tests that log responses.
    """

    tests: tuple[str, ...]
    element: str
    sampling: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Space:
    """Bytes that a benchmark's parts need on the scratch disk, rounded up."""

    data: int
    model: int
    preprocessed: int
    engines: int

    @property
    def total(self) -> int:
        """All parts together."""
        return self.data + self.model + self.preprocessed + self.engines


@dataclass(frozen=True)
class PublishedFile:
    """A file or folder of MLPerf's reference.

    Args:
        path: its location below the build folder.
        url: its newest download URL; '' for a folder filled by several downloads.
        also: older or other URLs, asked in this order if the first does not give it.
        label: readable name.
        kind: the make target that fetches it: 'data' for download_data, 'model' for download_model.
        size: bytes, where known.
        sha256: its digest, if known; otherwise that of the first download is recorded.
        md5: the digest published by MLCommons or Zenodo, if they give no other.
        megabytes: approximate size, for messages.
        licence: the licence that its publisher states, and an account if one is needed.
    """

    path: str
    url: str = ""
    label: str = ""
    kind: Literal["data", "model"] = "data"
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    megabytes: int = 0
    also: tuple[str, ...] = ()
    licence: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """Every source, in the order in which they are asked."""
        return (self.url, *self.also) if self.url else self.also

    @property
    def about(self) -> int:
        """Its size in bytes, approximate where it is not pinned."""
        return self.size or self.megabytes * 10**6


@dataclass(frozen=True)
class TextFacts:
    """How a benchmark of the family "text" generates.

    Args:
        num_beams: width of the beam search; 1 is greedy search.
        min_new_tokens, max_new_tokens: bounds of a text's length, the end of text counted.
        longest_input: maximum tokens of a prompt; longer ones are cut.
        end_token: the reference tokenizer's end of text, or of a turn.
        architecture: `model_type` in the reference checkpoint's config.json.
    """

    num_beams: int
    min_new_tokens: int
    max_new_tokens: int
    longest_input: int
    end_token: int
    architecture: str


@dataclass(frozen=True)
class BenchmarkFacts:
    """Fixed facts of a benchmark that code outside its package needs.

    Args:
        name: short name.
        family: the kind of network, which decides what may run it.
        scenarios: the scenarios that MLPerf defines for it.
        samples: samples of the data set: a performance run holds at least as many, an accuracy run covers exactly as many.
        targets: name of an AccuracyTarget → target, the lowest first.
        rounds: round → its rules; a round that is absent does not have the benchmark.
        audits: how it is audited.
        space: model variant → disk space.
        files: what the reference variant reads.
        whole_passes: mlperf.conf makes whole passes over the data set (sample_concatenate_permutation = 1).
        calibration_list: MLPerf's list of calibration samples, a file below the data folder; '' where samples are drawn.
        longest_input: most tokens of a sample, for which engines are built; None where an engine has no such dimension.
        optimal_length_field: the field that says which length an engine is tuned for; '' where it is the longest.
        high_accuracy_precision: GPU precision that keeps 99.9 % of the reference accuracy; '' where the usual one does.
        lone_sample: how many times longer one sample alone takes on a GPU than its share of a full batch, at most.
        lone_seconds: what one sample alone takes on the fastest GPUs, roughly; on slower ones it is bound by their work instead.
        length_spread: 65 quantiles (0, 1/64 … 1) of the samples' lengths in the data set's own unit (tokens, windows).
        text: how it generates; only in the family "text".
        import_field: the field that names a file of the user's own which the data set is made of; '' where there is none.
        checker_faults: commit of an official checker → the scenarios, as they were run, that it rejects because of a bug.
        named_within: the official checkers take any name that contains one of its results' names for it.
        loadgen_name: LoadGen's model name; '' where it is the short name.
    """

    name: str
    family: Family
    scenarios: tuple[str, ...]
    samples: int
    targets: Mapping[str, Target]
    rounds: Mapping[str, RoundRules]
    audits: Audits
    space: Mapping[str, Space]
    files: tuple[PublishedFile, ...] = ()
    whole_passes: bool = False
    calibration_list: str = ""
    longest_input: int | None = None
    optimal_length_field: str = ""
    high_accuracy_precision: str = ""
    lone_sample: float = 1.0
    lone_seconds: float = math.inf
    length_spread: tuple[int, ...] = ()
    text: TextFacts | None = None
    import_field: str = ""
    checker_faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    named_within: bool = False
    loadgen_name: str = ""

    def loadgen_model(self, scenario: str) -> str:
        """LoadGen's name of the model in a scenario of configs and results; mlperf.conf has Interactive as a model of its own."""
        name = self.loadgen_name or self.name
        return f"{name}-{scenario.lower()}" if scenario == INTERACTIVE else name

    @property
    def source_fields(self) -> tuple[str, ...]:
        """The fields that select a user's own model or data."""
        return tuple(name for name in ("model_path", "data_path", self.import_field) if name)
