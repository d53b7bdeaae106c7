#!/usr/bin/env bash
# checks.sh CHECK…: preconditions for building or starting a container. A failed check prints what, why and the next step.
#
# Reads from the environment: DOCKER, FLAVOUR, MIG_CONF, SCRATCH, DOCKER_NAME, IMAGE, ARCH, HOST_VOL. Exits 2 for a usage error, 3
# when something is missing.
set -u
docker=${DOCKER:-docker}

stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

check_outside() {
  if [ -e /.dockerenv ] || [ -e /run/.containerenv ]; then
    command -v "$docker" >/dev/null ||
      stop 2 "this shell is inside a container" "images are built and containers started on the host" \
        "run the target itself here (make run …), or exit the container and run this outside"
  fi
}

check_docker() {
  command -v "$docker" >/dev/null ||
    stop 3 "$docker is not installed" "the container targets call it" \
      "install Docker Engine (https://docs.docker.com/engine/install/), or use podman with DOCKER=podman"
}

check_daemon() {
  check_docker
  local message
  message=$("$docker" info --format '{{.OSType}}' 2>&1 >/dev/null) && return
  case $message in
    *"permission denied"*)
      stop 3 "user $(id -un) is not allowed to use the Docker daemon" "the user is not in the group that owns ${DOCKER_HOST:-/var/run/docker.sock}" \
        "sudo usermod -aG docker $(id -un) && newgrp docker"
      ;;
    *)
      stop 3 "cannot reach the Docker daemon" "$(tail -n 1 <<<"$message")" \
        "sudo systemctl start docker (or set DOCKER_HOST to the daemon's address)"
      ;;
  esac
}

has_nvidia() {
  { "$docker" info --format '{{json .}}' | grep -Eq '"nvidia":|nvidia\.com/gpu'; } 2>/dev/null && return
  [ "$docker" = podman ] && compgen -G '/etc/cdi/nvidia*' >/dev/null
}

check_flavour() {
  case ${FLAVOUR:-} in
    cpu | cuda) ;;
    *) stop 2 "unknown FLAVOUR '${FLAVOUR:-}'" "the flavours are cpu and cuda" "set FLAVOUR=cpu or FLAVOUR=cuda" ;;
  esac
}

check_gpus() {
  [ "${FLAVOUR:-}" = cuda ] || return 0
  has_nvidia || stop 3 "FLAVOUR=cuda, but $docker has no NVIDIA runtime" "a container would see no GPU" \
    "install the NVIDIA Container Toolkit, then sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker; or use FLAVOUR=cpu"
  case ${MIG_CONF:-OFF} in
    OFF | ALL) ;;
    *)
      "$(dirname "$0")/../../scripts/mig_get_uuid.sh" "$MIG_CONF" >/dev/null 2>&1 ||
        stop 3 "this machine has no MIG instance of kind $MIG_CONF" "MIG_CONF requests it" \
          "nvidia-smi -L lists the instances; or unset MIG_CONF"
      ;;
  esac
}

check_scratch() {
  [ -z "${SCRATCH:-}" ] || [ -d "$SCRATCH" ] ||
    stop 3 "MLPERF_SCRATCH_PATH $SCRATCH does not exist" "it would be mounted into the container at the same path" \
      "mkdir -p '$SCRATCH', or set MLPERF_SCRATCH_PATH to the right disk"
}

check_tree() {
  [ -f "${HOST_VOL:-}/Makefile" ] || stop 2 "HOST_VOL ${HOST_VOL:-} is not this project's work tree" "it has no Makefile" \
    "set HOST_VOL to the directory that contains Makefile, or unset it"
  local foreign
  if [ "$(id -u)" = 0 ]; then
    {
      echo "warning: running as root: files created in the container will belong to root, and your ordinary account"
      echo "         cannot change or remove them; run this as that account (in the group docker) instead"
    } >&2
    return
  fi
  foreign=$(find "$HOST_VOL" -xdev -uid 0 -print -prune 2>/dev/null)
  if [ -n "$foreign" ]; then
    {
      echo "warning: these belong to root, so $(id -un) cannot write there:"
      head -n 5 <<<"$foreign" | sed 's/^/           /'
      [ "$(wc -l <<<"$foreign")" -le 5 ] || echo "           … and $(($(wc -l <<<"$foreign") - 5)) more"
      echo "  next: sudo chown -R $(id -u):$(id -g) '$HOST_VOL'"
    } >&2
  fi
}

check_name() {
  local state
  state=$("$docker" container inspect --format '{{.State.Status}}' "$DOCKER_NAME" 2>/dev/null) || return 0
  stop 3 "the name $DOCKER_NAME is in use" "a container of that name is $state" \
    "$docker exec -it $DOCKER_NAME bash to enter it, make stop_docker to stop it, or DOCKER_NAME=… for a second one"
}

check_image() {
  local is wanted
  is=$("$docker" image inspect --format '{{.Architecture}}' "$IMAGE" 2>/dev/null) ||
    stop 3 "the image $IMAGE does not exist" "it is built once per machine and user" "make prebuild, or make build_docker docker_add_user"
  case $ARCH in x86_64) wanted=amd64 ;; aarch64) wanted=arm64 ;; *) wanted=$ARCH ;; esac
  [ "$is" = "$wanted" ] || stop 3 "the image $IMAGE is for $is" "this machine is $ARCH ($wanted)" \
    "make build_docker docker_add_user here (for a base of one architecture, set BASE_IMAGE to its $wanted version)"
}

check_terminal() {
  [ -t 0 ] || stop 2 "cannot open a shell: not a terminal" "an interactive container needs one" \
    "DOCKER_DETACH=1 starts it in the background; make docker_run CMD='…' runs one command"
}

for name in "$@"; do
  declare -F "check_$name" >/dev/null || stop 2 "unknown check '$name'" "$0 has no such check" "use one of the check_* functions there"
  "check_$name"
done
