#!/usr/bin/env bash
# clocks.sh lock MHZ | free: lock the clocks of all GPUs, or free them. Uses sudo where the account is not root.
set -u
stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}
command -v nvidia-smi >/dev/null || stop 3 "clocks cannot be set" "nvidia-smi is not installed" "run this on a machine with an NVIDIA GPU"
as_root=()
[ "$EUID" -eq 0 ] || as_root=(sudo)
case ${1:-} in
  lock)
    [[ ${2:-} =~ ^[0-9]+$ ]] || stop 2 "GPUCLK is '${2:-}'" "it is the clock to lock, in MHz" "set GPUCLK=1410, or another clock that nvidia-smi -q -d SUPPORTED_CLOCKS lists"
    "${as_root[@]}" nvidia-smi -lgc "$2,$2" || stop 4 "the clocks could not be locked" "see the line above" "make free_clocks frees them"
    ;;
  free) "${as_root[@]}" nvidia-smi -rgc || stop 4 "the clocks could not be freed" "see the line above" "sudo nvidia-smi -rgc" ;;
  *) stop 2 "unknown command '${1:-}'" "there are lock and free" "clocks.sh lock MHZ" ;;
esac
