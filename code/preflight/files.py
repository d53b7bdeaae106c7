"""Data sets and models of the benchmarks to run: there, of the right size, with the right digests."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight.finding import Finding, Reporter, Subject
from code.rules.benchmarks import BENCHMARKS, facts_of

report = Reporter("files")


def check(subject: Subject) -> Iterator[Finding]:
    """One line per file that a named benchmark's reference variant needs. The tiny variant's files are made when it runs."""
    for benchmark in subject.benchmarks:
        if subject.variant != "reference":
            yield report.ok(benchmark, "the tiny variant's data and model come with the project or are made by the first run")
            continue
        found = {item["path"]: item for item in subject.machine.probe("files", benchmark) or []}
        for wanted in facts_of(benchmark).files if benchmark in BENCHMARKS else ():
            state = found.get(wanted.path)
            mend = f"make download_{wanted.kind} BENCHMARKS={benchmark}"
            name = f"{benchmark} {wanted.kind}"
            if state is None:
                yield report.unseen(name, f"{wanted.path} is not in the capture")
            elif not state["exists"]:
                yield report.error(name, f"{wanted.path} is not there", mend)
            elif wanted.size and state["size"] is not None and state["size"] != wanted.size:
                text = f"{wanted.path} has {state['size']} bytes, not {wanted.size}: it is damaged or incomplete"
                yield report.error(name, text, mend)
            elif state["digest"] == "differs":
                text = f"{wanted.path} is not what was downloaded: its SHA-256 differs from the known one"
                yield report.error(name, text, f"remove it, then {mend}")
            elif state["digest"] == "same":
                yield report.ok(name, f"{wanted.path}, with the right digest")
            else:
                yield report.ok(name, f"{wanted.path}; no digest of it is known")
