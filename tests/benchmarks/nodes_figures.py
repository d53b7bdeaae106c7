"""What several nodes cost: each figure of documentation/performance.md, "Over several nodes", measured in one run.

    make cluster && make build
    .venv/bin/python -m tests.benchmarks.nodes_figures offline [--batch_ms 2,1,0.64] [--batch 64] [--streams 1] [--tcp] [--nodes 2]
    .venv/bin/python -m tests.benchmarks.nodes_figures hop | server | openvino

Head and nodes are harness processes of this machine, in turn without and with nodes; `openvino` runs the harness itself over a
local Ray cluster. Simulated engines take no processor time. Needs a quiet machine. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from code.harness.schema import node_variables
from code.harness.schema import run_spec as contract
from code.harness.schema.options import SimulatedOptions
from code.run.nodes import environment
from code.run.nodes.cluster import Member
from code.run.nodes.node_specs import of_head
from tests.benchmarks.harness_figures import execute, is_valid, run_json, summary

LENGTHS = {"kind": "synthetic", "count": 10833, "lengths": [384], "outputs": ["s", "e"]}
"""Answers of 3 KB: two floats for each of 384 tokens, as whole answers of BERT's longest samples."""
STARTING_S = 60.0
BOUND_S = 0.130


def constant(milliseconds: float) -> dict[str, Any]:
    """A simulated engine whose batches take the same time, whatever their size."""
    table = SimulatedOptions(batches=(1.0,), lengths=(1.0,), microseconds=((milliseconds * 1e3,),))
    return {"backend": "simulated", "options": vars(table)}


def linear(first_ms: float, each_ms: float, most: int) -> dict[str, Any]:
    """One whose batches take longer with every sample."""
    rows = ((first_ms * 1e3,), ((first_ms + each_ms * (most - 1)) * 1e3,))
    return {"backend": "simulated", "options": vars(SimulatedOptions((1.0, float(most)), (1.0,), rows))}


def key_pair(library: Path) -> tuple[str, str]:
    """A CURVE key pair: public, secret."""
    public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
    if ctypes.CDLL(str(library)).zmq_curve_keypair(public, secret) != 0:
        raise SystemExit("error: ZeroMQ made no keys")
    return public.value.decode(), secret.value.decode()


@dataclass
class Serving:
    """A node: its process, and what it said of its lanes."""

    process: subprocess.Popen[bytes]
    said: dict[str, Any]
    key: str


@contextlib.contextmanager
def nodes(runs: Sequence[Path], head_key: str, tcp: bool, scratch: Path) -> Iterator[list[Serving]]:
    """Nodes of this machine, for the block."""
    library = environment.library()
    started: list[Serving] = []
    try:
        for run in runs:
            public, secret = key_pair(library)
            reading, writing = os.pipe()
            variables = {
                node_variables.KEYS: f"{public} {secret}",
                node_variables.HEAD_KEY: head_key,
                node_variables.HOST: "127.0.0.1",
                node_variables.FOLDER: "" if tcp else str(scratch),
                node_variables.LIBRARY: str(library),
                "HARNESS_PROGRESS_FD": str(writing),
                "HARNESS_PARENT_PID": str(os.getpid()),
            }
            process = subprocess.Popen(
                [str(programs_built()), "--serve", str(run)],
                stdout=subprocess.DEVNULL,
                pass_fds=(writing,),
                env={**os.environ, **variables},
            )
            os.close(writing)
            started.append(Serving(process, {}, public))
            started[-1].said = endpoints(reading)
        yield started
    finally:
        for one in started:
            one.process.kill()
            one.process.wait()


def programs_built() -> Path:
    """The harness; an error says how to build it."""
    found = Path(os.environ.get("BUILD_DIR", "build")) / "bin" / "harness"
    if not found.is_file():
        raise SystemExit(f"error: {found} is not built\n  next: make build")
    return found.resolve()


def endpoints(reading: int) -> dict[str, Any]:
    """The line of a node that says where its lanes listen. The pipe stays open: the node reports until it ends."""
    said, end = b"", time.monotonic() + STARTING_S
    while time.monotonic() < end:
        if select.select([reading], [], [], 1)[0]:
            said += os.read(reading, 65536)
        for line in said.split(b"\n")[:-1]:
            content = json.loads(line)
            if "endpoints" in content:
                return dict(content)
            if "error" in content:
                raise SystemExit(f"error: a node ended: {content['error']}")
    raise SystemExit(f"error: a node was not ready in {STARTING_S:.0f} s")


@dataclass(frozen=True)
class Measured:
    """A run: its folder, and processor seconds of the head and of all nodes."""

    folder: Path
    head_s: float
    nodes_s: float


def over_nodes(scratch: Path, scenario: str, conf: dict[str, float], count: int, tcp: bool = False, **changed: Any) -> Measured:
    """A run of a head over `count` nodes with a lane each; the settings are as for `run_json`. `count` 0: on this machine alone."""
    folder = scratch / "run"
    path = run_json(folder, scenario, conf, dataset=LENGTHS, **changed)
    before = os.times()
    if count == 0:
        subprocess.run([str(programs_built()), str(path)], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        return Measured(folder, _children(after) - _children(before), 0.0)
    spec = contract.read(path)
    head_keys = key_pair(environment.library())
    with nodes([path] * count, head_keys[0], tcp, scratch) as serving:
        members = [Member(f"n{i}", "host", "127.0.0.1", (), not tcp) for i in range(count)]
        served = [{"endpoints": one.said["endpoints"], "key": one.key} for one in serving]
        head = of_head(spec, members, [spec] * count, served, str(environment.library()))
        head.write(folder / "head.json")
        own = {**os.environ, node_variables.KEYS: " ".join(head_keys)}
        start = [_used(one.process.pid) for one in serving]
        subprocess.run([str(programs_built()), str(folder / "head.json")], check=True, stdout=subprocess.DEVNULL, env=own)
        after = os.times()
        used = sum(_used(one.process.pid) - s for one, s in zip(serving, start, strict=True))
    return Measured(folder, _children(after) - _children(before), used)


def _children(times: os.times_result) -> float:
    return times.children_user + times.children_system


def _used(pid: int) -> float:
    found = psutil.Process(pid).cpu_times()
    return float(found.user + found.system)


def offline(asked: argparse.Namespace, scratch: Path) -> None:
    """Offline over nodes whose batches take a given time, over what the engines give by themselves."""
    print(
        "| a batch takes | samples/s | of the nodes' sum | µs of processor time a sample: head, all nodes |\n| --- | --- | --- | --- |"
    )
    for batch_ms in (float(word) for word in asked.batch_ms.split(",")):
        ideal = asked.nodes * asked.batch / batch_ms * 1e3
        conf = {"target_qps": ideal, "min_duration": asked.seconds * 1e3}
        engine = {**constant(batch_ms), "streams": asked.streams}
        batch = {"max_samples": asked.batch}
        done = over_nodes(scratch, "Offline", conf, asked.nodes, asked.tcp, engine=engine, batch=batch)
        rate = summary(done.folder, "Samples per second")
        samples = sum(one["samples"] for one in json.loads((done.folder / "devices.json").read_text()))
        each = [seconds / samples * 1e6 for seconds in (done.head_s, done.nodes_s)]
        print(f"| {batch_ms:g} ms | {rate:,.0f} | {rate / ideal:.3f} | {each[0]:.2f}, {each[1]:.2f} |", flush=True)


def hop(asked: argparse.Namespace, scratch: Path) -> None:
    """Latency with an engine of 1 ms, without and over nodes."""
    cases: list[tuple[str, dict[str, float], int]] = [
        ("SingleStream", {"target_latency": 1.1, "min_duration": asked.seconds * 1e3}, 1),
        ("Server", {"target_qps": 1200.0, "min_duration": asked.seconds * 1e3, "target_latency": BOUND_S * 1e3}, 2),
    ]
    print("| scenario | | p50 | p99 |\n| --- | --- | --- | --- |")
    for scenario, conf, count in cases:
        for where in (0, count):
            engine = {**constant(1.0), "devices": count if where == 0 else 1}
            done = over_nodes(scratch, scenario, conf, where, asked.tcp, engine=engine, batch={"max_samples": 1})
            found = [summary(done.folder, f"{p}.00 percentile latency (ns)") / 1e6 for p in (50, 99)]
            print(f"| {scenario} | {'over nodes' if where else 'without'} | {found[0]:.3f} ms | {found[1]:.3f} ms |", flush=True)


def highest(scratch: Path, asked: argparse.Namespace, count: int, above: float) -> float:
    """The highest rate at which a Server run over `count` nodes (0: one device of this machine) is VALID, within 1 %."""
    low, high = above / 2, above
    while high / low > 1.01:
        rate = (low + high) / 2
        conf = {"target_qps": rate, "min_duration": asked.seconds * 1e3, "min_query_count": 1.0, "target_latency": BOUND_S * 1e3}
        engine = linear(2.0, 0.25, 64)
        batch = {"max_samples": 64}
        done = over_nodes(scratch, "Server", conf, count, asked.tcp, engine=engine, batch=batch)
        low, high = (rate, high) if is_valid(done.folder) else (low, rate)
    return low


def server(asked: argparse.Namespace, scratch: Path) -> None:
    """Server's highest VALID rate of one device, and over nodes that have one each."""
    most = 64 / (2.0 + 0.25 * 63) * 1e3
    alone = highest(scratch, asked, 0, most * 1.1)
    over = highest(scratch, asked, asked.nodes, most * asked.nodes * 1.1)
    print("| highest VALID rate of one device | over the nodes | of their sum |\n| --- | --- | --- |")
    print(f"| {alone:,.0f} queries/s | {over:,.0f} queries/s | {over / alone / asked.nodes:.3f} |")


def openvino(asked: argparse.Namespace, scratch: Path) -> None:
    """Tiny BERT on each half of this machine's cores by itself, and over a local cluster whose nodes have a half each."""
    cores = sorted(os.sched_getaffinity(0))
    parts = [cores[i * len(cores) // asked.nodes : (i + 1) * len(cores) // asked.nodes] for i in range(asked.nodes)]
    alone = [_tiny_bert(scratch / f"alone-{i}", asked, set(part)) for i, part in enumerate(parts)]
    over = _tiny_bert(scratch / "over", asked, set(cores), f"--ray_address=local:{asked.nodes}")
    print("| each part alone, samples/s | over a local Ray cluster | of their sum |\n| --- | --- | --- |")
    print(f"| {', '.join(f'{rate:,.1f}' for rate in alone)} | {over:,.1f} | {over / sum(alone):.3f} |")


def _tiny_bert(folder: Path, asked: argparse.Namespace, cores: set[int], *words: str) -> float:
    """Samples per second of an Offline run on these cores."""
    usual = ("run", "--benchmarks=bert", "--scenarios=offline", "--model_variant=tiny", "--precision=fp32", "--backend=openvino")
    command = [sys.executable, "-m", "code.main", f"--action={usual[0]}", *usual[1:], "--harness_lang=cpp", "--share_devices"]
    length = (f"--min_duration={asked.seconds * 1e3:.0f}", "--min_query_count=1", f"--log_dir={folder}")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        execute([*command, *length, *words])
    finally:
        os.sched_setaffinity(0, before)
    (found,) = folder.rglob("mlperf_log_summary.txt")
    return summary(found.parent, "Samples per second")


FIGURES = {"offline": offline, "hop": hop, "server": server, "openvino": openvino}


def main() -> int:
    """Measure what is asked for and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--batch_ms", default="2,1,0.64,0.5,0.4")
    parser.add_argument("--batch", type=int, default=64, help="samples of a batch (offline)")
    parser.add_argument(
        "--streams", type=int, default=1, help="of each node's device, which computes one batch at a time (offline)"
    )
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--tcp", action="store_true", help="TCP with CURVE, as between machines; else Unix sockets")
    asked = parser.parse_args()
    programs_built()
    with tempfile.TemporaryDirectory() as scratch:
        FIGURES[asked.figure](asked, Path(scratch))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
