"""A text generator measured through this harness's own server: the server's run.json, and the one that asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from code.backends.generators.openai import asked_of_servers
from code.common import console
from code.fields.consumer import Consumer
from code.harness.python.watch import PATIENCE
from code.harness.schema.datasets import PromptData
from code.harness.schema.options import OpenAiOptions
from code.harness.schema.run_spec import DeviceEntry, RunSpec
from code.run import llm_server
from code.run.launch import Take
from code.run.resolved import Resolved
from code.run.servable import no_texts
from code.run.triton_requests import Asked

READS = Consumer("OpenAI servers", ("server_timeout", "server_first_token_timeout", "server_api"), own_server=True)


def served(job: Resolved, spec: RunSpec) -> llm_server.Served:
    """What the server of a job is started with. UsageError for an engine that generates no text."""
    if not isinstance(spec.dataset, PromptData):
        raise no_texts(job.label)
    tokenizer = job.graph / "tokenizer.json"
    return llm_server.Served(spec, job.definition.facts.name, tokenizer if tokenizer.is_file() else None)


@contextlib.contextmanager
def behind_own_server(job: Resolved, spec: RunSpec, watch: Take | None = None) -> Iterator[Asked]:
    """The run.json that asks a server of a job's engine, which is started for the block.

    Raises what the server reports where it does not start, RunError where it ends during the block.
    """
    folder = Path(spec.output_dir)
    started = served(job, spec)
    patience_s = PATIENCE * spec.watchdog_s or 1e6
    with llm_server.started(started, folder, f"{job.label} server", patience_s) as server:
        runtime = f"{job.backend.name} {job.backend.version()}"
        read = READS.of(job.values)
        how = asked_of_servers(read["server_timeout"], read["server_first_token_timeout"], read["server_api"])
        llm_server.record(folder, started.model, runtime, job.engines.first.folder.name, how.server_api)
        console.say(f"{job.label}: {started.model} on {runtime} is served at {server.url}")
        asked = through(spec, replace(how, server_urls=(server.url,), served_model=started.model), job.graph)
        yield Asked(asked, watch)


def through(spec: RunSpec, options: OpenAiOptions, checkpoint: Path) -> RunSpec:
    """The run.json whose engine is behind a server: as many requests in flight as its devices have together.

    Args:
        checkpoint: folder of the tokenizer, which conversations need.

    The server's threads are bound to the devices' cores. LoadGen's side is bound to none, so that it runs wherever a core is idle.
    """
    streams = sum(device.streams for device in spec.devices)
    names = {device.name for device in spec.devices}
    name = names.pop() if len(names) == 1 else f"{len(spec.devices)} devices"
    return replace(
        spec,
        engines=(replace(spec.engines[0], backend="openai", folder=str(checkpoint), options=options),),
        devices=(DeviceEntry(0, name, 0, (), streams, 0),),
    )
