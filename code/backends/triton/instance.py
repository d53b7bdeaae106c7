"""Computes the requests of one instance of a model inside Triton's Python backend."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.backends.base import EngineSpec, backend
from code.common.errors import last_words

Arrays = dict[str, NDArray[Any]]
TAKEN = b"used_dltensor"
"""The name of a capsule that was taken, which has to outlive it. Source: dmlc.github.io/dlpack, Python specification."""
WATCHER = """import os, select, signal, sys
server, own = map(os.pidfd_open, map(int, sys.argv[1:]))
ends = select.poll()
ends.register(server, select.POLLIN)
ends.register(own, select.POLLIN)
if own not in dict(ends.poll()):
    signal.pidfd_send_signal(own, signal.SIGKILL)
"""
"""Waits, without polling, until one of two processes ends, and kills the second where it was the first."""
_set_name = ctypes.pythonapi.PyCapsule_SetName
_set_name.argtypes = [ctypes.py_object, ctypes.c_char_p]


def end_with_server(python: str) -> None:
    """Have a process of its own end this one when the server has ended.

    Triton's program for an instance does not always notice that: killed servers have left some waiting on a lock for ever. The
    kernel's own way (PR_SET_PDEATHSIG) goes by the thread that started it, which ends when the model has loaded.

    Args:
        python: an interpreter, since this process is none.
    """
    command = [python, "-I", "-S", "-c", WATCHER, str(os.getppid()), str(os.getpid())]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Instance:
    """An engine with one stream.

    Args:
        settings: the model's parameter `harness` (code/backends/triton/repository.py).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        end_with_server(str(settings["python"]))
        cores = tuple(settings["cores"])
        if cores:
            os.sched_setaffinity(0, cores)
        spec = EngineSpec(1, int(settings["threads"]), str(settings["precision"]), cores=cores)
        engine = backend(str(settings["backend"])).load(Path(settings["engine"]), spec)
        self._inputs = list(engine.inputs)
        self._outputs = list(engine.outputs)
        self._stream = engine.stream()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response for each request; requests of one shape are computed together.

        Tensors pass through DLPack. The backend's own conversions are built for NumPy 1 and read types of NumPy 2 wrongly: an output
        has 0 bytes, and an input loses its strides.
        """
        import triton_python_backend_utils as triton

        arrays = [
            {name: np.array(np.from_dlpack(triton.get_input_tensor_by_name(request, name))) for name in self._inputs}
            for request in requests
        ]
        answers: list[Any] = [None] * len(requests)
        for together in _of_one_shape(arrays):
            try:
                outputs = self.computed([arrays[number] for number in together])
            except Exception as error:  # whatever a runtime raises is this request's answer, not the server's end
                failed = triton.TritonError(last_words(error))
                for number in together:
                    answers[number] = triton.InferenceResponse(output_tensors=[], error=failed)
                continue
            for number, output in zip(together, outputs, strict=True):
                answers[number] = triton.InferenceResponse([_tensor(triton, *item) for item in output.items()])
        return answers

    def computed(self, batches: Sequence[Arrays]) -> list[Arrays]:
        """The outputs of batches whose shapes but for the first dimension are equal, by one call into the engine."""
        joined = {name: np.concatenate([batch[name] for batch in batches]) for name in self._inputs}
        outputs = self._stream.infer(joined if len(batches) > 1 else dict(batches[0]))
        ends = np.cumsum([len(batch[self._inputs[0]]) for batch in batches])
        begins = [0, *ends[:-1].tolist()]
        return [
            {name: np.array(outputs[name][begin:end], order="C") for name in self._outputs}
            for begin, end in zip(begins, ends.tolist(), strict=True)
        ]


def _tensor(triton: Any, name: str, array: NDArray[Any]) -> Any:
    """An array as a tensor of the backend.

    The backend calls a capsule that it took "used_dlpack". The standard's name is "used_dltensor", and NumPy reports each capsule of
    another name as an exception on standard error when it is deleted.
    """
    capsule = array.__dlpack__()
    tensor = triton.Tensor.from_dlpack(name, capsule)
    _set_name(capsule, TAKEN)
    return tensor


def _of_one_shape(arrays: Sequence[Arrays]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for number, one in enumerate(arrays):
        key = json.dumps({name: array.shape[1:] for name, array in one.items()})
        groups.setdefault(key, []).append(number)
    return list(groups.values())
