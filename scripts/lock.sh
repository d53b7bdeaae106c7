#!/usr/bin/env bash
# lock.sh UV: resolve pyproject.toml for Python 3.10 to 3.13 on every platform into requirements/*.lock, with hashes.
set -euo pipefail
uv=$1
options=(--universal --generate-hashes --python-version 3.10 --no-header --no-annotate --upgrade --quiet)
"$uv" pip compile "${options[@]}" pyproject.toml -o requirements/runtime.lock
"$uv" pip compile "${options[@]}" pyproject.toml --extra dev -c requirements/runtime.lock -o requirements/dev.lock
for extra in audit build calibration chat tune debug exporter pytorch tensorrt-rtx; do
  "$uv" pip compile "${options[@]}" pyproject.toml --extra "$extra" -c requirements/runtime.lock \
    -o "requirements/${extra//-/_}.lock"
done
for tool in uv builders coverage triton cluster; do
  "$uv" pip compile "${options[@]}" "requirements/$tool.in" -o "requirements/$tool.lock"
done
"$uv" pip compile "${options[@]}" --no-deps requirements/stubs.in -o requirements/stubs.lock
cp requirements/runtime.lock docker/common/runtime.lock
