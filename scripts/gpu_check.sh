#!/usr/bin/env bash
# gpu_check.sh [--out FILE] [--seconds 600] [--steps a,b] [--stand_in] …: what a few minutes on a GPU should answer, as JSON.
#
# tests/gpu/check.py has the options and what the results look like. It takes the virtual environment's Python where there is one
# (VENV, else .venv), and needs nothing else: a step that lacks something says what.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${VENV:-$root/.venv}/bin/python
[ -x "$python" ] || python=python3
cd "$root"
exec "$python" -m tests.gpu.check "$@"
