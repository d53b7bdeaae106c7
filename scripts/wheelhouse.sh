#!/usr/bin/env bash
# wheelhouse.sh PYTHON TO [SET…]: download the packages of the lock files into the folder TO, for machines without a network.
#
# They are those of this machine's Python and platform. LoadGen's sources, for `make build`, and what builds packages that come as source
# are there as well. `make WHEELHOUSE=TO …` installs from it and asks no index.
set -u
python=$1 to=${2:-}
shift 2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit
. "$root/scripts/python_variables.sh"

stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

[ -n "$to" ] || stop 2 "make wheelhouse needs a folder" "" "name it: make wheelhouse TO=/path/of/the/wheelhouse"
[ $# -gt 0 ] || set -- runtime build dev calibration debug tune
set -- "$@" builders # which pip asks for where a package comes as source
mkdir -p "$to" && to=$(cd "$to" && pwd) || stop 4 "cannot create $to" "no permission to write there" "name another folder with TO=…"
again="check the network or pip's index settings, then run the same command again; what is there already is kept"
for set in "$@"; do
  lock=$root/requirements/$set.lock
  [ -f "$lock" ] || stop 2 "there is no lock file of $set" "$lock does not exist" "name sets of requirements/*.lock with SETS=…"
  echo "Downloading the packages of requirements/$set.lock …"
  "$python" -m pip download --quiet --require-hashes --find-links "file://${to// /%20}" --dest "$to" -r "$lock" ||
    stop 3 "the packages of requirements/$set.lock could not be downloaded" "see the lines above" "$again"
done
"$python" "$root/scripts/fetch_loadgen.py" --archive "$to" >/dev/null || exit
"$python" -c 'import platform
print("Python", ".".join(platform.python_version_tuple()[:2]), "on", platform.system(), platform.machine(), *platform.libc_ver())' >"$to/MADE_FOR" || exit
count=$(find "$to" -maxdepth 1 \( -name '*.whl' -o -name '*.tar.gz' \) | wc -l)
echo "$count packages, $(du -sh "$to" | cut -f1), are in $to: for $(<"$to/MADE_FOR")"
echo "to use it: make run WHEELHOUSE=$to …"
