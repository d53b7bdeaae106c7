"""Pieces of the table that run whole workloads: BERT, 3D-UNet, texts and Server against their bounds, and the time outside LoadGen."""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from code.backends import products
from code.common.notices import Notices
from code.machine.detect import detect
from code.plan.request import parse
from code.plan.workload import build
from code.run import machine_rates
from code.run.job import Job
from code.run.roofline import NEEDS
from tests.benchmarks import bert_large_shape, decoding, harness_overhead
from tests.benchmarks.harness_figures import ROOT, execute, in_turn, programs, summary
from tests.benchmarks.rows import SECONDS, SHARED, Row, build_folder, called, middle, not_measured, parts, ran, unsteady

BERT, UNET3D = ("bert", ("fp32", "bf16", "int8")), ("3d-unet", ("fp32", "bf16", "int8"))
"""Benchmarks and the precisions whose shares are measured."""
LARGE_BATCH, ALONE_BATCH, ALONE_LENGTH, ALONE_S = 4, 4, 192, 6.0
WARM_UP_S, LONG_WARM_UP_S = 5.0, 25.0
"""Of a run of BERT-Large's shape: some shapes of batches, and each in int8."""
LIMITS = 2
"""Times that the rate of the products is measured before, and after, the runs of a turn."""
TEXTS = 96
"""Prompts of the decoding piece."""
MINILM = SHARED / "models" / "minilm-squad"
START = "--benchmarks=bert --scenarios=offline --precision=fp32"
"""What it names does not depend on the calibrations that a build folder remembers."""
SHORT = "--test_mode=PerformanceOnly --min_duration=1000 --min_query_count=1000"
COMMANDS = (
    ("run", f"{START} {SHORT}", "make run, tiny BERT, fp32, outside LoadGen", 1.2),
    ("run", f"{START} {SHORT} --warmup_duration=0", "the same without warm-up, which takes 0.4 s of it", 1.2),
    ("run", f"{START} --dry_run", "make run … --dry_run", 0.4),
    ("explain", START, "make explain", 0.4),
    ("help", "", "make help", 0.4),
)
"""Target of make, RUN_ARGS, name of the row, goal in seconds."""


def bert(times: int, scratch: Path) -> list[Row]:
    """Tiny BERT on OpenVINO over its own products alone, which are measured before and after each run."""
    return [_workload(BERT[0], precision, times, scratch) for precision in BERT[1]]


def unet3d(times: int, scratch: Path) -> list[Row]:
    """The same of tiny 3D-UNet."""
    return [_workload(UNET3D[0], precision, times, scratch) for precision in UNET3D[1]]


def _workload(benchmark: str, precision: str, times: int, scratch: Path) -> Row:
    words = [f"--benchmarks={benchmark}", "--scenarios=offline", f"--precision={precision}", "--model_variant=tiny"]
    what = f"tiny {benchmark}, Offline, {precision}, over its products alone"
    rates: list[float] = []
    bounds: list[Mapping[str, Any]] = []
    sizes: list[int] = []

    def run() -> float:
        folder = ran(scratch / f"{benchmark}-{precision}-{len(bounds)}", *words, *_for(SECONDS))
        found = json.loads((folder / "metadata.json").read_text())
        bounds.append(found.get("bound", {}))
        batches = np.load(folder / "batches.npy")
        sizes.append(int(np.mean(batches[:, 2] * batches[:, 3])))
        return float(found["result_samples_per_second"])

    try:
        called("generate_engines", *words)
        if run() and "others" not in bounds[0].get("lost", {}):  # the limit, or the engine's operators, were not measured
            called("roofline", *words)
        of_products = partial(_measure, rates, _network_of(words), sizes[0], precision)
        _, ours, _ = in_turn(times, of_products, run, of_products)
    except SystemExit as error:
        return not_measured(what, error)
    bound, rate = bounds[-1], statistics.median(ours)
    if not bound:
        return not_measured(what, "other work disturbed the measurement of its limit")
    limit = bound["samples_per_second"] * max(rates) / bound["gflops"]
    return Row(what, f"{middle(ours)} samples/s", f"{limit:,.4g} samples/s", rate / limit, unsteady(rates) + parts(bound["lost"]))


def _network_of(words: Sequence[str]) -> products.Network:
    """The products of a workload."""
    (workload,), _ = build(parse(["--action=roofline", *words], {}))
    job = Job(workload, Notices())
    return products.read_network(job.definition.model(job.values))


def _measure(rates: list[float], network: products.Network, rows: int, precision: str) -> float:
    """Add what the machine's products reach now to `rates`, LIMITS times. Returns the best so far, 10^9 operations/s."""
    cores = len(os.sched_getaffinity(0))
    rates.extend(products.rate(network, precision, rows, cores) for _ in range(LIMITS))
    return max(rates)


def _for(seconds: int) -> tuple[str, ...]:
    return "--test_mode=PerformanceOnly", f"--min_duration={1000 * seconds}"


def bert_large(times: int, scratch: Path) -> list[Row]:
    """BERT-Large's shape in int8 over its own products alone: through the harness on SQuAD's lengths, and its engine on one shape."""
    return _large("int8", times, scratch, (WARM_UP_S, LONG_WARM_UP_S))


def bert_large_floats(times: int, scratch: Path) -> list[Row]:
    """The same in bf16 and fp32."""
    return [row for precision in ("bf16", "fp32") for row in _large(precision, times, scratch, (WARM_UP_S,))]


def _large(precision: str, times: int, scratch: Path, warm_ups: Sequence[float]) -> list[Row]:
    what = f"BERT-Large's shape, {precision}, batches of {LARGE_BATCH}, Offline, 64 samples, over its products alone"
    if precision in NEEDS and not detect().isa & set(NEEDS[precision]):
        return [not_measured(what, f"this processor does not compute in {precision}")]
    place = build_folder() / "benchmarks" / "bert_large"
    made = bert_large_shape.made(place, precision)
    network = products.read_network(made.model)
    mean = sum(made.lengths) / len(made.lengths)
    rates: list[float] = []
    paths = [bert_large_shape.run_of(made, scratch / f"{precision}-{warm:g}", LARGE_BATCH, warm) for warm in warm_ups]

    of_products = partial(_measure, rates, network, int(LARGE_BATCH * mean), precision)

    def through_harness(path: Path) -> float:
        execute([programs()["harness"], path])
        return summary(path.parent, "Samples per second")

    def alone() -> float:
        return bert_large_shape.alone(made, ALONE_BATCH, ALONE_LENGTH, ALONE_S)

    # A machine that others share changes its speed within minutes: the best rate of the products around the runs is the limit.
    *ours, of_engine, _ = in_turn(times, of_products, *(partial(through_harness, path) for path in paths), alone, of_products)[1:]
    gflops = max(rates)
    limit = 1e9 * gflops * len(made.lengths) / network.flops(made.lengths)
    of_shape = 1e9 * gflops / network.flops([ALONE_LENGTH])
    profile = parts(products.profile(made.graph, precision, ALONE_BATCH, ALONE_LENGTH))
    unit, peak = "samples/s", f"{gflops:,.0f} GFLOP/s"
    rows = [
        Row(
            what if warm == warm_ups[0] else f"the same after a warm-up of {warm:g} s instead of {warm_ups[0]:g} s",
            f"{middle(values)} {unit}",
            f"{limit:,.4g} {unit}, {peak}",
            statistics.median(values) / limit,
            f"{unsteady(rates)}padding is {padding(path.parent, network, made.lengths, made.multiple):.1%} of what it computes",
        )
        for warm, values, path in zip(warm_ups, ours, paths, strict=True)
    ]
    name = f"its engine alone, {ALONE_BATCH} × {ALONE_LENGTH} tokens"
    share = statistics.median(of_engine) / of_shape
    return [
        *rows,
        Row(name, f"{middle(of_engine)} {unit}", f"{of_shape:,.4g} {unit}", share, f"{unsteady(rates)}its time: {profile}"),
    ]


def padding(folder: Path, network: products.Network, lengths: Sequence[int], multiple: int) -> float:
    """Share of a run's operations that are padding, between the samples of a batch and up to the multiple of its length."""
    batches = np.load(folder / "batches.npy")
    computed = np.repeat(np.ceil(batches[:, 3] / multiple) * multiple, batches[:, 2].astype(int))
    return 1 - network.flops(lengths) / network.flops(computed.tolist())


def texts(times: int, scratch: Path) -> list[Row]:
    """Decoding of the tiny text models against memory's bound."""
    read = 1e9 * machine_rates.bandwidth(decoding.CORES)["read_gb_per_s"]
    rows = []
    for name in decoding.TINY:
        subject = decoding.tiny_subject(name, TEXTS, scratch)
        whole, first, *_ = subject.ways()
        found = {way: [subject.run(way) for _ in range(times)] for way in (whole, first)}
        one = decoding.of_bound(subject, found, read)
        assert one is not None
        rows.append(
            Row(
                f"{name.replace('_', ' ')}, decoding, {subject.base.beams} beams, over memory's bound",
                f"{one.rate:,.4g} tokens/s",
                f"{one.most:,.4g} tokens/s, {one.step_bytes / 1e6:,.4g} MB a step",
                one.rate / one.most,
                f"prefill takes {one.prefill:.0%} of the whole time",
            )
        )
    return rows


def server(_times: int, scratch: Path) -> list[Row]:
    """The highest VALID Server rate of tiny BERT over that of an ideal queue before the same lanes."""
    return [_server("tiny BERT, fp32", ["--model_variant=tiny", "--precision=fp32"], scratch)]


def server_minilm(_times: int, scratch: Path) -> list[Row]:
    """The same of MiniLM, a real model that computes a sample in 13 ms of a core, where it is beside the project."""
    if not MINILM.is_dir():
        return [not_measured("MiniLM, bf16, Server", f"{MINILM} is not there")]
    words = [f"--model_path={MINILM / 'model.onnx'}", f"--data_path={MINILM / 'heldout-v1.1.json'}", "--precision=bf16"]
    return [_server("MiniLM, bf16", [*words, f"--vocab_path={SHARED / 'data' / 'bert_vocab' / 'vocab.txt'}"], scratch)]


def _server(name: str, words: Sequence[str], scratch: Path) -> Row:
    what = f"{name}, Server, 130 ms: highest VALID rate over an ideal queue"
    short = ("--benchmarks=bert", "--scenarios=server", "--server_target_qps=20", "--min_query_count=20")
    try:
        folder = ran(scratch / "first", *short, *words, *_for(1))
    except SystemExit as error:
        return not_measured(what, error)
    spec: dict[str, Any] = json.loads((folder / "run.json").read_text())
    given = argparse.Namespace(
        engine=spec["engines"][0]["folder"],
        data=spec["dataset"]["folder"],
        name=name,
        precision=spec["engines"][0]["precision"],
        streams=0,
        pad_to_multiple_of=spec["dataset"]["pad_to_multiple_of"],
        seconds=SECONDS,
        batch=spec["batch"]["max_samples"],
        padding=spec["batch"]["padding"],
        soft_drop=spec["server"]["soft_drop"],
    )
    ours, ideal = harness_overhead.server_share(1, scratch, given)
    return Row(
        what,
        *(f"{ours.harness:,.4g} queries/s", f"{ideal.harness:,.4g} queries/s", ours.harness / ideal.harness),
        f"Offline {ours.against:,.4g} samples/s",
    )


def start_up(times: int, scratch: Path) -> list[Row]:
    """Commands of make, warm: their whole time, for a run that outside LoadGen."""
    rows = []
    for number, (target, arguments, what, goal) in enumerate(COMMANDS):
        first, *values = [_outside_loadgen(target, arguments, scratch / f"{number}-{turn}") for turn in range(times + 1)]
        rows.append(Row(what, f"{middle(values)} s", f"{goal} s", None, f"the first {first:.3g} s"))
    return rows


def _outside_loadgen(target: str, arguments: str, folder: Path) -> float:
    """Seconds of a target of make without what LoadGen took of them."""
    begin = time.perf_counter()
    command = ["make", "--no-print-directory", target, f"RUN_ARGS={arguments}", f"LOG_DIR={folder}"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begin - sum(_loadgen_s(log) for log in folder.rglob("mlperf_log_detail.txt"))


def _loadgen_s(log: Path) -> float:
    """Seconds from LoadGen's first entry to its last."""
    stamps = [float(one) for one in re.findall(r'"time_ms": ([0-9.]+)', log.read_text(encoding="utf-8"))]
    return (max(stamps) - min(stamps)) / 1000
