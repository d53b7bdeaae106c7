#!/usr/bin/env bash
# as_caller.sh ARGUMENT…: bash as the account that called sudo. make uses it as its shell in the images, where automation calls
# `sudo bash -c "make …"`: what is made in the mounted work tree must belong to the account outside.
if [ "$EUID" -ne 0 ] || [ -z "${SUDO_UID:-}" ] || [ "$SUDO_UID" = 0 ]; then
  exec /bin/bash "$@"
fi
home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
account=(env -u SUDO_UID -u SUDO_GID -u SUDO_COMMAND HOME="${home:-/tmp}" USER="${SUDO_USER:-}" LOGNAME="${SUDO_USER:-}")
exec setpriv --reuid="$SUDO_UID" --regid="${SUDO_GID:-$SUDO_UID}" --init-groups "${account[@]}" /bin/bash "$@"
