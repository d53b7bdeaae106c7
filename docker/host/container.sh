#!/usr/bin/env bash
# container.sh launch|run|sanity|stop|detached|variables|images: start containers of the image with the caller's account, and look after them.
#
# Reads from the environment: DOCKER, FLAVOUR, IMAGE, BASE, DOCKER_NAME, DOCKER_TAG, DOCKER_ARGS, DOCKER_COMMAND, DOCKER_DETACH,
# DOCKER_SUDO, CMD, HOST_VOL, CONTAINER_VOL, MLPERF_SCRATCH_PATH, MIG_CONF, NVIDIA_VISIBLE_DEVICES, HOST_HOSTNAME, UNAME, ACCOUNT, GROUPID; PROJECT_ROOT.
set -u
docker=${DOCKER:-docker}
. "$(dirname "${BASH_SOURCE[0]}")/words.sh"
words "${DOCKER_ARGS:-}" && more=("${split[@]}")
words "${DOCKER_COMMAND:-}" && command=("${split[@]}")

stop_with() { # stop_with STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

detached() { # DOCKER_DETACH=1, or -d among DOCKER_ARGS, as older automation passes it
  case ${DOCKER_DETACH:-0} in 1 | y | yes | true) return ;; esac
  local word
  for word in "${more[@]}"; do
    case $word in -d | --detach) return ;; esac
  done
  return 1
}

# Inside, only sudo needs more rights than the account has. Automation calls it through `docker exec` in a container that stays, so that
# DOCKER_SUDO is 1 by default in the background and 0 elsewhere. Root keeps what it needs to write in another account's work tree.
restrict() { # restrict 0|1: options of docker run that leave out, or allow, what sudo needs
  local kept=()
  case ${DOCKER_SUDO:-$1} in
    1 | y | yes | true) kept=(AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID) ;;
    0 | n | no | false)
      options+=(--security-opt no-new-privileges)
      [ "$ACCOUNT" != 0 ] || kept=(CHOWN DAC_OVERRIDE FOWNER FSETID KILL)
      ;;
    *) stop_with 2 "DOCKER_SUDO is '$DOCKER_SUDO'" "it is 1 where sudo must work in the container, else 0" "set DOCKER_SUDO=0 or DOCKER_SUDO=1" ;;
  esac
  options+=(--cap-drop ALL)
  local name
  for name in "${kept[@]}"; do options+=(--cap-add "$name"); done
}

mount() { # mount SOURCE TARGET: a bind mount, also of paths with spaces, commas and colons
  printf 'type=bind,"source=%s","target=%s"' "${1//\"/\"\"}" "${2//\"/\"\"}"
}

devices() { # the GPUs that were selected; nothing for all
  case ${MIG_CONF:-OFF} in
    OFF | ALL) [ "${NVIDIA_VISIBLE_DEVICES:-all}" = all ] || echo "$NVIDIA_VISIBLE_DEVICES" ;;
    *) "$PROJECT_ROOT/scripts/mig_get_uuid.sh" "$MIG_CONF" 2>/dev/null || echo none ;;
  esac
}

# An interrupt must reach the whole command, not only its shell: with this option Docker's init passes it to the process group.
options=(--rm --init -e TINI_KILL_PROCESS_GROUP=1 --user "$ACCOUNT" -w "$CONTAINER_VOL" -e "CONTAINER_VOL=$CONTAINER_VOL"
  --mount "$(mount "$HOST_VOL" "$CONTAINER_VOL")" -e "HOST_HOSTNAME=$HOST_HOSTNAME")
[ "${docker##*/}" != podman ] || options+=(--userns keep-id)
[ -z "${MLPERF_SCRATCH_PATH:-}" ] ||
  options+=(--mount "$(mount "$MLPERF_SCRATCH_PATH" "$MLPERF_SCRATCH_PATH")" -e "MLPERF_SCRATCH_PATH=$MLPERF_SCRATCH_PATH")
# Where SELinux enforces, a container may read a mounted folder only when it is relabelled, which would change a whole scratch disk.
[ "$(cat "${SELINUX_ENFORCE:-/sys/fs/selinux/enforce}" 2>/dev/null)" != 1 ] || options+=(--security-opt label=disable)
[ ! -e /etc/localtime ] || options+=(-v /etc/localtime:/etc/localtime:ro)
for name in {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY; do
  [ -z "${!name:-}" ] || options+=(-e "$name")
done
# Docker's seccomp profile allows binding memory to a NUMA node only with this capability; not needed on one node.
nodes=(/sys/devices/system/node/node[0-9]*)
[ ${#nodes[@]} -le 1 ] || options+=(--cap-add SYS_NICE)
if [ "${FLAVOUR:-}" = cuda ]; then
  chosen=$(devices)
  if [ "${docker##*/}" = podman ]; then
    for device in ${chosen//,/ }; do options+=(--device "nvidia.com/gpu=$device"); done
    [ -n "$chosen" ] || options+=(--device nvidia.com/gpu=all)
  else
    options+=(--gpus "${chosen:+\"device=$chosen\"}")
    [ -n "$chosen" ] || options[-1]=all
  fi
  # Pinned host buffers need unlimited locked memory, and several processes per GPU share more than Docker's 64 MB.
  options+=(--shm-size 32gb --ulimit memlock=-1)
  [ "${MIG_CONF:-}" != ALL ] || options+=(-e NVIDIA_MIG_CONFIG_DEVICES=all)
fi

launch() {
  if ! detached; then
    restrict 0
    local terminal=(-it)
    [ ${#command[@]} -eq 0 ] || terminal=()
    exec "$docker" run "${terminal[@]}" --name "$DOCKER_NAME" "${options[@]}" "${more[@]}" "$IMAGE" "${command[@]}"
  fi
  restrict 1
  [ ${#command[@]} -gt 0 ] || command=(sleep infinity)
  "$docker" run --detach --name "$DOCKER_NAME" "${options[@]}" "${more[@]}" "$IMAGE" "${command[@]}" >/dev/null || exit
  sleep 1
  [ "$("$docker" container inspect --format '{{.State.Running}}' "$DOCKER_NAME" 2>/dev/null)" = true ] ||
    stop_with 4 "$DOCKER_NAME exited immediately" "its command exited: ${command[*]}" \
      "run it in the foreground with DOCKER_DETACH=0 to see its output, or make docker_sanity"
  echo "Started $DOCKER_NAME"
  echo "  enter:  $docker exec -it $DOCKER_NAME bash"
  echo "  run:    $docker exec -u $UNAME $DOCKER_NAME bash -c 'make run RUN_ARGS=\"…\"'"
  echo "  stop:   make stop_docker"
}

run() {
  restrict 0
  local terminal=()
  if [ -t 0 ] && [ -t 1 ]; then terminal=(-it); fi
  "$docker" run "${terminal[@]}" --name "$DOCKER_NAME-run-$$" "${options[@]}" "${more[@]}" "$IMAGE" bash -c "$CMD"
}

sanity() {
  restrict 0
  local name=.docker_sanity.$$ check=true owner
  [ "$FLAVOUR" != cuda ] || check='nvidia-smi -L'
  trap 'rm -f "$HOST_VOL/.docker_sanity.$$"' EXIT
  "$docker" run "${options[@]}" "${more[@]}" "$IMAGE" bash -c "touch \"\$CONTAINER_VOL/$name\" && $check" ||
    stop_with 4 "a container from $IMAGE does not work" "see above" "make docker_info, make doctor"
  owner=$(stat -c %u "$HOST_VOL/$name")
  [ "$owner" = "$ACCOUNT" ] ||
    stop_with 4 "a file created in the container belongs to user $owner, not to you ($ACCOUNT)" \
      "the daemon maps user IDs (rootless, or userns-remap)" "use the system-wide daemon, or DOCKER=podman, which keeps your user ID"
  echo "$docker works: $IMAGE starts, and files it writes belong to you"
}

stop() {
  if "$docker" container inspect "$DOCKER_NAME" >/dev/null 2>&1; then
    "$docker" stop "$DOCKER_NAME" >/dev/null
    "$docker" rm --force "$DOCKER_NAME" >/dev/null 2>&1
    echo "Stopped $DOCKER_NAME"
  else
    echo "There is no container $DOCKER_NAME: nothing to stop"
  fi
}

variables() {
  printf '%-22s %s\n' DOCKER "$docker" FLAVOUR "$FLAVOUR" BASE_IMAGE "$BASE" DOCKER_TAG "$DOCKER_TAG" DOCKER_NAME "$DOCKER_NAME" \
    HOST_VOL "$HOST_VOL" CONTAINER_VOL "$CONTAINER_VOL" MLPERF_SCRATCH_PATH "${MLPERF_SCRATCH_PATH:-(not set: build/scratch in the work tree)}" \
    user "$UNAME ($ACCOUNT:$GROUPID)"
}

images() {
  local base
  base=$("$docker" image inspect --format '{{index .Config.Labels "mlperf.base"}}' "$IMAGE-latest" 2>/dev/null) && [ -n "$base" ] &&
    printf '%-22s %s\n' 'built on' "$base"
  "$docker" images --filter "reference=$IMAGE*" --format 'image                  {{.Repository}}:{{.Tag}}  {{.Size}}  {{.CreatedSince}}'
  "$docker" ps --all --filter name='^/?mlperf-inference-' --format 'container              {{.Names}}  {{.Image}}  {{.Status}}'
}

"$1"
