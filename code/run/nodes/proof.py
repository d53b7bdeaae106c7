"""The proof of nodes before a run: what each has is compared with the head's, and how it is reached is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from code.common.errors import MissingError, RunError

COMPARED = {"commit": "commit", "harness": "C++ harness", "model": "model"}
"""Key of a proof that is the same on every node → its name."""
NAMED = {"engines": "engine", "data": "data file"}
NEXT_STEPS = {
    "commit": "check out the same commit on every node, or let them share the project's folder",
    "harness": "run `make build` on the node, or copy build/bin/harness to it",
    "model": "run `make download_model` on the node, or share the models",
    "engines": "run `make generate_engines` with the same RUN_ARGS on the node, or share build/engines",
    "data": "run `make preprocess_data` on the node, or share the scratch path",
}
CLOCK_S = 1.0
"""Offset of a node's clock from which its telemetry cannot be laid beside the head's."""


def differences(
    head: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], before_copies: bool = False
) -> list[tuple[str, str, str, str]]:
    """(node, what differs, how, what to do) for everything in which a node is not as the head.

    Args:
        before_copies: leave out the engines that a run copies to the node.
    """
    out = []
    for node in nodes:
        copied = {f"{NAMED['engines']} {name}" for name in lacking(head, node)} if before_copies else set()
        out += [(str(node["name"]), *one) for one in _of_node(head, node) if one[0] not in copied]
    return out


def lacking(head: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """The head's engines that a node lacks and that may be copied there, because its devices are of the same kinds."""
    if "error" in node or _kinds(head) != _kinds(node):
        return []
    known = [name for name, digest in head["engines"].items() if digest != "missing"]
    return [name for name in known if node["engines"].get(name, "missing") == "missing"]


def _kinds(one: Mapping[str, Any]) -> list[str]:
    return [str(device["kind"]) for device in one["devices"]]


def _of_node(head: Mapping[str, Any], node: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(what differs, how, what to do) of one node."""
    if "error" in node:
        return [("proof", str(node["error"]), "see that the project and its environment are at the same path there")]
    out = [
        (words, f"it is {node[key] or 'none'}, here {head[key] or 'none'}", NEXT_STEPS[key])
        for key, words in COMPARED.items()
        if node[key] != head[key]
    ]
    for key, words in NAMED.items():
        for item, here in head[key].items():
            there = node[key].get(item, "missing")
            if there != here:
                out.append((f"{words} {item}", f"it is {there}, here {here}", NEXT_STEPS[key]))
    there, here = (", ".join(_kinds(each)) or "none" for each in (node, head))
    if there != here:
        out.append(("GPUs", f"it has {there}, here {here}", "run on nodes of one kind"))
    if abs(float(node["offset_s"])) > CLOCK_S:
        out.append(("clock", f"it is {float(node['offset_s']):+.3f} s off", "synchronise the clocks (chrony, or NTP)"))
    return out


def require_equal(head: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> None:
    """MissingError or RunError for the first difference, with the number of others."""
    require(differences(head, nodes))


def require(found: Sequence[tuple[str, str, str, str]]) -> None:
    """The same for differences that were found."""
    if not found:
        return
    name, what, how, step = found[0]
    more = f" ({len(found) - 1} more: `make nodes` lists them)" if len(found) > 1 else ""
    kind = RunError if what == "clock" else MissingError
    raise kind(f"node {name}: another {what}" if what not in ("proof", "clock") else f"node {name}: {what}", how + more, step)


def rows(head: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The lines of the table of `make nodes`, the head first."""
    return [row(one) for one in ({"name": "head (this machine)", **head}, *nodes)]


def row(one: Mapping[str, Any]) -> tuple[str, ...]:
    """The line of one machine, as HEADINGS has it."""
    if "error" in one:
        return (str(one["name"]), str(one["error"]), *[""] * 7)
    measured = (("offset_s", 1e3, "+.2f", "ms"), ("round_trip_s", 1e6, ",.0f", "µs"), ("bytes_per_s", 1e-6, ",.0f", "MB/s"))
    return (
        str(one["name"]),
        str(one["commit"]),
        str(one["model"] or "–"),
        _joined(one["engines"]),
        _joined(one["data"]),
        ", ".join(str(device["kind"]) for device in one["devices"]) or f"{one['processors']} processors",
        *(f"{float(one[key]) * factor:{form}} {unit}" if key in one else "" for key, factor, form, unit in measured),
    )


HEADINGS = ("Node", "Commit", "Model", "Engine", "Data", "Devices", "Clock", "Round trip", "Bandwidth")


def _joined(found: Mapping[str, str]) -> str:
    return " ".join(dict.fromkeys(found.values())) or "–"
