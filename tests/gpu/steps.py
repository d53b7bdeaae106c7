"""The steps of the check, most valuable first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.gpu import engines
from tests.gpu.bench import Bench, NeedsError, conf, offline

Report = Callable[..., None]


@dataclass(frozen=True)
class Step:
    """One step: what it answers, at most how long it takes, and its code, which reports figures as it has them."""

    title: str
    seconds: float
    run: Callable[[Bench, Report], None]


def load(bench: Bench, report: Report) -> None:
    """An engine of BERT-Large's width: build, read the plan, run."""
    folder = engines.bert(bench)
    report(plan_bytes=(folder / "engine.plan").stat().st_size)
    for streams in (1, 2):
        run = offline(bench, f"load-{streams}", folder, 3, 1000, streams=streams)
        report(**{f"streams_{streams}": {"samples_per_second": run.figure, "wall_s": round(run.seconds, 2)}})
    run = bench.run("load-accuracy", "Offline", folder, conf(1, 1000), accuracy=True)
    report(answers=run.answers())


PATTERNS = (("int8", "plain"), ("int8", "softmax"), ("fp16", "softmax"), ("fp16", "plain"))
"""First what decides: today's graph and the whole pattern; the steps between them while time is left."""
BETWEEN = (("int8", "attention"), ("int8", "residual"), ("int8", "scale"), ("int8", "residual_both"), ("fp16", "scale"))


def patterns(bench: Bench, report: Report) -> None:
    """Fused layers and samples/s of each pattern of code/precision/pattern.py."""
    if bench.stand_in:
        raise NeedsError("TensorRT's builder and a GPU: the stand-in builds nothing")
    module = engines.tensorrt()
    from tests.gpu.loop import Loop

    report(tensorrt=module.__version__, layers_of_network=engines.LAYERS, batch=engines.BATCH, level=engines.LEVEL)
    rows: list[dict[str, Any]] = []
    for precision, pattern in (*PATTERNS, *BETWEEN):
        row: dict[str, Any] = {"precision": precision, "pattern": pattern}
        rows.append(row)
        quantised = "int8" if precision == "int8" else ""
        rest = "fp16" if engines.is_typed(module) else "fp32"
        try:
            name = f"{precision}-{pattern}"
            graph = engines.bert_graph
            folder, built = engines.built(
                bench, name, lambda p=pattern, q=quantised, r=rest, g=graph: g(p, q, r), engines.bert_ranges(), precision
            )
            row.update(built)
            loop = Loop(folder)
            row["samples_per_second"] = {str(length): round(loop.rate(engines.BATCH, length, 1.0), 1) for length in (384, 176)}
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"[:600]
        report(patterns=rows)


def graphs(bench: Bench, report: Report) -> None:
    """CUDA graphs: answers with and without, capture first or enqueue first, and bytes each."""
    folder = engines.bert(bench)
    answers = {}
    for use in (False, True):
        run = bench.run(f"graphs-{use}", "Offline", folder, conf(1, 1000), accuracy=True, options={"use_graphs": use})
        answers[use] = run.answers()
    report(answers_equal=answers[False] == answers[True])
    latencies = {}
    for use in (False, True):
        single = bench.run(
            f"graphs-single-{use}", "SingleStream", folder, conf(3, 5, "SingleStream"), batch=1, options={"use_graphs": use}
        )
        latencies["with" if use else "without"] = single.figure
    report(single_stream_p90_ns=latencies)
    if bench.stand_in:
        report(not_measured="bytes of a graph and the order of capture: they need TensorRT and a GPU")
        return
    from tests.gpu.loop import graph_bytes, graph_order

    report(order=graph_order(folder, 8, 176))
    report(memory=graph_bytes(folder, 16, list(range(16, 385, 32))))


def devices(bench: Bench, report: Report) -> None:
    """Two devices of one process, and CUDA's memory checker over an accuracy run."""
    folder = engines.bert(bench)
    count = _gpus(bench)
    report(gpus=count)
    if count >= 2:
        run = offline(bench, "devices", folder, 3, 2000, devices=2)
        report(samples_per_second=run.figure, devices=run.devices())
    else:
        report(one_process_on_two_devices="needs two GPUs: CUDA shows a process each GPU once")
    two = [bench.run(f"streams-{n}", "Offline", folder, conf(1, 1000), accuracy=True, streams=n).answers() for n in (1, 2)]
    report(answers_equal=two[0] == two[1])
    checker = shutil.which("compute-sanitizer")
    if bench.stand_in:
        report(memcheck="the stand-in checks every call itself")
        return
    if checker is None:
        raise NeedsError("compute-sanitizer of the CUDA toolkit, for memcheck")
    before = [checker, "--tool", "memcheck", "--error-exitcode", "9"]
    run = bench.run("memcheck", "Offline", folder, {**conf(0.1, 10), "performance_sample_count_override": 64}, before=before)
    report(memcheck=[line for line in run.text.splitlines() if "ERROR SUMMARY" in line] or run.text[-300:])


def server(bench: Bench, report: Report) -> None:
    """The highest Server rate that is valid, with batches sent at once and, if there is one, with the old harness's lanes."""
    folder = engines.bert(bench)
    most = offline(bench, "server-offline", folder, 3, 1000, streams=2).figure
    report(offline_samples_per_second=most)
    ways: dict[str, dict[str, Any]] = {"new": {}}
    if bench.old_harness is not None:
        ways["old"] = {"harness": bench.old_harness}
    else:
        report(old="needs --old_harness, a build of the revision to compare with")
    for share in (0.6, 0.75, 0.85, 0.9, 0.95):
        for way, asked in ways.items():
            name = f"server-{way}-{share}"
            settings = {**conf(4, most * share), "target_latency": 130}
            run = bench.run(name, "Server", folder, settings, streams=2, timeout_us=20000, **asked)
            report(**{f"{way}_at_{share}": {"completed_per_second": run.figure, "valid": run.valid}})


def spin(bench: Bench, report: Report) -> None:
    """SingleStream's latency with a thread that spins against one that sleeps while it waits for the device."""
    folder = engines.bert(bench)
    for turn in range(2):
        for use in (False, True):
            options = {"use_spin_wait": use, "use_graphs": True}
            run = bench.run(f"spin-{use}-{turn}", "SingleStream", folder, conf(3, 5, "SingleStream"), batch=1, options=options)
            report(**{f"{'spin' if use else 'sleep'}_{turn}": {"p90_ns": run.figure}})


def unet(bench: Bench, report: Report) -> None:
    """3D-UNet's rate by cases in flight, and whether the answers stay the same."""
    folder = engines.unet(bench)
    if "gpu_copy_streams" not in bench.capabilities()["backends"]["tensorrt"]:
        report(as_it_is={"cases_per_second": offline(bench, "unet", folder, 3, 5, volumes=True).figure})
        raise NeedsError("a harness that reads gpu_copy_streams, to compare cases in flight")
    answers = set()
    for depth in (2, 3, 4):
        options = {"gpu_copy_streams": depth - 1}
        run = offline(bench, f"unet-{depth}", folder, 3, 5, volumes=True, options=options)
        exact = bench.run(f"unet-answers-{depth}", "Offline", folder, conf(1, 5), volumes=True, options=options, accuracy=True)
        answers.add(exact.answers())
        report(**{f"in_flight_{depth}": {"cases_per_second": run.figure}})
    report(answers_equal=len(answers) == 1)


def generators(bench: Bench, report: Report) -> None:
    """The pytorch backend: tiny models' tokens, tokens/s of the true shapes with random weights, milliseconds of a layer."""
    try:
        import torch
    except ImportError as error:
        raise NeedsError(f"PyTorch with CUDA: {error}") from error
    if not torch.cuda.is_available():
        raise NeedsError("PyTorch with CUDA and a GPU")
    from tests.gpu.torch_shapes import SHAPES, layer_times

    for name, shape in SHAPES.items():
        report(**{name: layer_times(shape)})
    try:
        import transformers
    except ImportError as error:
        raise NeedsError(f"transformers, for whole texts: {error}") from error
    from tests.gpu import torch_texts

    report(torch=torch.__version__, transformers=transformers.__version__)
    for options in torch_texts.WAYS:
        for name in torch_texts.TINY:
            way = f"{name}, {options.torch_kv_cache}, {options.torch_compile}"
            report(**{f"tokens as recorded: {way}": torch_texts.tiny_tokens(name, "GPU", options)})
    for name, sizes in torch_texts.SHAPES.items():
        network = torch_texts.random_network(sizes, torch.device("cuda"))
        for way, row in torch_texts.rates(network, 32, 1024, 128):
            report(**{f"random weights of {name}: {way}": row})
        del network
        torch.cuda.empty_cache()


def _gpus(bench: Bench) -> int:
    if bench.stand_in:
        return int(bench.surroundings()["CUDA_STAND_IN_DEVICES"])
    from code.machine.detect import detect

    return len(detect().gpus)


STEPS: dict[str, Step] = {
    "load": Step("build an engine of BERT-Large's width, read its plan, run it", 80, load),
    "patterns": Step("fused layers and rates of each pattern of the graph, fp16 and int8", 155, patterns),
    "graphs": Step("CUDA graphs: answers, order of capture, bytes each", 50, graphs),
    "devices": Step("two devices of one process, memcheck", 60, devices),
    "server": Step("Server, old lanes and new", 60, server),
    "spin": Step("waiting by spinning", 25, spin),
    "unet": Step("3D-UNet, cases in flight", 50, unet),
    "generators": Step("PyTorch: layers and texts of GPT-J and Llama", 120, generators),
}
