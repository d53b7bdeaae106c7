"""The table of documentation/benchmarks.md, from the facts of each benchmark."""

from __future__ import annotations

from code.rules.benchmark_facts import GB, BenchmarkFacts
from code.rules.benchmarks import BENCHMARKS, facts_of


def benchmark_table() -> str:
    """Every benchmark: samples, scenarios, targets, audits of each round, disk space; as Markdown."""
    rows = [
        "| benchmark | samples | scenarios | least accuracy | audits by round | disk, reference and tiny |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in BENCHMARKS:
        facts = facts_of(name)
        scenarios = ", ".join(facts.scenarios)
        rows.append(f"| {name} | {facts.samples:,} | {scenarios} | {_targets(facts)} | {_audits(facts)} | {_space(facts)} |")
    return "\n".join(rows)


def _targets(facts: BenchmarkFacts) -> str:
    return "; ".join(
        f"{target.full_name}: "
        + ", ".join(f"{name} {least:,.8g}" for name, least in target.least.items())
        + "".join(f", {name} at most {most:,.8g}" for name, most in target.most.items())
        for target in facts.targets.values()
    )


def _audits(facts: BenchmarkFacts) -> str:
    return "; ".join(f"{name}: {', '.join(rules.audits) or 'none'}" for name, rules in facts.rounds.items())


def _space(facts: BenchmarkFacts) -> str:
    return " and ".join(f"{facts.space[variant].total / GB:.3g} GB" for variant in ("reference", "tiny"))
