"""Config files of LLM servers: `<benchmark>/<system>/<VLLM|TRTLLM>/<Scenario>/endpoint.yaml`, as round v6.1 has them.

The server's arguments and the client's settings that are fields here become one; the rest is named. Nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from code.common.constants import Benchmark, Scenario, WorkloadSetting
from code.common.files import require_regular
from code.fields.texts import scalar
from code.systems.folders import known_system
from configs.configuration import BenchmarkConfiguration, Registered, shown
from configs.exports import ExportFault, scenario_folder

SERVERS = ("VLLM", "TRTLLM", "SGLANG")
ARGUMENTS = {
    "tensor_parallel_size": "tensor_parallelism",
    "tp_size": "tensor_parallelism",
    "pipeline_parallel_size": "pipeline_parallelism",
    "pp_size": "pipeline_parallelism",
    "ep_size": "moe_expert_parallelism",
    "max_num_seqs": "gpu_batch_size",
    "max_batch_size": "gpu_batch_size",
    "max_num_batched_tokens": "max_num_tokens",
    "max_num_tokens": "max_num_tokens",
    "gpu_memory_utilization": "kvcache_free_gpu_mem_frac",
    "kv_cache_free_gpu_memory_fraction": "kvcache_free_gpu_mem_frac",
    "free_gpu_memory_fraction": "kvcache_free_gpu_mem_frac",
    "max_new_tokens": "max_new_tokens",
    "min_new_tokens": "min_new_tokens",
    "min_duration_ms": "min_duration",
    "max_duration_ms": "max_duration",
    "min_query_count": "min_query_count",
    "min_sample_count": "min_query_count",
    "scheduler_random_seed": "schedule_rng_seed",
    "dataloader_random_seed": "sample_index_rng_seed",
}
"""Argument of a server or a client → the field of the same meaning."""
RATES = {"Offline": "offline_expected_qps", "Server": "server_target_qps", "Interactive": "server_target_qps"}
"""Scenario → the field of the client's target_qps."""


@dataclass(frozen=True)
class EndpointFile:
    """An endpoint.yaml, by its place."""

    path: Path
    folder: str
    system: str
    server: str
    scenario: str

    @property
    def module(self) -> str:
        """The name it is kept under."""
        return f"endpoint {self.path}"

    @property
    def benchmark(self) -> Benchmark | None:
        """The benchmark of its folder."""
        return Benchmark.get_match(self.folder)


def located(path: Path, root: Path) -> EndpointFile | None:
    """The place of an endpoint.yaml below a root of configs; None for any other file."""
    parts = path.relative_to(root).parts
    if path.name not in ("endpoint.yaml", "endpoint.yml") or len(parts) != 5:
        return None
    scenario = scenario_folder(parts[3])
    return EndpointFile(path, parts[0], parts[1], parts[2], scenario) if scenario and parts[2].upper() in SERVERS else None


def every_endpoint(root: Path) -> list[EndpointFile]:
    """The endpoint files below a root."""
    found = (located(path, root) for path in sorted(root.glob("*/*/*/*/endpoint.y*ml")))
    return [file for file in found if file is not None]


def endpoint_files(roots: list[Path], benchmark: Benchmark, scenario: Scenario) -> list[EndpointFile]:
    """The files of one workload."""
    every = (file for root in roots for file in every_endpoint(root))
    return [file for file in every if file.benchmark is benchmark and file.scenario == str(scenario)]


def read(file: EndpointFile) -> tuple[Registered | None, list[str], ExportFault | None]:
    """(the config, remarks on what is not used, the fault of a file that cannot be read)."""
    try:
        node = yaml.compose(require_regular(file.path).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
        content = yaml.safe_load(require_regular(file.path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = str(getattr(error, "problem", None) or error).splitlines()[0]
        return None, [], ExportFault(mark.line + 1 if mark else 1, f"not valid YAML: {reason}", "this file is skipped")
    if not isinstance(content, dict):
        return None, [], ExportFault(1, f"it is a {type(content).__name__}, not a mapping", "this file is skipped")
    fields: dict[str, Any] = {}
    places: dict[str, str] = {}
    strange: list[str] = []
    for name, value, line in _arguments(node):
        field = RATES.get(file.scenario) if name == "target_qps" else ARGUMENTS.get(name)
        if field is None:
            strange.append(name)
        elif value is not None and field not in fields:
            fields[field], places[field] = value, f"{shown(file.path)}:{line}"
    cls = type(file.system, (BenchmarkConfiguration,), {**fields, **_workload(file), "__places__": places, "__doc__": None})
    remarks = (
        [f"an LLM server ({file.server}) is not started from this file: {', '.join(dict.fromkeys(strange))}"] if strange else []
    )
    return Registered(cls, WorkloadSetting(), str(file.path), 1, file.module, folder=file.system), remarks, None


def _workload(file: EndpointFile) -> dict[str, Any]:
    return {
        "system": known_system(file.system) or file.system,
        "benchmark": file.benchmark or file.folder,
        "scenario": Scenario.get_match(file.scenario) or file.scenario,
    }


def _arguments(node: yaml.Node | None) -> Iterator[tuple[str, Any, int]]:
    """(name, value, line) of every scalar of a document, and of arguments written `--name value` or `--name=value` in text or lists."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.ScalarNode) and "--" not in value.value:
                yield _name(str(key.value)), _value(value), key.start_mark.line + 1
            else:
                yield from _arguments(value)
    elif isinstance(node, yaml.SequenceNode):
        words = [(item.value, item.start_mark.line + 1) for item in node.value if isinstance(item, yaml.ScalarNode)]
        yield from _flags(words)
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                yield from _arguments(item)
    elif isinstance(node, yaml.ScalarNode):
        line = node.start_mark.line + 1
        yield from _flags([(word, line) for word in re.sub(r"\\\n", " ", node.value).split()])


def _flags(words: list[tuple[str, int]]) -> Iterator[tuple[str, Any, int]]:
    for place, (word, line) in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, text = word.partition("=")
        following = words[place + 1][0] if place + 1 < len(words) else "--"
        yield _name(name), scalar(text if equals else "true" if following.startswith("--") else following), line


def _name(text: str) -> str:
    return text.lstrip("-").replace("-", "_")


def _value(node: yaml.ScalarNode) -> Any:
    """A scalar as YAML reads it; None for null and for a variable that the workflow tool fills in."""
    value = yaml.safe_load(node.value) if node.style is None and node.value else node.value
    return None if isinstance(value, str) and "${" in value else value
