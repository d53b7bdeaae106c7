"""`python3 -m scripts.check_tensorrt_types [VERSION…]`: type-check the TensorRT path against TensorRT's own Python bindings.

TensorRT's wheels have no stubs, and its libraries are of no use without an NVIDIA GPU. The bindings alone are a small wheel that names
every class, method and signature. This downloads that wheel for each version, loads it with empty libraries in the place of libnvinfer
and its parser, writes stubs of what it finds, and runs mypy over the files that use TensorRT. Nothing of TensorRT is executed.

cuda-bindings is looked at where it is installed: every call that code/backends/tensorrt/cuda.py makes must exist. Polygraphy is followed
as untyped code.

Needs mypy, pip and a C compiler. Exit status: 0 when every version agrees, 1 where one does not, 3 when a wheel cannot be had.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from code.common import console, paths
from code.common.errors import HarnessError, MissingError, RunError

NEWEST = ("10.16.1.11", "11.4.0.106")
"""The newest version of each major version that the harness is written for."""
PACKAGE = "tensorrt_cu12_bindings"
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
FUNCTIONS = (
    *(
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "createNvOnnxParser_INTERNAL",
    ),
    *("createNvOnnxParserRefitter_INTERNAL", "getBuilderPluginRegistry", "getNvOnnxParserVersion", "getPluginRegistry"),
    "initLibNvInferPlugins",
)
"""What the bindings want of the libraries; here each answers 0."""
CHECKED = ("code/precision/side_by_side.py", "code/precision/inspection.py")
"""Files that use TensorRT outside of its package."""
UNTYPED = ("cuda", "mlperf_loadgen", "nncf", "onnx", "onnxruntime", "openvino", "pycuda", "pynvml", "scipy")
UNTYPED += ("tensorrt_libs", "tensorrt_rtx", "tokenizers", "tomli", "torch", "yaml")
STUBGEN = "from mypy.stubgen import main; main()"
MENDED = (
    (r"\btensorrt_bindings\.tensorrt\.", ""),
    # Signatures that are no Python: an argument without a default behind one that has it.
    (r"(power: Weights = [^,]*, channel_axis: [^,)=]*)\)", r"\1 = ...)"),
    # What the documentation has and no signature tells: these support Python's buffer protocol, and a parser's errors are ParserErrors.
    (r"(class IHostMemory:\n)", r"\1    def __buffer__(self, flags: int, /) -> memoryview: ...\n"),
    (r"def get_error\(self, \*args, \*\*kwargs\).*", "def get_error(self, index: int) -> ParserError: ..."),
)
"""Pattern → replacement, in the stubs that stubgen writes."""


def main(arguments: Sequence[str]) -> int:
    """Check each version, print, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.check_tensorrt_types", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", default=NEWEST, help=f"versions of TensorRT (default: {' '.join(NEWEST)})")
    parser.add_argument("--wheels", type=Path, help=f"a folder of {PACKAGE} wheels to use instead of downloading them")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            agreed = [_agrees(version, options.wheels, Path(folder)) for version in options.versions]
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    absent = missing_cuda_calls(_checked(paths.project_root()))
    console.say("cuda-bindings: " + (f"it has no {', '.join(absent)}" if absent else "every call exists, or it is not installed"))
    return 0 if all(agreed) and not absent else 1


def _agrees(version: str, wheels: Path | None, folder: Path) -> bool:
    place = folder / version
    unpack(find_wheel(version, wheels, place), place)
    types = stubs(place, int(version.split(".")[0]))
    done = checked_by_mypy(types, place)
    console.say(f"TensorRT {version}: {done.stdout.strip().splitlines()[-1]}")
    if done.returncode:
        console.say(done.stdout)
    return done.returncode == 0


def find_wheel(version: str, wheels: Path | None, place: Path) -> Path:
    """The wheel of a version's bindings for this Python. MissingError where there is none."""
    place.mkdir(parents=True)
    if wheels is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(place), f"{PACKAGE}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True)
        why = (done.stderr.strip().splitlines() or [""])[-1]
    else:
        why = f"there is none in {wheels}"
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    found = sorted((wheels or place).glob(f"{PACKAGE}-{version}-{tag}-*.whl"))
    if not found:
        raise MissingError(
            f"no wheel of {PACKAGE} {version} for {tag}", why, "name another version, or a folder of wheels with --wheels=…"
        )
    return found[0]


def unpack(wheel: Path, place: Path) -> None:
    """The wheel's files into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)


def stubs(place: Path, major: int) -> Path:
    """Write stubs of the unpacked bindings as a package `tensorrt`; the folder that holds it. RunError where they do not load."""
    (place / "empty.c").write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS), encoding="ascii")
    for name in LIBRARIES:
        file = f"lib{name}.so.{major}"
        _compile(["cc", "-shared", "-fPIC", f"-Wl,-soname,{file}", "-o", str(place / file), str(place / "empty.c")])
    environment = {**os.environ, "LD_LIBRARY_PATH": str(place), "PYTHONPATH": str(place)}
    written = place / "written"
    command = [sys.executable, "-c", STUBGEN, "-m", "tensorrt_bindings.tensorrt", "-o", str(written)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=place)
    file = written / "tensorrt_bindings" / "tensorrt.pyi"
    if done.returncode or not file.is_file():
        words = (done.stdout + done.stderr).strip().splitlines() or [""]
        raise RunError(f"the bindings in {place.name} do not load", words[-1], "name another version")
    text = file.read_text(encoding="utf-8")
    for pattern, replacement in MENDED:
        text = re.sub(pattern, replacement, text)
    target = place / "types" / "tensorrt" / "__init__.pyi"
    target.parent.mkdir(parents=True)
    target.write_text(text, encoding="utf-8")
    return target.parent.parent


def _compile(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise MissingError("there is no C compiler", str(error), "install one, such as gcc, as `cc`") from error
    if done.returncode:
        raise RunError("the C compiler failed", done.stderr.strip().splitlines()[0], "check that `cc` makes shared libraries")


def checked_by_mypy(types: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """mypy --strict over the files that use TensorRT, with these stubs of it."""
    root = paths.project_root()
    lines = [
        "[mypy]\nstrict = True\nexplicit_package_bases = True\nnamespace_packages = True",
        "disallow_untyped_calls = False\nimplicit_reexport = True\nwarn_unused_ignores = False",
        f"mypy_path = .:{types}",
        "[mypy-tensorrt.*]\nignore_errors = True",
        "[mypy-polygraphy.*]\nfollow_untyped_imports = True\nignore_errors = True\nignore_missing_imports = True",
        *(f"[mypy-{name}.*]\nignore_missing_imports = True\nfollow_imports = skip" for name in UNTYPED),
    ]
    config = place / "mypy.ini"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = [str(file.relative_to(root)) for file in _checked(root)]
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(place / "cache"), *files]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def _checked(root: Path) -> list[Path]:
    return [*sorted((root / "code" / "backends" / "tensorrt").glob("*.py")), *(root / name for name in CHECKED)]


def missing_cuda_calls(files: Sequence[Path]) -> list[str]:
    """The names that the files ask of cuda.bindings.runtime and that it does not have; none where it is not installed."""
    try:
        api = importlib.import_module("cuda.bindings.runtime")
    except ImportError:
        return []
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    names = set(re.findall(r"_call\(\"(cuda\w+)\"", text)) | set(re.findall(r"_api\.(cuda[\w.]+)", text))
    return sorted(name for name in names if not _has(api, name))


def _has(api: object, name: str) -> bool:
    place: object | None = api
    for part in name.split("."):
        place = getattr(place, part, None)
    return place is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
