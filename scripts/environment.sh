#!/usr/bin/env bash
# environment.sh SET: make the Python environment $VENV where there is none, and install a set of packages into it.
#
# SET is a lock file of requirements/ (runtime, audit, build, calibration, chat, cluster, coverage, debug, dev, exporter, pytorch, site, stubs, tensorrt_rtx, triton, tune, uv), or
# tensorrt, train, datasets or export, whose packages differ by machine. Nothing is done where the stamp $VENV/.SET-installed has the digest of the set's files. It is written last, after the
# packages were seen in the environment.
set -u
set=${1:?usage: environment.sh SET}
here=${BASH_SOURCE[0]}
[[ $here == */* ]] || here=./$here
root=$(cd "${here%/*}/.." && pwd) || exit # without dirname: every target of make waits for this
. "$root/scripts/python_variables.sh"
python3=${PYTHON3:-python3}
venv=${VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
python=$venv/bin/python
stamp=$venv/.$set-installed

stop() { # stop STATUS WHAT WHY NEXT
  printf 'error: %s\n  why:  %s\n  next: %s\n' "$2" "$3" "$4" >&2
  exit "$1"
}

declare -A modules=(
  [runtime]="numpy onnx onnxruntime openvino mlperf_loadgen rich yaml" [build]="cmake ninja" [calibration]="nncf"
  [dev]="pytest ruff mypy" [tensorrt_rtx]="tensorrt_rtx" [audit]="bandit pip_audit" [tune]="optuna" [uv]="uv" [debug]="polygraphy" [tensorrt]="tensorrt" [train]="torch" [export]="torch transformers"
  [site]="mkdocs material mkdocstrings" [coverage]="gcovr" [exporter]="prometheus_client" [pytorch]="torch transformers" [chat]="jinja2" [datasets]="datasets pyarrow" [stubs]="" [triton]="pytriton tritonclient" [cluster]="ray zmq"
)
case $set in
  tensorrt | train) file=$root/requirements/$set.txt ;;
  export | datasets) file=$root/pyproject.toml ;;
  *) file=$root/requirements/$set.lock ;;
esac
[ -f "$file" ] || stop 2 "there is no set of packages called $set" "$file does not exist" "use one of: ${!modules[*]}"
digest=$(sha256sum <"$file") digest=${digest%% *}

installed() { # Whether the stamp is of these files. One of an older version is empty, and goes by its time.
  [ -f "$stamp" ] || return
  if [ -s "$stamp" ]; then [ "$(<"$stamp")" = "$digest" ]; else [ "$stamp" -nt "$file" ]; fi
}

suits() { # suits PYTHON: whether it is there and of a version that runs the harness
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null
}

newer_python() { # What brings a Python that suits on this distribution
  local id='' like='' version=''
  eval "$(sed -n 's/^ID=/id=/p; s/^ID_LIKE=/like=/p; s/^VERSION_ID=/version=/p' "${OS_RELEASE:-/etc/os-release}" 2>/dev/null | grep -E '^[a-z]+=["A-Za-z0-9._ -]*$')"
  case "$id $like" in
    *rhel* | *fedora* | *centos* | amzn*)
      if [[ "$id" == fedora ]]; then echo "dnf install python3.13, then add PYTHON3=python3.13"; else
        echo "dnf install python3.12, then add PYTHON3=python3.12"; fi ;;
    *suse*) echo "zypper install python311, then add PYTHON3=python3.11" ;;
    ubuntu*)
      case $version in
        18.* | 20.*) echo "Ubuntu $version has none: add the archive ppa:deadsnakes/ppa, apt-get install python3.12-venv, then add PYTHON3=python3.12" ;;
        *) echo "apt-get install python3 python3-venv, or select another with PYTHON3=/path/to/python3" ;;
      esac ;;
    debian*)
      case $version in
        9 | 10 | 11) echo "Debian $version has none: upgrade to Debian 12, use the container (make prebuild), or select one with PYTHON3=/path/to/python3" ;;
        *) echo "apt-get install python3 python3-venv, or select another with PYTHON3=/path/to/python3" ;;
      esac ;;
    *)
      if [ "$(uname -s)" = Darwin ]; then echo "brew install python@3.12, then add PYTHON3=python3.12"; else
        echo "install Python 3.10 to 3.13, or select one with PYTHON3=/path/to/python3"; fi ;;
  esac
}

glibc() { getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //'; }

older() { [ -n "$1" ] && [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# OpenVINO's wheels for Arm need glibc 2.35, which no marker of a lock file can say.
without_openvino() { [ "$machine" = aarch64 ] && older "${GLIBC:-$(glibc)}" 2.35; }

# A wheel of PyTorch for processors that is already there is kept, without CUDA's packages: 0.2 GB instead of 3.
torch_for_processors() {
  "$python" -c 'from importlib.metadata import version; raise SystemExit(not version("torch").endswith("+cpu"))' 2>/dev/null
}

# LoadGen has no wheel for Arm: pip compiles its source.
require_compiler() {
  [ "$machine" = aarch64 ] || return 0
  command -v c++ >/dev/null || command -v g++ >/dev/null ||
    stop 3 "LoadGen cannot be built" "it has no wheel for $machine, and there is no C++ compiler to build its source" \
      "install g++ (Debian and Ubuntu: apt-get install g++ python3-dev; Red Hat: dnf install gcc-c++ python3-devel), then repeat the command"
  "$python" -c 'import os, sysconfig; sys = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")); raise SystemExit(not sys)' ||
    stop 3 "LoadGen cannot be built" "it has no wheel for $machine, and Python.h, which its source needs, is not installed" \
      "install Python's headers (Debian and Ubuntu: apt-get install python3-dev; Red Hat: dnf install python3-devel), then repeat the command"
}

create() {
  if ! suits "$python3"; then
    local other found=${PYTHON3:-python3}
    for other in python3.13 python3.12 python3.11 python3.10; do
      if [ "$python3" = python3 ] && suits "$other"; then
        command -v python3 >/dev/null && found=$(python3 --version 2>&1)
        echo "note: python3 is $found; the environment is made with $other, which is installed"
        python3=$other
        break
      fi
    done
  fi
  command -v "$python3" >/dev/null ||
    stop 3 "$python3 is not installed" "the harness runs in a Python environment of its own" "$(newer_python)"
  suits "$python3" || stop 3 "$("$python3" --version 2>&1) cannot run this harness" "it needs Python 3.10 to 3.13" "$(newer_python)"
  local parent=$venv
  if [ -e "$venv" ]; then
    [ -d "$venv" ] || stop 2 "VENV $venv is not a directory" "the Python environment is made there" "set VENV to another path"
    if [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv" 2>&1)" ]; then
      [ -r "$venv" ] && [ -x "$venv" ] || stop 4 "VENV $venv cannot be read" "it belongs to $(stat -c %U "$venv")" "set VENV to a path of yours"
      stop 2 "VENV $venv holds other files" "a Python environment is made in an empty or new directory" "set VENV to another path"
    fi
  fi
  while [ ! -e "$parent" ]; do parent=$(dirname "$parent"); done
  [ -w "$parent" ] && [ -x "$parent" ] ||
    stop 4 "cannot create the Python environment $venv" "$(id -un) may not write in $parent" "set VENV to a path of yours"
  "$python3" -c 'import venv, ensurepip' 2>/dev/null ||
    stop 3 "$python3 cannot create the Python environment $venv" "its modules venv and ensurepip are not installed" \
      "on Debian and Ubuntu: apt-get install python3-venv"
  local said clear=()
  [ ! -f "$venv/pyvenv.cfg" ] || clear=(--clear)
  said=$("$python3" -m venv "${clear[@]}" "$venv" 2>&1) ||
    stop 4 "$python3 cannot create the Python environment $venv" "$(tail -n 1 <<<"$said")" "remove $venv, then run the same command again"
}

whole() { "$python" -m pip --version >/dev/null 2>&1; }

# One whose interpreter does not start is made again. One without pip was interrupted while it was made, or is another tool's: pip is
# added, and nothing is removed.
heal() {
  "$python" -c 'import sys' 2>/dev/null
  case $? in
    0) "$python" -m ensurepip --upgrade --default-pip >/dev/null 2>&1 ;;
    126)
      [ ! -f "$venv/pyvenv.cfg" ] ||
        stop 4 "$python cannot be started" "$(id -un) may not run it: $(realpath -m -- "$python")" "set VENV to a path of yours"
      create
      ;;
    *) create ;;
  esac
}

installed && [ -x "$python" ] && exit 0
machine=${ARCH:-$(uname -m)}
[ "$machine" != arm64 ] || machine=aarch64
[ -z "${WHEELHOUSE:-}" ] || [ -d "$WHEELHOUSE" ] ||
  stop 2 "WHEELHOUSE names $WHEELHOUSE, which is not a directory" "packages are installed from there" "correct or unset WHEELHOUSE"
whole || heal
whole || stop 4 "the Python environment $venv does not work" "it has no pip, and none can be added" \
  "remove $venv, then run the same command again"
[ -w "$venv" ] || stop 4 "cannot install packages into $venv" "it belongs to $(stat -c %U "$venv")" "set VENV to a path of yours"

failed() { # failed NEXT
  stop 3 "the packages of ${file#"$root"/} could not be installed" "see the lines above" "$1"
}
again="check the network or pip's index settings, then run the same command again"
if [ -n "${WHEELHOUSE:-}" ]; then
  again="the wheelhouse lacks what is named above: $WHEELHOUSE is for $(cat "$WHEELHOUSE/MADE_FOR" 2>/dev/null || echo 'an unknown machine'), and this is "
  again+="$("$python" --version 2>&1) on $(uname -m): make one that fits with \`make wheelhouse TO=…\`"
fi
echo "Installing the Python packages of ${file#"$root"/} (once) …"
case $set in
  tensorrt | train | export | datasets)
    # A constraint with a digest would make pip ask for one of every package.
    limits=$(mktemp) || exit
    trap 'rm -f "$limits"' EXIT
    sed -E '/^ +--hash/d; s/ *\\$//' "$root/requirements/runtime.lock" >"$limits"
    packages=(-r "$file")
    [ "$set" = export ] && packages=("$root[train,export]")
    [ "$set" = datasets ] && packages=("$root[datasets]")
    [ "$set" = tensorrt ] && again="check that pip reaches NVIDIA's index; without a GPU, use make tensorrt_rtx"
    "$python" -m pip install --quiet -c "$limits" "${packages[@]}" || failed "$again"
    ;;
  *)
    lock=$file
    case $set in runtime | dev) require_compiler ;; esac
    if without_openvino; then
      lock=$(mktemp) || exit
      trap 'rm -f "$lock"' EXIT
      awk '/^[a-z]/ { left = /^openvino/ } !left' "$file" >"$lock"
      modules[runtime]=${modules[runtime]/openvino /}
      [ "$set" != runtime ] ||
        echo "note: OpenVINO has no package for Arm with glibc ${GLIBC:-$(glibc)} (it needs 2.35); engines for processors come from ONNX Runtime"
    fi
    if [ "$set" = pytorch ] && torch_for_processors; then
      lock=$(mktemp) || exit
      trap 'rm -f "$lock"' EXIT
      awk '/^[a-z]/ { left = /^(nvidia-(cu|nccl|nv[jst])|cuda-|triton=)/ } !left' "$file" >"$lock"
      echo "note: PyTorch is there for processors only; CUDA's packages are left out"
    fi
    alone=()
    [ "$set" != stubs ] || alone=(--no-deps) # stubs depend on the package itself
    "$python" -m pip install --quiet --require-hashes "${alone[@]}" -r "$lock" || failed "$again"
    ;;
esac
missing=$("$python" -c 'import importlib.util, sys
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))' ${modules[$set]})
[ -z "$missing" ] ||
  stop 4 "the packages of ${file#"$root"/} are not in $venv" \
    "pip put them elsewhere, and $missing is missing: $("$python" -m pip config list 2>/dev/null | paste -sd' ')" \
    "remove target, prefix or root from pip's configuration, then run the same command again"
printf %s "$digest" >"$stamp.$$" && mv "$stamp.$$" "$stamp"
