"""The official constants of each round: read from a checkout of mlcommons/inference, and committed as rounds.json beside this file.

    python -m tests.facts.official CHECKOUT    writes rounds.json anew; CHECKOUT is a full clone of mlcommons/inference

Only values are taken. Modules are parsed, not imported; of the checkers before v5.1, which state audits as code, the few lines that
make the list of a result's audits are evaluated.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TABLE = Path(__file__).with_name("rounds.json")
SOURCE = "https://github.com/mlcommons/inference"

OLD, NEW = "tools/submission/submission_checker.py", "tools/submission/submission_checker/constants.py"
CURRENT = "b66003e10e2db4b8c36a448b0545ec90fcc6e9e9"
TEST05 = "379ee5345a25ee123fd5faec33285b6e8be0dadf"
CHECKERS = {
    "v3.0": ("fd6486a0483de3175c67bdd84576eb5f4f406be7", OLD),
    "v3.1": ("ce189bda3e3519b3b363e9f7ecf533c1cb0ab57e", OLD),
    "v4.0": ("e39003a9c4c89a2215db0ca57ad7a57b16f9a785", OLD),
    "v4.1": ("fd021be1b7f005c5911fe71481b01a512abaa3d4", OLD),
    "v5.0": (CURRENT, NEW),
    "v5.1": (CURRENT, NEW),
    "v6.0": (CURRENT, NEW),
    "v6.1": (CURRENT, NEW),
}
"""Round → commit and file of the checker that states its constants."""
OURS = re.compile(r"(bert|gptj|3d-unet|llama3[._]1-8b)\b")
"""The results of which the table has more than the name, and the models of mlperf.conf."""
SCENARIOS = {"datacenter": "datacenter", "edge": "edge", "datacenter,edge": "datacenter-edge"}
FILES = {
    "performance": "REQUIRED_PERF_FILES",
    "accuracy": "REQUIRED_ACC_FILES",
    "measurements": "REQUIRED_MEASURE_FILES",
    "power": "REQUIRED_POWER_FILES",
    "power_measurements": "REQUIRED_POWER_MEASURE_FILES",
    "power_performance": "REQUIRED_PERF_POWER_FILES",
    "audit_performance": "REQUIRED_COMP_PER_FILES",
    "test01_accuracy": "REQUIRED_TEST01_ACC_FILES",
}
LIMITS = {
    "offline_samples": "OFFLINE_MIN_SPQ",
    "duration_ms": "TEST_DURATION_MS",
    "accuracy_log_bytes": "MAX_ACCURACY_LOG_SIZE",
    "file_megabytes": "FILE_SIZE_LIMIT_MB",
}
SYSTEM_FIELDS = {
    "required": "SYSTEM_DESC_REQUIRED_FIELDS",
    "answered": "SYSTEM_DESC_MEANINGFUL_RESPONSE_REQUIRED_FIELDS",
    "power": "SYSTEM_DESC_REQUIRED_FIELDS_POWER",
    "network": "SYSTEM_DESC_REQUIRED_FIELDS_NETWORK_MODE",
}
AUDITS = ("TEST01/bert", "TEST01/gpt-j", "TEST01/3d-unet", "TEST04", "TEST06")
REFERENCE = {
    "language/bert/accuracy-squad.py": ("max_seq_length", "max_query_length", "doc_stride"),
    "language/gpt-j/backend_PyTorch.py": ("max_new_tokens", "min_new_tokens", "model_max_length"),
    "vision/medical_imaging/3d-unet-kits19/global_vars.py": (
        *("MEAN_VAL", "STDDEV_VAL", "MIN_CLIP_VAL", "MAX_CLIP_VAL", "PADDING_VAL"),
        *("TARGET_SPACING", "ROI_SHAPE", "SLIDE_OVERLAP_FACTOR"),
    ),
}
"""File of a reference → the names whose values it states."""
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Mult: operator.mul,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
}
CASES = "vision/medical_imaging/3d-unet-kits19/meta/{}_cases.json"


class Checkout:
    """A clone of mlcommons/inference, which may have only some of the commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = lru_cache(self._module)

    def _git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(self.folder), *words], capture_output=True, text=True, timeout=60)

    def has(self, commit: str) -> bool:
        """Whether the clone has this commit."""
        return self._git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def text(self, commit: str, path: str) -> str:
        """A file's text at a commit."""
        done = self._git("show", f"{commit}:{path}")
        if done.returncode != 0:
            raise FileNotFoundError(f"{path} at {commit}: {done.stderr}")
        return done.stdout

    def _module(self, commit: str, path: str) -> dict[str, Any]:
        """The constants of a module: name → value, of those that are plain values."""
        found: dict[str, Any] = {}
        for node in ast.parse(self.text(commit, path)).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                try:
                    found[node.targets[0].id] = _value(node.value, found)
                except (KeyError, TypeError):
                    continue
        return found


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression of literals, products, sums and names before it; KeyError or TypeError for any other."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(one, known) for one in node.elts]
    if isinstance(node, ast.Dict):
        return {_value(k, known): _value(v, known) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.left, known), _value(node.right, known))
    raise TypeError(ast.dump(node))


def round_facts(checkout: Checkout, name: str) -> dict[str, Any]:
    """What a round's checker states: seeds, names, and per result its targets, counts, bounds, scenarios and audits."""
    commit, path = CHECKERS[name]
    module = checkout.modules(commit, path)
    config = module["MODEL_CONFIG"][name]
    names = config["models"]
    return {
        "commit": commit,
        "file": path,
        "seeds": config["seeds"],
        "test05_seeds": config.get("test05_seeds", {}),
        "names": names,
        "aliases": config["model_mapping"],
        "result_keys": module["RESULT_FIELD_NEW"][name],
        "result_keys_of": {
            k: v for k, v in module.get("RESULT_FIELD_BENCHMARK_OVERWRITE", {}).get(name, {}).items() if OURS.match(k)
        },
        "results": {
            result: {**_result(module, config, result), "audits": _audits(checkout, name, result)}
            for result in names
            if OURS.match(result)
        },
    }


def _result(module: Mapping[str, Any], config: Mapping[str, Any], result: str) -> dict[str, Any]:
    def pairs(key: str) -> dict[str, float]:
        flat = config.get(key, {}).get(result, ())
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def scenarios(kind: str) -> dict[str, list[str]]:
        every = {category: config.get(f"{kind}-scenarios-{word}", {}).get(result) for category, word in SCENARIOS.items()}
        return {category: found for category, found in every.items() if found}

    offline = module.get("OFFLINE_MIN_SPQ_SINCE_V4", {}).get(result)
    return {
        "accuracy": pairs("accuracy-target"),
        "accuracy_upper": pairs("accuracy-upper-limit"),
        "performance_samples": config["performance-sample-count"][result],
        "samples": config.get("dataset-size", {}).get(result),
        "offline_samples": offline,
        "latency_ns": config.get("latency-constraint", {}).get(result, {}),
        "min_queries": config["min-queries"][result],
        "required": scenarios("required"),
        "optional": scenarios("optional"),
    }


def _audits(checkout: Checkout, name: str, result: str) -> list[str]:
    """The audits that a round asks of a result."""
    commit, path = CHECKERS[name]
    if path == NEW:
        config = checkout.modules(commit, path)["MODEL_CONFIG"][name]
        return sorted(key.removeprefix("models_") for key, models in config.items() if "models_TEST" in key and result in models)
    tree = ast.parse(checkout.text(commit, path))
    body = next(node.body for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check_compliance_dir")
    scope: dict[str, Any] = {"model": result, "config": SimpleNamespace(version=name)}
    for statement in body:
        text = ast.unparse(statement)
        if "test_list" in text and not isinstance(statement, ast.For) and "os." not in text:
            exec(compile(ast.Module([statement], []), path, "exec"), {}, scope)
    return sorted(scope["test_list"])


def conf(text: str) -> dict[str, dict[str, float]]:
    """The keys of a LoadGen config file: model → 'scenario.key' → value."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("#")[0].partition("=")
        if equals:
            model, _, rest = key.strip().rpartition(".")[0].rpartition(".")
            scenario, name = rest, key.strip().rpartition(".")[2]
            found.setdefault(model, {})[f"{scenario}.{name}"] = json.loads(value)
    return {model: keys for model, keys in found.items() if model == "*" or OURS.match(model)}


def checker_facts(checkout: Checkout) -> dict[str, Any]:
    """What the newest checker states of every round."""
    module = checkout.modules(CURRENT, NEW)
    return {
        "commit": CURRENT,
        "file": NEW,
        "divisions": module["VALID_DIVISIONS"],
        "statuses": module["VALID_AVAILABILITIES"],
        "scenarios": module["SCENARIO_MAPPING"],
        "files": {key: module[name] for key, name in FILES.items()},
        "limits": {key: module[name] for key, name in LIMITS.items()},
        "system_fields": {key: module[name] for key, name in SYSTEM_FIELDS.items()},
        "system_fields_old": {
            key: checkout.modules(*CHECKERS["v4.1"])[name] for key, name in SYSTEM_FIELDS.items() if key != "network"
        },
    }


def loadgen_facts(checkout: Checkout) -> dict[str, Any]:
    """mlperf.conf of the newest round, of every model and of those that the harness has."""
    path = "loadgen/mlperf.conf"
    return {"commit": CURRENT, "file": path, "keys": conf(checkout.text(CURRENT, path))}


def audit_facts(checkout: Checkout) -> dict[str, Any]:
    """The audits' configs: test → its keys, of every model."""
    keys = {one: conf(checkout.text(CURRENT, f"compliance/{one}/audit.config"))["*"] for one in AUDITS}
    old = conf(checkout.text(TEST05, "compliance/nvidia/TEST05/audit.config"))["*"]
    return {"commit": CURRENT, "file": "compliance/*/audit.config", "keys": {**keys, "TEST05": old}, "TEST05_commit": TEST05}


def reference_facts(checkout: Checkout) -> dict[str, Any]:
    """Constants of the references of BERT, GPT-J and 3D-UNet."""

    def stated(path: str, name: str) -> Any:
        found = re.search(rf"""^\s*"?{name}"?\s*[=:]\s*(.+?),?$""", checkout.text(CURRENT, path), re.MULTILINE)
        assert found, f"{path} does not state {name}"
        return ast.literal_eval(found.group(1))

    values = {path: {name: stated(path, name) for name in names} for path, names in REFERENCE.items()}
    cases = {kind: json.loads(checkout.text(CURRENT, CASES.format(kind))) for kind in ("inference", "calibration")}
    return {"commit": CURRENT, "values": values, "kits19_cases": cases}


PARTS: dict[str, Callable[[Checkout], Any]] = {
    "checker": checker_facts,
    "loadgen": loadgen_facts,
    "audit_configs": audit_facts,
    "reference": reference_facts,
}
"""Part of the table → what reads it from a checkout."""
NEEDS = {
    "checker": (CURRENT, CHECKERS["v4.1"][0]),
    "loadgen": (CURRENT,),
    "audit_configs": (CURRENT, TEST05),
    "reference": (CURRENT,),
}
"""Part of the table → the commits that it is read from."""


def read(checkout: Checkout) -> dict[str, Any]:
    """The whole table."""
    return {
        "source": SOURCE,
        "rounds": {name: round_facts(checkout, name) for name in CHECKERS},
        **{name: facts(checkout) for name, facts in PARTS.items()},
    }


def text_of(content: Any, depth: int = 0) -> str:
    """JSON with each object or list that fits on one line on it."""
    flat = json.dumps(content)
    if len(flat) + depth <= 130 or not isinstance(content, dict | list) or not content:
        return flat
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(content, list):
        return "[\n" + ",\n".join(pad + text_of(one, depth + 1) for one in content) + f"\n{end}]"
    return "{\n" + ",\n".join(f"{pad}{json.dumps(key)}: {text_of(one, depth + 1)}" for key, one in content.items()) + f"\n{end}}}"


def main(folder: str) -> None:
    """Write rounds.json from a checkout."""
    TABLE.write_text(text_of(read(Checkout(Path(folder)))) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
