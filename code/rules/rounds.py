"""What differs from round to round, as data: seeds, benchmarks, required scenarios, audit tests, layout, official checker.

Source: mlperf.conf and tools/submission of https://github.com/mlcommons/inference, and the MLPerf Inference rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from code.common.errors import UsageError, unknown

OFFLINE, SERVER, SINGLE, MULTI = "Offline", "Server", "SingleStream", "MultiStream"
DATACENTER, EDGE, BOTH = "datacenter", "edge", "datacenter,edge"
CATEGORIES = (DATACENTER, EDGE, BOTH)
DIVISIONS = ("closed", "open")
STATUSES = ("available", "preview", "rdi")


@dataclass(frozen=True)
class BenchmarkRules:
    """What the rules ask of one benchmark at one accuracy target.

    Args:
        short: its short name, which is also LoadGen's model name.
        samples: of the data set; a performance run holds at least as many, an accuracy run covers exactly as many.
        targets: metric → the least value that passes.
        server_latency_ns: the Server bound that rounds with Server for it enforce; None where there is none.
    """

    short: str
    samples: int
    targets: Mapping[str, float]
    server_latency_ns: int | None = None


_GPTJ_99 = {"ROUGE1": 42.556635, "ROUGE2": 19.922265, "ROUGEL": 29.688219, "GEN_LEN": 3615190.2}
_GPTJ_999 = {"ROUGE1": 42.9435135, "ROUGE2": 20.1033765, "ROUGEL": 29.9581119, "GEN_LEN": 3615190.2}
BENCHMARKS: dict[str, BenchmarkRules] = {
    "bert-99": BenchmarkRules("bert", 10833, {"F1": 89.96526}, 130_000_000),
    "bert-99.9": BenchmarkRules("bert", 10833, {"F1": 90.783126}, 130_000_000),
    "gptj-99": BenchmarkRules("gptj", 13368, _GPTJ_99, 20_000_000_000),
    "gptj-99.9": BenchmarkRules("gptj", 13368, _GPTJ_999, 20_000_000_000),
    "3d-unet-99": BenchmarkRules("3d-unet", 43, {"DICE": 0.853083}),
    "3d-unet-99.9": BenchmarkRules("3d-unet", 43, {"DICE": 0.8608383}),
}

Scenarios = Mapping[str, tuple[str, ...]]
_EDGE_ONLY: Scenarios = {EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE)}
_UNET: Scenarios = {DATACENTER: (OFFLINE,), EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE)}
_SERVED: Scenarios = {DATACENTER: (SERVER, OFFLINE), EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE, SERVER)}


@dataclass(frozen=True)
class OfficialChecker:
    """The official checker of a round.

    Args:
        commit: of mlcommons/inference, pinned.
        script: in that repository, below its root.
        modern: it is the package that came with v6.0; the older script has other options.
        trips_on: (short benchmark, scenario as it was run) of results that it refuses by a fault of its own.
        stricter: what it asks beyond the round's other checkers.
    """

    commit: str
    script: str = "tools/submission/submission_checker/main.py"
    modern: bool = True
    trips_on: frozenset[tuple[str, str]] = frozenset()
    stricter: str = ""


CURRENT = OfficialChecker("b66003e10e2db4b8c36a448b0545ec90fcc6e9e9", trips_on=frozenset({("gptj", OFFLINE)}))
"""Its table of the least Offline query (OFFLINE_MIN_SPQ_SINCE_V4) lost gptj with v5.1, and it looks there in every round."""
OLD_SCRIPT = "tools/submission/submission_checker.py"
V50 = OfficialChecker(
    "b0ce3feb6f60b5b8b3fe5c7b4ad3d86b25be77b6", OLD_SCRIPT, modern=False, stricter="takes only VALID results, in open too"
)
"""The last one before v5.1."""
V41 = OfficialChecker("fd021be1b7f005c5911fe71481b01a512abaa3d4", OLD_SCRIPT, modern=False)


@dataclass(frozen=True)
class Round:
    """One round.

    Args:
        name: 'v6.1'.
        seeds: LoadGen's three seeds.
        layout: a key of `layout.LAYOUTS`.
        required: short benchmark → category → the scenarios that a closed submission must have.
        audits: short benchmark → the audit tests that a closed submission must have.
        checkers: official checkers that know the round, the pinned one first; another is used where MLPERF_INFERENCE_DIR has it.
        server_latency: whether the Server bounds apply (bert has no Server scenario in closed after v4.1).
    """

    name: str
    seeds: Mapping[str, int]
    layout: str
    required: Mapping[str, Scenarios]
    audits: Mapping[str, tuple[str, ...]]
    checkers: tuple[OfficialChecker, ...] = (CURRENT,)

    def has(self, benchmark_full: str) -> bool:
        """Whether the round has the benchmark."""
        rules = BENCHMARKS.get(benchmark_full)
        return rules is not None and rules.short in self.required

    def scenarios(self, benchmark_full: str, category: str) -> tuple[str, ...]:
        """The scenarios a closed submission must have; () where the benchmark is not in that category."""
        rules = BENCHMARKS.get(benchmark_full)
        return self.required.get(rules.short, {}).get(_category(category), ()) if rules else ()

    def tests(self, short: str) -> tuple[str, ...]:
        """The audit tests of a benchmark."""
        return self.audits.get(short, ())


def _category(text: str) -> str:
    words = {word.strip() for word in text.split(",")}
    return BOTH if words == {DATACENTER, EDGE} else text


def _seeds(qsl: int, sample: int, schedule: int) -> dict[str, int]:
    return {"qsl_rng_seed": qsl, "sample_index_rng_seed": sample, "schedule_rng_seed": schedule}


_TEST01: Scenarios = {"bert": ("TEST01",), "3d-unet": ("TEST01",)}
_SINCE_51: Mapping[str, Scenarios] = {"bert": _EDGE_ONLY, "3d-unet": _UNET}
ROUNDS: dict[str, Round] = {
    r.name: r
    for r in (
        Round(
            "v4.1",
            _seeds(3066443479025735752, 10688027786191513374, 14962580496156340209),
            "beside",
            {"bert": _SERVED, "gptj": _SERVED, "3d-unet": _UNET},
            {"bert": ("TEST01", "TEST05"), "3d-unet": ("TEST01", "TEST05"), "gptj": ()},
            (V41,),
        ),
        Round(
            "v5.0",
            _seeds(6023615788873153749, 15036839855038426416, 9933818062894767841),
            "beside",
            {"bert": _EDGE_ONLY, "gptj": _SERVED, "3d-unet": _UNET},
            {**_TEST01, "gptj": ("TEST06",)},
            (CURRENT, V50),
        ),
        Round(
            "v5.1",
            _seeds(1780908523862526354, 14771362308971278857, 18209322760996052031),
            "beside",
            _SINCE_51,
            _TEST01,
        ),
        Round(
            "v6.0",
            _seeds(2465351861681999779, 14276810075590677512, 3936089224930324775),
            "inside",
            _SINCE_51,
            _TEST01,
        ),
        Round(
            "v6.1",
            _seeds(2085463073848966840, 2747215439041700203, 16159082839903944936),
            "inside",
            _SINCE_51,
            _TEST01,
        ),
    )
}
NEWEST = "v6.1"


def round_named(name: str) -> Round:
    """The round called `name` ('v6.1' or '6.1'); UsageError for an unknown one."""
    found = ROUNDS.get(name if name.startswith("v") else f"v{name}")
    if found is None:
        raise unknown("round", name, ROUNDS, "--round")
    return found


def newest_with(short: str) -> Round:
    """The newest round that has a benchmark; UsageError where none has."""
    for item in reversed(ROUNDS.values()):
        if short in item.required:
            return item
    raise UsageError(f"no round has the benchmark {short}", f"known rounds: {', '.join(ROUNDS)}", "stage another benchmark")


def round_seeds(name: str | None) -> dict[str, int]:
    """The seeds of a round; {} for None, which leaves them to LoadGen's own mlperf.conf."""
    return dict(round_named(name).seeds) if name else {}
