"""`make systems`: write systems/<name>.json for each known system that configs exist for."""

from __future__ import annotations

from code.common.constants import Benchmark, Scenario
from code.common.paths import project_root
from code.rules.benchmarks import BENCHMARKS, facts_of
from code.systems.known_descriptions import write
from code.systems.system_list import KnownSystem
from configs.inspection import system_of
from configs.loading import load


def configured() -> list[str]:
    """The known systems that configs exist for, by name."""
    found = set()
    for name in BENCHMARKS:
        for scenario in facts_of(name).scenarios:
            benchmark = Benchmark.get_match(name)
            assert benchmark is not None
            for file in load(benchmark, Scenario.get_match(str(scenario))):
                found |= {system_of(entry) for entry in file.entries if not entry.folder}
    return sorted(name for name in found if name in KnownSystem and not KnownSystem[name].custom)


if __name__ == "__main__":
    for path in write(configured()):
        print(f"wrote {path.relative_to(project_root())}")
