#!/usr/bin/env bash
# build_venv.sh VENV LOCKS [--system-site-packages]: the Python environment that an image carries, from lock files with digests.
#
# It is group-writable for the group mlperf, so that `make lint` or a newer lock file can add to it inside a container.
set -euo pipefail
venv=$1 locks=$2
shift 2
python3 -m venv "$@" "$venv"
for lock in $locks; do
  "$venv/bin/python" -m pip install --no-cache-dir --quiet --disable-pip-version-check --require-hashes -r "$lock"
done
# The lock file of the environment; the entry point compares it with the work tree's.
cp "${locks%% *}" "$venv/runtime.lock"
# The image contains what `make build` would install (cmake, a JSON header), so create that stamp as well.
touch "$venv/.runtime-installed" "$venv/.build-installed"
chgrp -R mlperf "$venv"
chmod -R g+rwX "$venv"
find "$venv" -type d -exec chmod g+s {} +
chmod 666 "$venv/.runtime-installed" "$venv/.build-installed"
