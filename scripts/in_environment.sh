#!/usr/bin/env bash
# in_environment.sh ARGUMENT…: run the Python of $VENV in the project's folder, without the caller's Python variables.
here=${BASH_SOURCE[0]}
[[ $here == */* ]] || here=./$here
root=$(cd "${here%/*}/.." && pwd) || exit
. "$root/scripts/python_variables.sh"
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
cd "$root" && exec "$venv/bin/python" "$@"
