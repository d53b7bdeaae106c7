#!/usr/bin/env bash
# Build the C++ harness into $BUILD_DIR/bin: scripts/build_harness.sh PYTHON [thread|address|coverage] [CMAKE_ARGS…]
#
# PYTHON is the virtual environment's interpreter; its packages provide cmake, the JSON header and OpenVINO. With a sanitizer the build goes to
# build/cmake-<sanitizer> and the binary to build/bin-<sanitizer>. A second call with nothing changed takes well under a second.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/python_variables.sh"
python=${1:?usage: scripts/build_harness.sh PYTHON [thread|address|coverage] [CMAKE_ARGS…]}
sanitize=${2:-}
shift $(($# < 2 ? $# : 2))
build=${BUILD_DIR:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac

stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

case $sanitize in
  "" | thread | address | coverage) ;;
  *) stop 2 "SANITIZE is '$sanitize'" "it must be thread, address or coverage" "run \`make build SANITIZE=thread\`" ;;
esac

compiler=${CXX:-}
if [ -z "$compiler" ]; then
  for name in c++ g++ clang++; do
    if command -v "$name" >/dev/null; then compiler=$name && break; fi
  done
fi
[ -n "$compiler" ] && command -v "${compiler%% *}" >/dev/null ||
  stop 3 "no C++ compiler on this machine" "the C++ harness is compiled from source" \
    "install one (Debian and Ubuntu: apt-get install g++), or run with --harness_lang=python"

bin_of_python=$(cd "$(dirname "$python")" && pwd)
cmake=$bin_of_python/cmake
ninja=$bin_of_python/ninja
[ -x "$ninja" ] || ninja=$(command -v ninja || true)
[ -x "$cmake" ] || cmake=$(command -v cmake) ||
  stop 3 "cmake was not found" "it is neither in $bin_of_python nor on the PATH" "run \`make build\`, which installs it"

loadgen=$("$python" "$root/scripts/fetch_loadgen.py" "$build/loadgen")

read -r json openvino < <("$python" - <<'PY'
import importlib.util
from pathlib import Path

def folder(package, inner, marker):
    found = importlib.util.find_spec(package)
    for place in found.submodule_search_locations or [] if found else []:
        if (Path(place) / inner / marker).is_file():
            return Path(place) / inner
    return Path("/usr/include") if marker == "nlohmann/json.hpp" and Path("/usr/include", marker).is_file() else "-"

print(folder("nlohmann_json", "include", "nlohmann/json.hpp"), folder("openvino", "cmake", "OpenVINOConfig.cmake"))
PY
)
[ "$json" != "-" ] ||
  stop 3 "nlohmann/json.hpp was not found" "the harness reads run.json with it" "run \`make build\`, which installs it"

out=$build/cmake${sanitize:+-$sanitize}
bin=$build/bin${sanitize:+-$sanitize}
# CMake caches the tree's path and the tools it found. A container mounts the same tree elsewhere, with another compiler or CUDA, so
# another path or tool (the first line) starts from scratch; other arguments alone (the second) only reconfigure.
cuda=$(command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" nvcc | head -n 1 || true)
tensorrt=${TENSORRT_ROOT:-$(compgen -G '/usr/include/*/NvInferRuntime.h' || true)}
# GoogleTest decides whether the tests are built.
gtest=$(compgen -G '/usr/include/gtest/gtest.h' || true)
wanted="$root/code/harness/cpp $out $compiler $cmake $ninja $loadgen $json $openvino $cuda $tensorrt $gtest
$sanitize $*"
if [ ! -f "$out/CMakeCache.txt" ] || [ "$(cat "$out/.configured" 2>/dev/null)" != "$wanted" ]; then
  [ "$(head -n 1 "$out/.configured" 2>/dev/null)" = "${wanted%%$'\n'*}" ] || rm -rf "$out"
  mkdir -p "$out"
  generator=()
  [ -n "$ninja" ] && [ ! -f "$out/Makefile" ] && generator=(-G Ninja "-DCMAKE_MAKE_PROGRAM=$ninja")
  extra=()
  [ "$openvino" != "-" ] && extra+=("-DOpenVINO_DIR=$openvino")
  log=$out/configure.log
  echo "Configuring the C++ harness …" >&2
  CXX=$compiler "$cmake" -S "$root/code/harness/cpp" -B "$out" "${generator[@]}" -DLOADGEN_DIR="$loadgen" \
    -DNLOHMANN_JSON_DIR="$json" -DSANITIZE="$sanitize" "${extra[@]}" "$@" >"$log" 2>&1 ||
    stop 4 "CMake cannot configure the C++ harness" "$(grep -A2 'CMake Error' "$log" | tail -1 | sed 's/^ *//')" "read $log"
  printf '%s' "$wanted" >"$out/.configured"
fi
log=$out/build.log

# A line every few seconds. What sleeps has none of this script's streams, so that it holds no pipe open after the end.
(
  while sleep "${PROGRESS_EVERY:-5}" </dev/null >/dev/null 2>&1; do
    step=$(tail -n 1 "$log" 2>/dev/null | sed -n 's/^\[\([0-9]*\)\/\([0-9]*\)\].*/\1 of \2 steps, /p')
    echo "Compiling the C++ harness: ${step}$SECONDS s elapsed" >&2
  done
) &
reporter=$!
trap 'kill "$reporter" 2>/dev/null || true' EXIT
: >"$log"
"$cmake" --build "$out" --parallel "$(nproc)" >"$log" 2>&1 ||
  stop 4 "the C++ harness does not compile" "$(grep -m1 -E 'error|Error' "$log" || tail -1 "$log")" "read $log"
mkdir -p "$bin"
if ! cmp -s "$out/bin/harness" "$bin/harness"; then
  cp "$out/bin/harness" "$bin/.harness.$$"
  mv "$bin/.harness.$$" "$bin/harness"
  echo "built $bin/harness"
fi
