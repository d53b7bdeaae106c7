#!/usr/bin/env bash
# clean.sh shallow|all: remove what was built. shallow: engines, logs and binaries. all: the build folder and the Python environment too.
#
# Outside the project only what the harness makes is removed: a build folder there may hold other files, and an environment there (that of
# an image, or one of yours) is kept.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P) || exit
build=${BUILD_DIR:-$root/build} venv=${VENV:-$root/.venv}
made=(engines logs campaigns slurm bytecode bin bin-thread bin-address cmake cmake-thread cmake-address)
rest=(campaign.toml graphs probes loadgen data models preprocessed_data full_results compliance_logs submission checker inference report tune scratch)

inside() { # inside PATH: whether it lies in the project, and is not the project itself
  local path
  path=$(realpath -m -- "$1") && [ "${path#"$root"/}" != "$path" ]
}

for name in "${made[@]}"; do rm -rf -- "${build:?}/$name"; done
[ "${1:-}" = all ] || exit 0
if [ -L "$build" ]; then
  rm -f -- "$build"
elif inside "$build"; then
  rm -rf -- "$build"
else
  for name in "${rest[@]}"; do rm -rf -- "${build:?}/$name"; done
  rmdir -- "$build" 2>/dev/null || [ ! -d "$build" ] || echo "note: $build has other files, and is kept"
fi
if inside "$(dirname -- "$venv")/." || [ "$(realpath -m -- "$(dirname -- "$venv")")" = "$root" ]; then
  if [ -L "$venv" ]; then rm -f -- "$venv"; elif [ -f "$venv/pyvenv.cfg" ]; then rm -rf -- "$venv"; fi
elif [ -d "$venv" ]; then
  echo "note: the Python environment $venv lies outside the project, and is kept"
fi
