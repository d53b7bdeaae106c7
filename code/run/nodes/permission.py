"""Which workloads can run over nodes, and what they expect of several."""

from __future__ import annotations

from code.backends.generators.served import ServedText
from code.common.errors import UsageError
from code.plan.request import Value
from code.plan.workload import Workload
from code.run import language
from code.run.nodes import environment
from code.run.nodes.wanted import wanted
from code.run.resolved import Resolved

EXPECTED = ("offline_expected_qps", "server_target_qps")
"""Fields that configs give for one machine."""
ASKED = ("command line", "environment")
"""How the origins of values begin that a user gave for the whole run."""


def require(job: Resolved) -> None:
    """Nothing for a workload on this machine alone.

    Raises:
        UsageError: it cannot run over nodes, or num_nodes and ray_address contradict each other.
        MissingError: Ray or ZeroMQ is not installed.
    """
    asked = wanted(job.values)
    if asked is None:
        return
    if asked.tolerates and job.workload.scenario.loadgen != "Offline":
        raise UsageError(
            f"{job.label} cannot go on without a node",
            "its queries have a bound, which the time until a loss is noticed breaks",
            "leave --tolerate_node_loss out, or run Offline",
            "--tolerate_node_loss",
        )
    if asked.tolerates and job.definition.facts.family == "text" and job.backend.computes:
        raise UsageError(
            f"{job.label} cannot go on without a node yet",
            "a text generator over nodes ends with the first node that is lost",
            "leave --tolerate_node_loss out",
            "--tolerate_node_loss",
        )
    if language.served(job.values):
        raise UsageError(
            "a run is over nodes or behind Triton, not both", "use_triton is set", "leave --num_nodes and --ray_address out"
        )
    if language.has_own_server(job.values):
        raise UsageError(
            "a run is over nodes or through a server of this harness, not both",
            "with_server is set",
            "leave --with_server out, or --num_nodes and --ray_address",
            "--with_server",
        )
    if isinstance(job.backend, ServedText):
        raise UsageError(
            f"{job.label} does not run over nodes",
            f"servers have the engines of the {job.backend.name} backend",
            "start a server on each machine, and name them all: --backend=openai --server_urls=HOST:PORT,HOST:PORT",
            "--num_nodes",
        )
    if job.definition.facts.family != "text" and language.CPP not in job.backend.harness_languages:
        raise UsageError(
            f"{job.label} does not run over nodes",
            f"nodes compute batches in the C++ harness, which has no {job.backend.name}",
            "run it on one machine: leave --num_nodes and --ray_address out",
            "--num_nodes",
        )
    if len(job.placement.processes) > 1:
        raise UsageError(
            f"{job.label} does not run over nodes",
            "its devices are several MIG slices, each in a process of its own",
            "choose one of them on every node, such as --devices=0",
            "--devices",
        )
    environment.python()
    environment.library()


def with_all_nodes(workload: Workload, computes: bool) -> Workload:
    """The workload with the rates that its config expects of one machine multiplied by its nodes.

    Args:
        computes: whether its engines do; the nodes of a local cluster then share one machine.
    """
    asked = wanted(workload)
    if asked is None or asked.count == 1 or (asked.local and computes):
        return workload
    changed = {}
    for name in EXPECTED:
        item = workload.values[name]
        if isinstance(item.value, (int, float)) and not item.origin.startswith(ASKED):
            changed[name] = Value(float(item.value) * asked.count, f"{item.origin}, times {asked.count} nodes")
    return workload.with_values(changed)
