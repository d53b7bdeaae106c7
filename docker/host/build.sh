#!/usr/bin/env bash
# build.sh image|user: build the image of a flavour, or the image with the caller's account in it.
#
# Reads from the environment: DOCKER, IMAGE, BASE, BASE_DIGEST, DOCKERFILE, FLAVOUR, CUDA_VER, TRT_VER, DOCKER_TARGET, DOCKER_BUILD_ARGS, NO_DOCKER_PULL,
# UNAME, ACCOUNT, GROUPNAME, GROUPID; PROJECT_ROOT.
set -u
docker=${DOCKER:-docker}
. "$(dirname "${BASH_SOURCE[0]}")/words.sh"
cd "$PROJECT_ROOT" || exit

arguments=(--network host)
# Without a value docker takes it from the environment, so that a proxy's password is in no command line.
for name in {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY; do
  [ -z "${!name:-}" ] || arguments+=(--build-arg "$name")
done

digest() { # the digest under which a registry has the base; nothing for an image made here
  "$docker" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$BASE" 2>/dev/null | grep -m 1 -o 'sha256:[0-9a-f]*'
}

image() {
  for lock in runtime; do
    cmp -s "requirements/$lock.lock" "docker/common/$lock.lock" || {
      cp "requirements/$lock.lock" "docker/common/$lock.lock" || exit 4
      echo "docker/common/$lock.lock was updated from requirements/$lock.lock"
    }
  done
  if [ "${NO_DOCKER_PULL:-0}" != 1 ]; then
    echo "Fetching the base $BASE …"
    "$docker" pull --quiet "$BASE" 2>&1 || {
      "$docker" image inspect "$BASE" >/dev/null 2>&1 || {
        echo "error: the base image $BASE cannot be fetched" >&2
        echo "  why:  see the line above; there is no local copy either" >&2
        echo "  next: check the network and \`$docker login\`, or select another base with BASE_IMAGE=…" >&2
        exit 3
      }
      echo "note: the base could not be fetched; using the local copy (NO_DOCKER_PULL=1 skips the fetch)"
    }
  fi
  local exact
  if exact=$(digest); then
    [ -n "${BASE_DIGEST:-}" ] || echo "note: the base is $exact now; BASE_DIGEST=$exact builds on exactly this one again"
    arguments+=(--label "mlperf.base=${BASE%%@*}@$exact")
  fi
  [ "$FLAVOUR" != cuda ] || arguments+=(--build-arg "TRT_VER=$TRT_VER" --build-arg "CUDA_VER=$CUDA_VER")
  [ -z "${DOCKER_TARGET:-}" ] || arguments+=(--target "$DOCKER_TARGET")
  words "${DOCKER_BUILD_ARGS:-}"
  echo "Building $IMAGE-latest ($FLAVOUR) from $BASE …"
  "$docker" build -t "$IMAGE-latest" --build-arg "BASE_IMAGE=$BASE" "${arguments[@]}" "${split[@]}" -f "$DOCKERFILE" docker
}

user() {
  echo "Adding user $UNAME ($ACCOUNT) to $IMAGE …"
  "$docker" build -t "$IMAGE" --build-arg "BASE_IMAGE=$IMAGE-latest" "${arguments[@]}" --build-arg "UID=$ACCOUNT" \
    --build-arg "USER=$UNAME" --build-arg "GID=$GROUPID" --build-arg "GROUP=$GROUPNAME" - <docker/Dockerfile.user
}

"$1"
