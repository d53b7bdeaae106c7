"""Our LLM server in a thread of a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from code.harness.python.http_server import MOST, HttpServer
from code.harness.python.llm_server import served
from code.harness.python.llm_service import Service


@contextmanager
def serving(service: Service, most: int = MOST) -> Iterator[HttpServer]:
    """A server on a free port of loopback for the block."""
    with running(served(service, "127.0.0.1", 0, most)) as server:
        yield server


@contextmanager
def running(server: HttpServer) -> Iterator[HttpServer]:
    """A server that runs for the block."""
    stopped = asyncio.Event()

    async def until() -> None:
        await stopped.wait()

    thread = threading.Thread(target=server.run, args=(until(),), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(stopped.set)
        thread.join(20)
        assert not thread.is_alive()
