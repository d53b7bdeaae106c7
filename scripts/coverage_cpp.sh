#!/usr/bin/env bash
# coverage_cpp.sh PYTHON: the share of the C++ harness's lines that its own tests execute, by gcov, as a table and a page.
#
# The build is one of its own in build/cmake-coverage. The tests are those of `make test_cpp`, and those of the TensorRT engine on the stand-in
# for CUDA, which Python starts.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/python_variables.sh"
python=${1:?usage: scripts/coverage_cpp.sh PYTHON}
build=${BUILD_DIR:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac
out=$build/cmake-coverage
tools=$(cd "$(dirname "$python")" && pwd)

stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

"$root/scripts/build_harness.sh" "$python" coverage
[ -x "$out/bin/harness_tests" ] ||
  stop 3 "there are no tests of the C++ harness to run" "GoogleTest was not found when it was built" \
    "install it (Debian and Ubuntu: apt-get install libgtest-dev), then run \`make coverage_cpp\` again"
find "$out" -name '*.gcda' -delete
ctest=$tools/ctest
[ -x "$ctest" ] || ctest=$(command -v ctest)
log=$out/tests.log
# A test of shares of work may fail while others use the processors, and executes the same lines then.
"$ctest" --test-dir "$out" --output-on-failure --repeat until-pass:3 >"$log" 2>&1 ||
  stop 4 "tests of the C++ harness fail" "$(grep -m1 -E 'Failed|\*\*\*' "$log" || tail -n 1 "$log")" "read $log"
(cd "$root" && MLPERF_TEST_BUILD=coverage "$python" -m pytest -q -p no:cacheprovider tests/e2e/test_cuda_stand_in.py tests/e2e/test_cuda_faults.py) >>"$log" 2>&1 ||
  stop 4 "tests of the TensorRT engine on the stand-in fail" "$(grep -m1 -E '^(FAILED|ERROR)' "$log" || tail -n 1 "$log")" "read $log"
page=$build/coverage_cpp.html
"$tools/gcovr" --root "$root/code/harness/cpp" --filter "$root/code/harness/cpp/" --exclude ".*/tests/.*" --gcov-ignore-errors=no_working_dir_found \
  --exclude-throw-branches --exclude-unreachable-branches --txt --print-summary --html-details "$page" --html-self-contained "$out"
echo "page: $page"
