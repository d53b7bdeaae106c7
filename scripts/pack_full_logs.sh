#!/usr/bin/env bash
# pack_full_logs.sh: pack $BUILD_DIR/full_results, the whole accuracy logs that truncation kept, into full_results.tar.gz beside it.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit
build=${BUILD_DIR:-$root/build}
if [ ! -d "$build/full_results" ]; then
  printf 'error: %s\n  why:  %s\n  next: %s\n' "there are no full logs to pack" "$build/full_results does not exist" "make truncate_results" >&2
  exit 3
fi
out=$build/full_results.tar.gz
trap 'rm -f "$out.$$"' EXIT
tar -C "$build" -czf "$out.$$" full_results && mv "$out.$$" "$out" && echo "wrote $out ($(du -h "$out" | cut -f1))"
