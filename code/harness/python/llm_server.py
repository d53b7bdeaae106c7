"""`python -m code.harness.python.llm_server run.json HOST PORT MODEL [TOKENIZER]`: an OpenAI-compatible server over a text generator.

With OPENAI_API_KEY set, each request must carry it. SIGTERM ends the server when the requests in flight have their answers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.generators.completions import KEY
from code.common.errors import HarnessError, MissingError, UsageError
from code.common.parent import end_with_launcher
from code.harness.python import llm_chat
from code.harness.python.generation_run import load
from code.harness.python.http_server import MOST, HttpServer
from code.harness.python.llm_chat import ChatTemplate
from code.harness.python.llm_requests import NO_TEMPLATE, BadRequestError
from code.harness.python.llm_service import Service, Texts
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import PromptData

DRAIN_S = 60.0
"""Seconds that requests in flight have after SIGTERM."""


def served(service: Service, host: str, port: int, most: int = MOST) -> HttpServer:
    """A server that listens. UsageError where the address cannot be used."""
    server = HttpServer(host, port, service.asked, _refused, most)
    service.texts.start(server.loop, service.stopping.set)
    return server


def _refused(status: int, why: str) -> Mapping[str, Any]:
    return BadRequestError(status, why).content()


async def ended(service: Service) -> None:
    """Until the service is to stop, and its requests in flight have their answers."""
    await service.stopping.wait()
    end = time.monotonic() + DRAIN_S
    while service.texts.running and time.monotonic() < end:
        await asyncio.sleep(0.05)


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    end_with_launcher()
    try:
        file, host, port, model, *tokenizer = arguments
        spec = contract.read(Path(file))
        if not isinstance(spec.dataset, PromptData):
            raise UsageError(
                "only text generators can be served", f"{model} has no prompts", "choose a benchmark that generates text"
            )
        run = load(spec)
        opened = _tokenizer(Path(tokenizer[0])) if tokenizer else None
        chat = _template(Path(tokenizer[0]).parent) if tokenizer else (None, NO_TEMPLATE)
        service = Service(Texts(run.generator), spec.dataset, model, opened, os.environ.get(KEY, ""), *chat)
        server = served(service, host, int(port))
    except HarnessError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_status
    for number in (signal.SIGTERM, signal.SIGINT):
        server.loop.add_signal_handler(number, service.stopping.set)
    print(f"serving {model} at {server.url}", flush=True)
    server.run(ended(service))
    run.close()
    given_up = f"; {service.texts.cancelled:,} more were given up, for their clients had gone" if service.texts.cancelled else ""
    print(f"ended after {service.texts.answered:,} requests and {service.texts.tokens:,} tokens{given_up}", flush=True)
    if service.texts.failed:
        print(f"error: the generator failed: {service.texts.failed}", file=sys.stderr, flush=True)
        return 4
    return 0


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


def _template(folder: Path) -> tuple[ChatTemplate | None, str]:
    """The checkpoint's chat template, or None and why there are no conversations: it has none, or Jinja is not installed."""
    found = llm_chat.find(folder)
    try:
        return (None if found is None else ChatTemplate(*found)), NO_TEMPLATE
    except MissingError as error:
        return None, f"{error.what} ({error.next_step})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
