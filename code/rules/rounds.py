"""Rounds: seeds, submission layout and official checkers, which differ per round.

What a round asks of one benchmark is among the benchmark's facts (code/rules/benchmark_facts.py, RoundRules).

Source: mlperf.conf and tools/submission of https://github.com/mlcommons/inference, and the MLPerf Inference rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from code.common.errors import unknown

OFFLINE, SERVER, SINGLE, MULTI = "Offline", "Server", "SingleStream", "MultiStream"
INTERACTIVE = "Interactive"
"""Server with tighter bounds of token latencies: a scenario of configs and results, which LoadGen runs as Server of another model."""


def loadgen_scenario(name: str) -> str:
    """The scenario that LoadGen runs for one of configs and results."""
    return SERVER if name == INTERACTIVE else name


DATACENTER, EDGE, BOTH = "datacenter", "edge", "datacenter,edge"
CATEGORIES = (DATACENTER, EDGE, BOTH)
DIVISIONS = ("closed", "open")
"""The divisions that results of this harness can be submitted to."""
NETWORK = "network"
EVERY_DIVISION = (*DIVISIONS, NETWORK)
STRICT_DIVISIONS = ("closed", NETWORK)
"""The divisions in which every rule of the closed division applies."""
STATUSES = ("available", "preview", "rdi")


@dataclass(frozen=True)
class OfficialChecker:
    """The official checker of a round.

    Args:
        commit: of mlcommons/inference, pinned.
        script: in that repository, below its root.
        modern: it is the package that came with v6.0; the older script has other options.
        stricter: what it requires beyond the round's other checkers.
    """

    commit: str
    script: str = "tools/submission/submission_checker/main.py"
    modern: bool = True
    stricter: str = ""


CURRENT = OfficialChecker("b66003e10e2db4b8c36a448b0545ec90fcc6e9e9")
OLD_SCRIPT = "tools/submission/submission_checker.py"
V50 = OfficialChecker(
    "b0ce3feb6f60b5b8b3fe5c7b4ad3d86b25be77b6", OLD_SCRIPT, modern=False, stricter="accepts only VALID results, even in open"
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
        checkers: official checkers that know the round, the pinned one first; another is used where MLPERF_INFERENCE_DIR has it.
        test05_seeds: the seeds of the audit TEST05; {} where the round does not have it.
        nameplate: whether the checker reads systems/<system>_power.yaml.
    """

    name: str
    seeds: Mapping[str, int]
    layout: str
    checkers: tuple[OfficialChecker, ...] = (CURRENT,)
    test05_seeds: Mapping[str, int] = field(default_factory=dict)
    nameplate: bool = False

    @property
    def modern(self) -> bool:
        """Whether its pinned checker is the package that came with v6.0, which looks at fewer files than the script before it."""
        return self.checkers[0].modern


def _seeds(qsl: int, sample: int, schedule: int) -> dict[str, int]:
    return {"qsl_rng_seed": qsl, "sample_index_rng_seed": sample, "schedule_rng_seed": schedule}


ROUNDS: dict[str, Round] = {
    r.name: r
    for r in (
        Round(
            "v4.1",
            _seeds(3066443479025735752, 10688027786191513374, 14962580496156340209),
            "beside",
            (V41,),
            _seeds(16799458546791641818, 5453809927556429288, 5435552105434836064),
        ),
        Round(
            "v5.0",
            _seeds(6023615788873153749, 15036839855038426416, 9933818062894767841),
            "beside",
            (CURRENT, V50),
        ),
        Round(
            "v5.1",
            _seeds(1780908523862526354, 14771362308971278857, 18209322760996052031),
            "beside",
        ),
        Round(
            "v6.0",
            _seeds(2465351861681999779, 14276810075590677512, 3936089224930324775),
            "inside",
        ),
        Round(
            "v6.1",
            _seeds(2085463073848966840, 2747215439041700203, 16159082839903944936),
            "inside",
            nameplate=True,
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
