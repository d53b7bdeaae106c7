"""The rate at which a source sends, measured with its first bytes."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException

from code.common.download import connection
from code.common.download.patience import LostError, RefusedError

SECONDS, ANSWER_SECONDS = 2.0, 6.0
BYTES = 1 << 23
_LEAST = 1 << 16


@dataclass(frozen=True)
class Rate:
    """Bytes per second of a host; 0 where none answered, with the reason."""

    host: str
    per_second: float = 0.0
    why: str = ""


def measure(urls: Sequence[str]) -> Rate:
    """The rate of the first URL that answers with bytes: of at most `BYTES` or `SECONDS`, without the time until the answer."""
    last = Rate("", why="there is no source to measure")
    for url in urls:
        host = connection.host_of(url)
        try:
            with connection.ask(url, {"Accept-Encoding": "identity", "Range": f"bytes=0-{BYTES - 1}"}, ANSWER_SECONDS) as answer:
                begun, count = time.monotonic(), 0
                while count < BYTES and time.monotonic() - begun < SECONDS and (block := answer.read1(1 << 16)):
                    count += len(block)
                elapsed = time.monotonic() - begun
        except urllib.error.HTTPError as error:
            with error:
                last = Rate(host, why=f"it answered {error.code}")
            continue
        except (LostError, RefusedError, OSError, HTTPException, ValueError) as error:
            last = Rate(host, why=connection.words(error))
            continue
        if count >= _LEAST:
            return Rate(host, count / max(elapsed, 1e-3))
        last = Rate(host, why=f"it sent {count:,} bytes, too few to measure")
    return last
