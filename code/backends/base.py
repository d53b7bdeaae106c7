"""The interface of a backend and the registry of backends.

A backend imports its SDK only inside its functions, so that listing it costs nothing and a missing SDK is an error only when it is
needed. To add a backend, write a module with `BACKEND` and add an entry here.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from code.common.errors import MissingError, unknown
from code.common.installed import version
from code.fields.consumer import Consumer
from code.harness.schema.options import NoOptions, Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKENDS: dict[str, str] = {
    "openvino": "code.backends.openvino",
    "openvino_genai": "code.backends.generators.openvino_genai",
    "onnxruntime": "code.backends.onnxruntime",
    "tensorrt": "code.backends.tensorrt.backend",
    "tensorrt_rtx": "code.backends.tensorrt.rtx",
    "tensorrt_llm": "code.backends.generators.tensorrt_llm",
    "tensorrt_llm_api": "code.backends.generators.tensorrt_llm_api.backend",
    "pytorch": "code.backends.generators.pytorch.backend",
    "openai": "code.backends.generators.openai",
    "triton_llm": "code.backends.generators.triton_llm",
    "simulated": "code.backends.simulated",
}
"""Backend name → module that defines BACKEND."""

CLIENTS: dict[str, str] = {
    "triton": "code.backends.triton.client",
    "apart": "code.backends.apart.client",
    "remote": "code.backends.generators.remote",
}
"""Name in run.json → module whose BACKEND only loads: its engines are built by another, and computed by a server or another process."""

INSTEAD = {"openvino": "onnxruntime"}
"""A runtime that some platforms have no package of → the one that takes its place there; both are also the packages' names."""

Arrays: TypeAlias = "Mapping[str, NDArray[Any]]"


@dataclass(frozen=True)
class EngineSpec:
    """How an engine is loaded for a run.

    Args:
        streams: batches that may be in flight.
        threads: total runtime threads; 0: the runtime decides.
        precision: 'fp32', 'bf16', …; always decided here, never by the runtime.
        options: the backend's (code/harness/schema/options.py); None: the defaults.
        cores: processors that the calling thread is bound to; (): any.
        device: index of the device in this process.
        name: the device's name in run.json: a GPU's UUID where it is known.
        pci: a GPU's PCI address in run.json; '': not known.
    """

    streams: int
    threads: int
    precision: str
    options: Options | None = None
    cores: tuple[int, ...] = ()
    device: int = 0
    name: str = ""
    pci: str = ""


class Stream(Protocol):
    """One stream of an engine. Not thread-safe: one worker owns it."""

    def infer(self, inputs: Arrays) -> Arrays:
        """Run one batch and wait. Output arrays may be reused by the next call on this stream."""


class Engine(Protocol):
    """An engine loaded on one device; creates streams."""

    inputs: Sequence[str]
    outputs: Sequence[str]

    def stream(self) -> Stream:
        """A new stream; the streams of an engine may run concurrently."""


class Backend(Protocol):
    """A runtime: builds engines and loads them."""

    name: str
    label: str
    """Name in results, such as 'OpenVINO' or 'TRT'."""
    runtime_key: str
    """Key of the runtime's version in metadata.json."""
    reads: tuple[Consumer, ...]
    """The consumers of options in its code, including its C++ engine."""
    device: str
    """'CPU' or 'GPU'; 'ANY' for a backend that uses the devices of any system."""
    harness_languages: tuple[str, ...] = ("cpp", "python")
    """Languages of the harnesses that can run it; the C++ harness must also be built with it."""
    computes: bool = True
    """Whether its engines compute answers. If not, it needs no model and no data, and its results are simulated."""
    makes_precision: bool
    """Whether its engines take the unmodified model and set the precision themselves; if not, a graph is made in it first."""

    def version(self) -> str:
        """The runtime's version; MissingError when it is not installed."""

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that identifies the engine except the model. UsageError for an unsupported precision."""

    def device_identity(self) -> str:
        """Description of the device that an engine is built for; part of its identity."""

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | None:
        """Write the engine's files into `folder`. Returns the sidecar's `details`.

        RunError with the runtime's message on failure.
        """

    def options(self, values: Mapping[str, Any], folder: Path) -> Options:
        """run.json's options of the engine in `folder`, from a workload's fields."""
        return NoOptions()

    def recorded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Keys of metadata.json that only this backend has."""
        return {}

    def load(self, folder: Path, spec: EngineSpec) -> Any:
        """Load the engine in `folder`: an Engine, or a TextGenerator (code/backends/generators/base.py)."""


def backend(name: str) -> Backend:
    """The backend called `name`; UsageError for an unknown one."""
    module = BACKENDS.get(name)
    if module is None:
        raise unknown("backend", name, BACKENDS, "--backend")
    return cast(Backend, importlib.import_module(module).BACKEND)


class Loader(Protocol):
    """What loads an engine for a run: a backend, or the client of a server."""

    def load(self, folder: Path, spec: EngineSpec) -> Any:
        """Load the engine in `folder`."""


def loader(name: str) -> Loader:
    """What loads run.json's engines of the name `name`; UsageError for an unknown one."""
    return cast(Loader, importlib.import_module(CLIENTS[name]).BACKEND) if name in CLIENTS else backend(name)


def missing_sdk(package: str, extra: str, error: Exception) -> MissingError:
    """The error for an SDK that cannot be imported."""
    return MissingError(
        f"the Python package {package} cannot be imported",
        str(error),
        f"install it with `make {extra}`"
        if extra
        else "run `make venv` to create the environment; documentation/platforms.md names platforms without this package",
    )


def package_version(package: str, extra: str = "") -> str:
    """The version of an installed SDK. MissingError without it, with the target that installs the set `extra`."""
    found = version(package)
    if found is None:
        raise missing_sdk(package, extra, ModuleNotFoundError(f"No package metadata was found for {package}"))
    return found


def installed_instead(name: str) -> str | None:
    """The backend that takes the place of one whose package is not installed; None where it is, or where nothing takes its place."""
    other = INSTEAD.get(name)
    if other is None or importlib.util.find_spec(name) is not None or importlib.util.find_spec(other) is None:
        return None
    return other
