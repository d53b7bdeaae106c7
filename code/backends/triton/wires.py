"""Ways to a Triton server: gRPC, and HTTP with the binary tensor extension. Both have the same calls.

HTTP requests are written and read by tritonclient; the connection is the standard library's, because tritonclient's own is bound to the
thread that made it. Source: triton-inference-server/server, docs/protocol (extensions binary_data, shared_memory and statistics).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from code.backends.triton import package
from code.common import jsonfile
from code.common.errors import RunError, UsageError

QUIET = {"GRPC_VERBOSITY": "NONE", "GLOG_minloglevel": "3"}
"""gRPC would print warnings of its own beside the harness's errors."""
HEADER_LENGTH = "Inference-Header-Content-Length"


ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
HERE = ("localhost", "127.0.0.1", "[::1]")


class Wire(Protocol):
    """A connection to a server. One thread uses it. Its calls raise RunError with the server's words."""

    module: Any
    """The client's module, with InferInput and InferRequestedOutput."""

    def version(self) -> str:
        """The server's version."""

    def ready(self, model: str) -> bool:
        """Whether the server serves a model."""

    def description(self, model: str) -> Mapping[str, Any]:
        """A model's tensors: inputs and outputs, each with name, datatype and shape."""

    def statistics(self) -> Mapping[str, Any]:
        """What the server counted since it started, of each model."""

    def register(self, name: str, key: str, size: int) -> None:
        """Make a region of system shared memory known."""

    def unregister(self, name: str) -> None:
        """Let the server close a region."""

    def infer(self, model: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """One request and its answer."""


class GrpcWire:
    """Requests over a gRPC stream, each by a message of its own otherwise."""

    def __init__(self, url: str) -> None:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        self.module = package.client("grpc")
        self._url = url
        channel = [("grpc.use_local_subchannel_pool", 1)]
        self._client = self.module.InferenceServerClient(url, channel_args=channel)
        self._answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._streams = False

    def version(self) -> str:
        """See Wire."""
        with self._asking():
            return str(self._client.get_server_metadata(as_json=True).get("version", ""))

    def ready(self, model: str) -> bool:
        """See Wire."""
        with self._asking():
            return bool(self._client.is_model_ready(model))

    def description(self, model: str) -> Mapping[str, Any]:
        """See Wire."""
        with self._asking():
            found: Mapping[str, Any] = self._client.get_model_metadata(model, as_json=True)
            return found

    def statistics(self) -> Mapping[str, Any]:
        """See Wire."""
        with self._asking():
            found: Mapping[str, Any] = self._client.get_inference_statistics(as_json=True)
            return found

    def register(self, name: str, key: str, size: int) -> None:
        """See Wire."""
        with self._asking():
            self._client.register_system_shared_memory(name, key, size)

    def unregister(self, name: str) -> None:
        """See Wire."""
        with self._asking():
            self._client.unregister_system_shared_memory(name)

    def infer(self, model: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """See Wire."""
        with self._asking():
            if not self._streams:
                self._client.start_stream(callback=lambda result, error: self._answers.put((result, error)))
                self._streams = True
            self._client.async_stream_infer(model, list(inputs), outputs=list(outputs))
        result, error = self._answers.get()
        if error is not None:
            raise self._failed(error)
        return result

    def stream(self, take: Callable[[Any, RunError | None], None]) -> None:
        """Open the stream for `send`; `take` gets each response, or an error, on a thread of the client's."""
        with self._asking():
            self._client.start_stream(callback=lambda result, error: take(result, None if error is None else self._failed(error)))
            self._streams = True

    def send(self, model: str, inputs: Sequence[Any], number: str) -> None:
        """One request over the stream, with an id that its responses repeat. The last of them says that it is."""
        with self._asking():
            self._client.async_stream_infer(model, list(inputs), request_id=number, enable_empty_final_response=True)

    def close(self) -> None:
        """End the connection; requests still running are abandoned."""
        with contextlib.suppress(Exception):  # of a server that has gone
            self._client.stop_stream(cancel_requests=True)
        self._client.close()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Turns what the client raises into an error of the harness."""
        try:
            yield
        except Exception as error:
            if type(error).__name__ != "InferenceServerException":  # of a package that is imported only here
                raise
            raise self._failed(error) from error

    def _failed(self, error: Any) -> RunError:
        words = said(error)
        if "UNAVAILABLE" in str(error) or "stream" in words.lower():
            return unreachable(self._url, words)
        return refused(words)


class HttpWire:
    """Requests over one HTTP connection that is kept open, with tensors as bytes behind the JSON header."""

    def __init__(self, url: str) -> None:
        self.module = package.client("http")
        self._url = url
        host, _, port = url.rpartition(":")
        self._connection = http.client.HTTPConnection(host.strip("[]"), int(port))

    def version(self) -> str:
        """See Wire."""
        return str(self._json("GET", "").get("version", ""))

    def ready(self, model: str) -> bool:
        """See Wire."""
        return self._asked("GET", f"/models/{quote(model)}/ready")[0] == 200

    def description(self, model: str) -> Mapping[str, Any]:
        """See Wire."""
        return self._json("GET", f"/models/{quote(model)}")

    def statistics(self) -> Mapping[str, Any]:
        """See Wire."""
        return self._json("GET", "/models/stats")

    def register(self, name: str, key: str, size: int) -> None:
        """See Wire."""
        body = json.dumps({"key": key, "offset": 0, "byte_size": size}).encode()
        self._json("POST", f"/systemsharedmemory/region/{quote(name)}/register", body)

    def unregister(self, name: str) -> None:
        """See Wire."""
        self._json("POST", f"/systemsharedmemory/region/{quote(name)}/unregister")

    def infer(self, model: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """See Wire."""
        client = self.module.InferenceServerClient
        body, length = client.generate_request_body(list(inputs), outputs=list(outputs))
        headers = {"Content-Type": "application/octet-stream"}
        if length is not None:
            headers[HEADER_LENGTH] = str(length)
        status, found, content = self._asked("POST", f"/models/{quote(model)}/infer", body, headers)
        if status != 200:
            raise refused(_error_of(content))
        own = found.get(HEADER_LENGTH)
        try:
            return client.parse_response_body(content, header_length=None if own is None else int(own))
        except (ValueError, KeyError, IndexError) as error:
            raise refused(f"its answer is not one of Triton's: {error}") from error

    def _json(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        status, _, content = self._asked(method, path, body)
        if status != 200:
            raise refused(_error_of(content))
        try:
            found = jsonfile.parse(content or b"{}")
        except ValueError as error:
            raise refused(f"its answer to {path or '/v2'} is not JSON: {error}") from error
        return found if isinstance(found, dict) else {}

    def _asked(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, bytes]:
        """(status, headers, content) of one request."""
        try:
            self._connection.request(method, f"/v2{path}", body, dict(headers or {}))
            answer = self._connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise unreachable(self._url, said(error)) from error


WIRES: Mapping[str, Callable[[str], Wire]] = {"grpc": GrpcWire, "http": HttpWire}
"""Protocol → how a server is asked over it."""


def wire(protocol: str, url: str) -> Wire:
    """A new connection. MissingError without the client's package."""
    return WIRES[protocol](url)


def address(text: str) -> tuple[str, bool, str]:
    """(host:port, whether the host is this machine, protocol or '') of 'host:port', 'grpc://host:port' or 'http://host:port'.

    UsageError for anything else.
    """
    scheme, separator, rest = text.rpartition("://")
    hit = ADDRESS.fullmatch(rest)
    if hit is None or not 0 < int(hit["port"]) < 65536 or (separator and scheme not in WIRES):
        raise UsageError(
            f"triton_url cannot be {text[:80]!r}",
            "it is HOST:PORT of a server's gRPC endpoint, or of its HTTP endpoint with --triton_protocol=http",
            "write --triton_url=localhost:8001",
            "",
        )
    return hit[0], hit["host"] in HERE, scheme


def unreachable(url: str, words: str) -> RunError:
    """The error for a server that does not answer, or no longer."""
    return RunError(
        f"the Triton server at {url} does not answer",
        words,
        "see whether it runs, and its log; without --triton_url the harness starts one itself",
    )


def refused(words: str) -> RunError:
    """The error for an answer that is one."""
    return RunError("Triton answered with an error", words, "see the server's log, triton.txt")


def said(error: Any) -> str:
    """The first line of what an exception says."""
    text = error.message() if hasattr(error, "message") and callable(error.message) else str(error)
    return next((line.strip() for line in str(text).splitlines() if line.strip()), type(error).__name__)


def _error_of(content: bytes) -> str:
    """The server's words in an answer with an error status."""
    try:
        found = jsonfile.parse(content)
    except ValueError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("error"), str):
        return found["error"].strip().splitlines()[0][:300] if found["error"].strip() else "it gave no reason"
    return content[:300].decode("utf-8", "replace").strip() or "it gave no reason"
