"""debug_accuracy: a workload's engine beside another one on the same samples, output by output and layer by layer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.common.files import atomic_directory, sha256, write_json
from code.precision import layers as graphs
from code.precision import side_by_side
from code.precision.layers import Difference, Graph, LayerDifference
from code.precision.side_by_side import Side
from code.run.debugging import Pair, pair_of
from code.run.job import Job

SHOWN, SHOWN_BEGINNINGS = 12, 5
REPORT = "report.json"
MARKING_DB = 6.0
"""Noise of an output by which a run with every tensor as an output is another run."""


def run(job: Job, context: Context) -> None:
    """Compare, print what differs most, and save everything below build/debug.

    Raises:
        MissingError: Polygraphy, the model or the data is not there.
        UsageError: the workload has no graph to compare, or --against names nothing that is known.
        RunError: an engine cannot run the samples.
    """
    side_by_side.require()
    request = context.request
    pair = pair_of(job, request["against"], int(request["debug_samples"]))
    folder = paths.build_dir() / "debug" / _folder_name(pair)
    with atomic_directory(folder) as fresh:
        outputs, results = side_by_side.run(pair.sides, pair.feeds, fresh / side_by_side.OUTPUTS)
        side_by_side.save_inputs(pair.feeds, fresh / side_by_side.INPUTS)
        found = _layers(pair, outputs, results, fresh / side_by_side.LAYERS) if request["layers"] else []
        write_json(fresh / REPORT, _report(pair, outputs, found))
    _show(pair, outputs, found)
    console.say(f"saved in {paths.shown(folder)}; to look at the values: polygraphy inspect data {paths.shown(folder)}/…json")
    if not request["layers"]:
        console.say("add --layers to see which layers differ")


def _folder_name(pair: Pair) -> str:
    words = f"{pair.label} {pair.sides[0].name} against {pair.sides[1].name}"
    return "".join(sign if sign.isalnum() or sign in ".-" else "-" for sign in words)


def _layers(pair: Pair, outputs: Mapping[str, Difference], results: Any, saved: Path) -> list[LayerDifference]:
    """What the layers that both graphs have make of the samples.

    Two graphs are computed as they are written, by ONNX Runtime: an engine with every tensor as an output fuses less and rounds
    elsewhere. One graph on two runtimes is computed by them, with every tensor as an output.
    """
    ours, reference = (Graph.read(side.graph) for side in pair.sides)
    shared = graphs.common_tensors(ours, reference)
    written = sha256(pair.sides[0].graph) != sha256(pair.sides[1].graph)
    how = "of the graphs as they are written" if written else "that the graph has, on both runtimes"
    console.say(f"{pair.label}: comparing {len(shared)} layers {how}")
    with tempfile.TemporaryDirectory() as folder:
        sides = [
            _with_outputs(side, graph, shared, pair.workloads[number].plain(), Path(folder) / str(number), written)
            for number, (side, graph) in enumerate(zip(pair.sides, (ours, reference), strict=True))
        ]
        differences, marked = side_by_side.run(sides, pair.feeds, saved)
    if written:
        _say_departure(pair, outputs, side_by_side.departure(results, marked, 0))
    elif changed := changed_by_marking(outputs, differences):
        console.warn(
            f"{pair.label}: with every tensor an output {pair.sides[0].name} computes otherwise ({changed}), so the layers below are not "
            "those of its engine"
        )
    return graphs.layer_differences(reference, differences, ours)


def _say_departure(pair: Pair, outputs: Mapping[str, Difference], own: Mapping[str, Difference]) -> None:
    """Whether the engine computes what its graph says, so that the graph's layers explain the engine's difference."""
    name = max(own, key=lambda one: own[one].noise_db)
    between, departs = outputs[name].noise_db, own[name].noise_db
    said = f"{name} of the engine is {_decibels(departs)} dB from its graph as it is written, {_decibels(between)} dB from the other side"
    ours = pair.sides[0]
    if departs > between - MARKING_DB:
        step = f"--against=onnxruntime:{ours.precision}"
        console.warn(
            f"{pair.label}: {said}: {ours.name} adds an error of its own, which the layers do not show; see it with {step}"
        )
    else:
        console.say(f"{pair.label}: {said}: the layers explain the engine")


def changed_by_marking(outputs: Mapping[str, Difference], marked: Mapping[str, Difference]) -> str:
    """Which output of the engine is another once every tensor is an output, and by how much; '' where none is."""
    noise = {name: (one.noise_db, marked[name].noise_db) for name, one in outputs.items() if name in marked}
    apart = {name: (engine, whole) for name, (engine, whole) in noise.items() if abs(whole - engine) > MARKING_DB}
    if not apart:
        return ""
    name = max(apart, key=lambda one: abs(apart[one][1] - apart[one][0]))
    engine, whole = apart[name]
    return f"{name} is {whole:.0f} dB from the reference and {engine:.0f} dB in the engine"


def _with_outputs(
    side: Side, graph: Graph, tensors: Sequence[str], values: Mapping[str, object], folder: Path, written: bool
) -> Side:
    """The side with a graph whose outputs are these tensors, too, and an engine of it unless it is run as it is written."""
    import onnx

    folder.mkdir()
    file = folder / side.graph.name
    onnx.save(graph.with_outputs(tensors), str(file))
    if written:
        return replace(side, graph=file, as_written=True)
    engine = folder / "engine"
    engine.mkdir()
    details = side.backend.build(file, values, engine)
    write_json(engine / "engine.json", {"details": dict(details or {})})
    return replace(side, graph=file, engine=engine)


def _report(pair: Pair, outputs: Mapping[str, Difference], found: Sequence[LayerDifference]) -> dict[str, object]:
    return {
        "workload": pair.label,
        "sides": [
            {
                "name": side.name,
                "backend": side.backend.name,
                "version": side.backend.version(),
                "precision": side.precision,
                "graph": str(side.graph),
                "engine": side.engine.name,
            }
            for side in pair.sides
        ],
        "samples": list(pair.samples),
        "outputs": {
            name: {"noise_db": round(one.noise_db, 2), "largest_difference": one.largest} for name, one in outputs.items()
        },
        "layers": [one.as_json() for one in graphs.noisiest(found)],
        "adds_most": [one.as_json() for one in graphs.adding(found)[:SHOWN]],
        "begins_at": [one.as_json() for one in graphs.beginnings(found)[:SHOWN_BEGINNINGS]],
    }


def _show(pair: Pair, outputs: Mapping[str, Difference], found: Sequence[LayerDifference]) -> None:
    ours, reference = pair.sides
    samples = f"{len(pair.samples)} samples"
    console.table(
        f"{pair.label}: {ours.name} against {reference.name}, {samples}",
        ("Output", "Noise (dB)", "Largest difference"),
        [(name, _decibels(one.noise_db), f"{one.largest:.4g}") for name, one in sorted(outputs.items(), key=_by_noise)],
    )
    if not found:
        return
    differing = graphs.noisiest(found)
    if not differing:
        console.say(f"all {len(found)} layers are equal")
        return
    for title, rows in (
        (f"Layers that differ most, of {len(found)}", differing[:SHOWN]),
        ("Layers that add most noise of their own", graphs.adding(found)[:SHOWN_BEGINNINGS]),
        ("Where the difference begins: layers that are noisier than their inputs", graphs.beginnings(found)[:SHOWN_BEGINNINGS]),
    ):
        console.table(
            title,
            ("Layer", "Operator", "Noise (dB)", "Of its inputs (dB)", "Largest difference"),
            [
                (one.name, one.operator, _decibels(one.noise_db), _decibels(one.inputs_db), f"{one.difference.largest:.4g}")
                for one in rows
            ],
        )


def _by_noise(item: tuple[str, Difference]) -> float:
    return -item[1].noise_db


def _decibels(value: float) -> str:
    return "equal" if value <= graphs.QUIETEST_DB else "not finite" if value >= graphs.LOUDEST_DB else f"{value:.1f}"


ACTION = EachWorkload(run)
