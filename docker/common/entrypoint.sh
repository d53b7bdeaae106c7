#!/usr/bin/env bash
# The images' entry point: prepare what a mounted work tree needs, then run the command.
set -u
work=${CONTAINER_VOL:-$PWD}

# An arbitrary user ID (Kubernetes, `docker run --user 1234`) has no home folder; tools need one that is writable.
if [ ! -w "${HOME:-/}" ]; then
  HOME=$(mktemp -d "/tmp/home-$(id -u)-XXXX") && export HOME
fi

# The image's environment matches its lock file. Make compares times, and a clone may be newer than the image:
# if the two lock files are equal there is nothing to install.
if cmp -s "${VENV:-/opt/venv}/runtime.lock" "$work/requirements/runtime.lock"; then
  touch "${VENV:-/opt/venv}/.runtime-installed" 2>/dev/null
elif [ -f "$work/requirements/runtime.lock" ]; then
  echo "note: requirements/runtime.lock differs from the image's; the first make target installs the difference" >&2
  echo "      (run \`make build_docker docker_add_user\` outside to include it in the image)" >&2
fi
# The image contains what `make build` would install into the environment.
if command -v cmake >/dev/null && [ -f /usr/include/nlohmann/json.hpp ]; then
  touch "${VENV:-/opt/venv}/.build-installed" 2>/dev/null
fi

if [ -f "$work/Makefile" ] && [ ! -w "$work" ]; then
  echo "warning: $work is not writable for user $(id -u): it belongs to user $(stat -c %u "$work")" >&2
  echo "         start the container as that user, or run \`sudo chown -R $(id -u):$(id -g) .\` in the work tree outside" >&2
fi
exec "$@"
