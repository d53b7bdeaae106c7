"""The TensorRT path against the real API: every attribute exists in TensorRT-RTX, and mypy agrees with TensorRT's stubs."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RTX_ABSENT = "TensorRT-RTX is not installed; run `make tensorrt_rtx`"
RTX_ONLY = {
    "IBuilderConfig": {"num_compute_capabilities", "set_compute_capability"},
    "ICudaEngine": {"create_runtime_config"},
    "IRuntimeConfig": {"cuda_graph_strategy"},
}
"""What the code asks of TensorRT-RTX's own classes, which TensorRT's stubs do not know."""


def sources(project: Path) -> list[Path]:
    """The files of the TensorRT path; cuda.py calls CUDA, not TensorRT."""
    return sorted(p for p in project.glob("code/backends/tensorrt/*.py") if p.name != "cuda.py")


def annotated(tree: ast.AST) -> dict[str, str]:
    """Variable or attribute name → the TensorRT class that an annotation gives it."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.arg):
            pairs.append((node.arg, node.annotation))
        elif isinstance(node, ast.AnnAssign):
            target = node.target
            pairs.append((target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", ""), node.annotation))
        for name, annotation in pairs:
            match = re.match(r"trt\.(\w+)", ast.unparse(annotation)) if annotation is not None else None
            if match:
                found[name] = match[1]
                found[f"_{name}"] = match[1]
    return found


def used(project: Path) -> dict[str, set[str]]:
    """'' → attributes of the module, class name → attributes of its objects, as the sources use them."""
    out: dict[str, set[str]] = {"": set()}
    trees = [ast.parse(p.read_text()) for p in sources(project)]
    classes: dict[str, str] = {}
    for tree in trees:
        classes |= annotated(tree)
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            text = ast.unparse(node)
            match = re.fullmatch(r"(?:trt|module|parsed\.module|self\._module)\.([A-Za-z_.]+)", text)
            if match:
                out[""].add(match[1])
                continue
            owner = text.split(".")[-2].split("(")[0]
            if owner in classes and "." not in owner:
                out.setdefault(classes[owner], set()).add(node.attr)
    return out


def missing(module: Any, uses: dict[str, set[str]]) -> list[str]:
    out = []
    for owner, names in uses.items():
        for name in sorted(names):
            place = module if not owner else getattr(module, owner, None)
            for part in name.split("."):
                place = getattr(place, part, None)
            if place is None:
                out.append(f"{owner}.{name}".lstrip("."))
    return out


def test_every_attribute_exists_in_the_real_module(project: Path) -> None:
    module = pytest.importorskip("tensorrt_rtx", reason=RTX_ABSENT)
    uses = used(project)
    assert {"IBuilderConfig", "INetworkDefinition", "IExecutionContext", "ICudaEngine", "OnnxParser"} <= set(uses)
    assert {"Builder", "OnnxParser", "Runtime", "MemoryPoolType.WORKSPACE", "TensorIOMode.INPUT"} <= uses[""]
    assert "execute_async_v3" in uses["IExecutionContext"] and len(uses["IBuilderConfig"]) >= 6
    assert missing(module, uses) == [] and missing(module, RTX_ONLY) == []


def test_a_wrong_attribute_would_be_found() -> None:
    module = pytest.importorskip("tensorrt_rtx", reason=RTX_ABSENT)
    assert missing(module, {"": {"Bilder"}, "IBuilderConfig": {"set_flagg"}}) == ["Bilder", "IBuilderConfig.set_flagg"]


def test_mypy_agrees_with_tensorrts_stubs(project: Path, tmp_path: Path) -> None:
    """The published stubs have a few lines that are no Python; they are mended in a copy."""
    pytest.importorskip("mypy")
    try:
        files = importlib.metadata.files("tensorrt-stubs") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tensorrt-stubs is not installed; run `pip install --no-deps tensorrt-stubs`")
    for file in (f for f in files if f.suffix == ".pyi"):
        target = tmp_path / "stubs" / str(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), target)
        text = re.sub(r"\bin: ", "in_: ", target.read_text())
        target.write_text(
            text.replace("power: Weights = None, channel_axis: int)", "power: Weights = None, channel_axis: int = ...)")
        )
    config = tmp_path / "mypy.ini"
    others = "cuda,mlperf_loadgen,nncf,onnx,onnxruntime,openvino,pynvml,tensorrt_libs,tokenizers,tomli,torch,yaml"
    lenient = "".join(f"[mypy-{name}.*]\nignore_missing_imports = True\nfollow_imports = skip\n" for name in others.split(","))
    config.write_text(
        f"[mypy]\nstrict = True\nexplicit_package_bases = True\nnamespace_packages = True\nmypy_path = .:{tmp_path}/stubs\n"
        f"[mypy-tensorrt.*]\nignore_errors = True\n[mypy-tensorrt_bindings.*]\nignore_errors = True\n{lenient}"
    )
    checked = [str(p.relative_to(project)) for p in sources(project)]
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), *checked]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout
