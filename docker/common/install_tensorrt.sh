#!/usr/bin/env bash
# install_tensorrt.sh VERSION CUDA required|optional: TensorRT's libraries, headers, parser, trtexec and Python module.
#
# NVIDIA's CUDA base images come with NVIDIA's package source, which has them; names of libraries end in the major version. A base that
# has TensorRT already (NVIDIA's TensorRT and MLPerf images) is left as it is. `optional` leaves it out where no source has it, to try the
# Dockerfile on another base. INSTALL_ROOT is for tests: where apt's files and the headers are, / by default.
set -euo pipefail
version=$1 cuda=$2 need=$3 root=${INSTALL_ROOT:-}
major=${version%%.*}
packages=("libnvinfer$major" "libnvinfer-plugin$major" "libnvonnxparsers$major" libnvinfer-bin python3-libnvinfer
  libnvinfer-dev libnvinfer-headers-dev libnvinfer-headers-plugin-dev libnvinfer-plugin-dev libnvonnxparsers-dev)

if compgen -G "$root/usr/include/*/NvInfer.h" >/dev/null || [ -f "$root/usr/local/tensorrt/include/NvInfer.h" ]; then
  echo "TensorRT is in the base image already"
  exit
fi
trap 'apt-get clean; rm -rf "$root"/var/lib/apt/lists/*' EXIT
apt-get update
found=$(apt-cache madison "libnvinfer$major" | awk -v v="$version" -v c="+cuda$cuda" \
  'index($3, v) == 1 && substr($3, length(v) + 1) !~ /^[0-9]/ && index($3, c) && !seen++ {print $3}')
if [ -z "$found" ]; then
  if [ "$need" = optional ]; then
    echo "TensorRT $version is not installed: no package source of this base has it"
    exit
  fi
  {
    echo "error: TensorRT $version for CUDA $cuda is in no package source of the base image"
    echo "  why:  the base must be one of NVIDIA's CUDA images, or one that has TensorRT; there are: $(
      for name in $(apt-cache pkgnames libnvinfer | grep -x 'libnvinfer[0-9]*' | sort -V); do apt-cache madison "$name"; done |
        awk '{printf "%s ", $3}')"
    echo "  next: set BASE_IMAGE, or TRT_VER and CUDA_VER to one of these"
  } >&2
  exit 1
fi
# Every package of TensorRT depends on exactly its own version of the others, and apt chooses the newest of what is not named here.
mkdir -p "$root/etc/apt/preferences.d"
printf 'Package: libnvinfer* libnvonnxparsers* python3-libnvinfer*\nPin: version %s\nPin-Priority: 1001\n' "$found" \
  >"$root/etc/apt/preferences.d/tensorrt"
apt-get install -y --no-install-recommends "${packages[@]}"
# An upgrade of one package alone would mix versions.
apt-mark hold "${packages[@]}"
