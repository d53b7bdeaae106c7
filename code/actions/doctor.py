"""doctor: check this machine before a run and print the command that fixes each problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from code.actions import Context, OncePerRequest
from code.actions.add_system import wanted_benchmarks
from code.common import console
from code.machine.detect import detect
from code.power import journal
from code.preflight import Finding, Level, run_checks
from code.run.nodes.inspection import checked_nodes

FAULTY_STATUS = 3
"""Exit status when a check finds an error: something a run needs is missing or wrong."""


def run(context: Context) -> int:
    """Examine the machine as requested with CAPTURE, BENCHMARKS, --model_variant and --json."""
    request = context.request
    benchmarks = [str(benchmark.valstr) for benchmark in wanted_benchmarks(request["benchmarks"] or [])]
    given = request.given.get("model_variant")
    servers = (request["power_server"] or "", request["ntp_server"] or "")
    more = checked_nodes(request) if request["ray_address"] or request["num_nodes"] else []
    return examine(
        request["capture"] or None, bool(request["json"]), benchmarks, str(given.value) if given else "", servers, more
    )


def examine(
    capture: Path | str | None = None,
    as_json: bool = False,
    benchmarks: Sequence[str] = (),
    variant: str = "",
    servers: tuple[str, str] = ("", ""),
    more: Sequence[Finding] = (),
) -> int:
    """Check this machine, or a captured one; print the findings and return the exit status.

    Args:
        benchmarks: short names of the benchmarks to run; disk space, data and models are checked for these.
        variant: "reference" or "tiny"; '' for this machine's default.
        servers: power-dev's server and the time server of a power measurement; '' for none.
        more: findings of other checks.
    """
    if capture is None:
        for line in journal.recover():
            console.warn(line)
    detected = detect(capture)
    findings = [*run_checks(detected.machine, detected, benchmarks, variant, *servers), *more]
    counts = Counter(finding.level for finding in findings)
    status = FAULTY_STATUS if counts[Level.ERROR] else 0
    if as_json:
        content = {
            "source": detected.source,
            "status": status,
            "counts": {level.value: counts[level] for level in Level},
            "findings": [finding.as_json() for finding in findings],
        }
        console.emit(content)
        return status
    console.say(f"Preflight of {detected.source}")
    for finding in findings:
        for line in lines_of(finding):
            console.say(line)
    console.say(", ".join(f"{counts[level]} {level.value}" for level in Level))
    return status


def lines_of(finding: Finding) -> list[str]:
    """A finding as printed; the command gets its own line so that it can be copied."""
    check = finding.name if finding.name == finding.family else f"{finding.family}, {finding.name}"
    lines = [f"  {finding.level.value:<9} {check}: {finding.message}"]
    if finding.fix:
        lines.append(f"  {'':<9} fix: {finding.fix}")
    return lines


ACTION = OncePerRequest(run)
