"""A text generator behind Triton Inference Server: the model `tensorrt_llm` of its TensorRT-LLM backend, or one of the same tensors.

Prompts are sent as token ids over one gRPC stream, each answered by one response or, where first tokens are asked for, by one for each
step. Source of the tensors: triton-inference-server/tensorrtllm_backend, all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt. The
client ran against a real server whose model has these tensors; TensorRT-LLM's own has not been executed: it needs a GPU.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import EngineSpec
from code.backends.generators.base import Event, Generation, GeneratorSpec
from code.backends.generators.served import ENGINE, IN_FLIGHT, TIMEOUT_S, ServedText
from code.backends.triton import wires
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.fields.consumer import Consumer
from code.harness.schema.options import TritonLlmOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERVER = Consumer("Triton's LLM backend", ("triton_url", "served_model", "server_timeout"), backends=("triton_llm",))
MODEL = "tensorrt_llm"
TOKENS, LENGTHS, OUTPUT, SIZES = "input_ids", "input_lengths", "output_ids", "sequence_length"
LEAST = ("min_tokens", "min_length")
"""Names of the least number of tokens, of newer and of older versions."""
NEEDED = (TOKENS, LENGTHS, "request_output_len")


class TritonLlmGenerator:
    """Requests on their way to a model, over one gRPC stream."""

    def __init__(self, options: TritonLlmOptions, generation: Generation, capacity: int) -> None:
        self.capacity = capacity
        self._options, self._generation = options, generation
        self._wire = wires.GrpcWire(options.url)
        self._takes = _taken(self._wire, options)
        self._events: queue.SimpleQueue[Event | HarnessError] = queue.SimpleQueue()
        self._prompts: dict[str, NDArray[np.int32]] = {}
        self._found: dict[str, list[int]] = {}
        self._heard = time.monotonic()
        self._wire.stream(self._take)

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Send it."""
        number = str(request)
        self._prompts[number], self._found[number] = prompt, []
        self._wire.send(self._options.model, self.inputs(prompt), number)

    def inputs(self, prompt: NDArray[np.int32]) -> list[Any]:
        """The tensors of a request: those that the model takes of what can be said."""
        how = self._generation
        given: dict[str, Any] = {
            TOKENS: prompt.astype(np.int32)[None, :],
            LENGTHS: len(prompt),
            "request_output_len": how.max_new_tokens,
            "end_id": how.eos,
            "pad_id": how.eos,
            "beam_width": how.num_beams,
            "early_stopping": how.early_stopping,
            "streaming": how.stream,
            **dict.fromkeys(LEAST, how.min_new_tokens),
        }
        found = []
        for name, value in given.items():
            kind = self._takes.get(name)
            if kind is None:
                continue
            dtype: Any = bool if kind == "BOOL" else np.int32
            array = value if isinstance(value, np.ndarray) else np.array([[value]], dtype)
            field = self._wire.module.InferInput(name, list(array.shape), kind)
            field.set_data_from_numpy(array)
            found.append(field)
        return found

    def advance(self, wait_s: float) -> list[Event]:
        """What has arrived; waits at most `wait_s` for the first. RunError for a server that is silent, or answers with an error."""
        found: list[Event] = []
        try:
            while True:
                one = self._events.get(timeout=wait_s) if not found else self._events.get_nowait()
                if isinstance(one, HarnessError):
                    raise one
                found.append(one)
        except queue.Empty:
            silent_s = time.monotonic() - self._heard
            if not found and self._prompts and silent_s > self._options.timeout:
                raise RunError(
                    f"the Triton server at {self._options.url} hangs",
                    f"it has sent nothing for {silent_s:,.0f} s",
                    "see its log; --server_timeout says how long to wait",
                ) from None
            return found

    def close(self) -> None:
        """End the stream; requests still running are abandoned."""
        self._wire.close()

    def _take(self, result: Any, error: RunError | None) -> None:
        """One response, on a thread of the client's."""
        self._heard = time.monotonic()
        if error is not None:
            self._events.put(error)
            return
        response = result.get_response()
        number = str(response.id)
        prompt = self._prompts.get(number)
        if prompt is None:
            return
        tokens = self._found[number]
        first = not tokens
        tokens += _generated(result, prompt, self._generation.stream)
        if first and tokens and self._generation.stream:
            self._events.put(Event(int(number), np.asarray(tokens[:1], dtype=np.int32), False))
        if not self._generation.stream or response.parameters["triton_final_response"].bool_param:
            del self._prompts[number], self._found[number]
            self._events.put(self._whole(int(number), tokens))

    def _whole(self, request: int, tokens: list[int]) -> Event | HarnessError:
        if not tokens:
            return wires.refused("a text has no tokens")
        ends = [at for at, token in enumerate(tokens) if token in self._generation.ends]
        kept = tokens[: ends[0] + 1] if ends else tokens
        return Event(request, np.asarray(kept, dtype=np.int32), True)


def _generated(result: Any, prompt: NDArray[np.int32], streams: bool) -> list[int]:
    """The new tokens of the best text in a response. Without streaming, a model may repeat the prompt in front of them."""
    output = result.as_numpy(OUTPUT)
    if output is None or not output.size:
        return []
    row = output.reshape(-1, output.shape[-1])[0]
    sizes = result.as_numpy(SIZES)
    if sizes is not None and sizes.size and not streams:
        row = row[: int(sizes.reshape(-1)[0])]
    repeated = not streams and len(row) > len(prompt) and bool((row[: len(prompt)] == prompt).all())
    found: list[int] = row[len(prompt) if repeated else 0 :].tolist()
    return found


def _taken(wire: wires.Wire, options: TritonLlmOptions) -> dict[str, str]:
    """Name → type of the inputs of a model. MissingError for one that is not served, RunError for one of other tensors."""
    if not wire.ready(options.model):
        raise MissingError(
            f"the Triton server at {options.url} does not serve {options.model}",
            "",
            "name the model of its LLM backend with --served_model",
        )
    found = wire.description(options.model)
    inputs = {str(one["name"]): str(one["datatype"]) for one in found.get("inputs", ())}
    lacks = [name for name in NEEDED if inputs.get(name) != "INT32"]
    if OUTPUT not in [one["name"] for one in found.get("outputs", ())]:
        lacks.append(OUTPUT)
    if lacks:
        raise RunError(
            f"the model {options.model} is not one of Triton's TensorRT-LLM backend",
            f"it has no {', '.join(lacks)} of INT32",
            f"name its model with --served_model; the backend calls it {MODEL}",
        )
    return inputs


class TritonLlm(ServedText):
    """A model of Triton's TensorRT-LLM backend, on a server that runs."""

    name = "triton_llm"
    label = "Triton_LLM"
    runtime_key = "triton_client_version"
    reads = (ENGINE, SERVER)

    def version(self) -> str:
        """Of the protocol: the server's own is asked in a run."""
        return "v2"

    def options(self, values: Mapping[str, Any], folder: Path) -> TritonLlmOptions:
        """Address and name. UsageError without an address."""
        read = SERVER.of(values)
        if not read["triton_url"]:
            raise UsageError(
                "no Triton server is given",
                "the triton_llm backend measures a server that is already running",
                "add --triton_url=HOST:PORT of its gRPC endpoint",
            )
        url, _, scheme = wires.address(str(read["triton_url"]))
        if scheme == "http":
            raise UsageError("texts are streamed over gRPC", f"triton_url is {read['triton_url']}", "name its gRPC endpoint")
        return TritonLlmOptions(url, str(read["served_model"] or MODEL), float(read["server_timeout"] or TIMEOUT_S))

    def recorded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Where the server is, and what it is asked."""
        given = self.options(values, Path())
        return {"triton_server": given.url, "triton_model": given.model}

    def load(self, folder: Path, spec: EngineSpec) -> TritonLlmGenerator:
        """Open the stream. The server must serve a model of the backend's tensors."""
        asked = GeneratorSpec.require(spec)
        if not isinstance(spec.options, TritonLlmOptions):
            raise TypeError(f"a model of Triton's is loaded with TritonLlmOptions, not with {type(spec.options).__name__}")
        capacity = max(1, spec.streams * (asked.requests_in_flight or IN_FLIGHT))
        return TritonLlmGenerator(spec.options, asked.generation, capacity)


BACKEND = TritonLlm()
