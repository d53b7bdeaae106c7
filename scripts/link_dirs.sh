#!/usr/bin/env bash
# link_dirs.sh BUILD_DIR SCRATCH given|default: make build/{data,models,preprocessed_data} links into the scratch path.
# A scratch path set by the user must exist: creating it would hide a typo or an unmounted disk. One that is read-only serves where it is complete.
set -u
build=$1 scratch=$2 origin=$3

fail() {
  echo "error: $1" >&2
  echo "  why:  $2" >&2
  echo "  next: $3" >&2
  exit "${4:-3}"
}

if [ ! -d "$scratch" ]; then
  [ "$origin" = default ] || fail "MLPERF_SCRATCH_PATH $scratch does not exist" \
    "it was set explicitly, so it is not created silently" "mkdir -p '$scratch', or set MLPERF_SCRATCH_PATH to the right disk"
  mkdir -p "$scratch" 2>/dev/null || fail "cannot create $scratch" "no permission to write there" "set BUILD_DIR or MLPERF_SCRATCH_PATH" 4
fi
[ -r "$scratch" ] && [ -x "$scratch" ] || fail "cannot read the scratch path $scratch" "it belongs to $(stat -c %U "$scratch")" \
  "set MLPERF_SCRATCH_PATH to a folder that you may read" 4
[ -d "$build" ] || mkdir -p "$build" 2>/dev/null || fail "cannot create $build" "no permission to write there" "set BUILD_DIR to a folder you own" 4

scratch=$(cd "$scratch" && pwd)
for name in data models preprocessed_data; do
  link=$build/$name
  [ -d "$scratch/$name" ] || mkdir -p "$scratch/$name" 2>/dev/null || fail "cannot create $scratch/$name" "the scratch path is read-only, and has no folder $name" \
    "set MLPERF_SCRATCH_PATH to a folder you can write to, or complete this one from an account that can" 4
  if [ -L "$link" ]; then
    [ "$link" -ef "$scratch/$name" ] || ln -sfn "$scratch/$name" "$link"
  elif [ -e "$link" ]; then
    [ "$link" -ef "$scratch/$name" ] || fail "$link is in the way" "it is not a link into $scratch" \
      "move its content to $scratch/$name and remove it"
  else
    ln -s "$scratch/$name" "$link"
  fi
done
