#!/usr/bin/env bash
# mig_get_uuid.sh [KIND]: the UUIDs of this machine's MIG instances, comma-separated; KIND (default $MIG_CONF) as nvidia-smi names
# them: 1g.10gb, or 1 for every instance of one slice.
set -euo pipefail
kind=${1:-${MIG_CONF:-}}
listed=$(nvidia-smi -L) || { echo "error: nvidia-smi -L failed" >&2; exit 3; }
case $kind in
  "" | ALL) pattern='' ;;
  [0-9]) pattern="${kind}g." ;;
  *) pattern="$kind " ;;
esac
uuids=$(awk -v p="MIG $pattern" 'index($0, p) && match($0, /MIG-[0-9a-f-]+/) {print substr($0, RSTART, RLENGTH)}' <<<"$listed" | paste -sd,)
[ -n "$uuids" ] || { printf 'error: there is no MIG instance of kind %s\n  next: nvidia-smi mig -lgi lists the instances\n' "$kind" >&2; exit 3; }
echo "$uuids"
