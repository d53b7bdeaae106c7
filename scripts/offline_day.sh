#!/usr/bin/env bash
# offline_day.sh WHEELHOUSE MIRROR FOLDER: a first day without a network, from a clone to a submission, in a new clone in FOLDER.
#
# Every command runs in a network namespace of its own that has no interface but the loopback. WHEELHOUSE and MIRROR are folders that
# `make wheelhouse` and `make export_mirror` wrote; the mirror needs BERT's data set. Prints a line for each step; ends at the first that fails.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wheelhouse=${1:?usage: offline_day.sh WHEELHOUSE MIRROR FOLDER} mirror=${2:?MIRROR} folder=${3:?FOLDER}
unshare -rn true 2>/dev/null || {
  printf 'error: %s\n  why:  %s\n' "cannot make a network namespace" "unshare -rn is refused on this machine" >&2
  exit 3
}
mkdir -p "$folder"
log=$folder/log.txt
: >"$log"

# The account's other settings stay out: an index, a proxy or a cache of packages would hide what is missing.
alone=(env -i PATH="$PATH" HOME="$folder/home" LANG=C.UTF-8 TMPDIR="$folder/tmp" PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1
  WHEELHOUSE="$wheelhouse" MLPERF_MIRROR="$mirror" MLPERF_SCRATCH_PATH="$folder/scratch" PYTHON3="${PYTHON3:-python3}")
mkdir -p "$folder/home" "$folder/tmp" "$folder/scratch"

step() { # step NAME COMMAND…
  local name=$1 begun=$SECONDS
  shift
  echo "== $name: $*" >>"$log"
  if "${alone[@]}" unshare -rn bash -c 'ip link set lo up 2>/dev/null; exec "$@"' step "$@" >>"$log" 2>&1; then
    echo "passed  $name ($((SECONDS - begun)) s)"
  else
    echo "FAILED  $name: see $log" && tail -n 15 "$log" && exit 4
  fi
}

step "no network" bash -c '! timeout 5 bash -c "exec 3<>/dev/tcp/1.1.1.1/53"'
step "clone" git -c safe.directory='*' clone -q "$root" "$folder/clone"
cd "$folder/clone"
step "environment" make venv
step "run" make run RUN_ARGS="--benchmarks=bert --scenarios=offline --test_query_count=64 --strict"
step "reference data from the mirror" make download_data BENCHMARKS=bert RUN_ARGS=--model_variant=reference
step "packages of the tests" make packages_dev
step "tests" make test TEST_ARGS="tests/unit/test_files.py tests/unit/test_reference_data.py tests/unit/test_download.py -q"
# What cannot be detected and the checker requires.
printf '[system]\nhost_memory_configuration = "1x 24GB"\ncooling = "Air"\n' >submission.toml
step "submission" make submission BENCHMARKS=bert SUBMITTER=Example DIVISION=open CATEGORY=edge STATUS=available \
  RUN_ARGS="--scenarios=offline --preflight=only"
