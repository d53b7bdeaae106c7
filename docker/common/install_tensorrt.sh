#!/usr/bin/env bash
# install_tensorrt.sh VERSION CUDA required|optional: TensorRT's libraries, headers, parser, trtexec and Python module.
#
# NVIDIA's CUDA base images include NVIDIA's package source, which has them. A base that already has TensorRT (NVIDIA's TensorRT
# and MLPerf images) is left unchanged. `optional` skips it if no source has it, to try the Dockerfile on another base.
set -euo pipefail
version=$1 cuda=$2 need=$3
packages=(libnvinfer10 libnvinfer-plugin10 libnvinfer-vc-plugin10 libnvonnxparsers10 libnvinfer-bin python3-libnvinfer
  libnvinfer-dev libnvinfer-headers-dev libnvinfer-headers-plugin-dev libnvinfer-plugin-dev libnvonnxparsers-dev)

if compgen -G "/usr/include/*/NvInfer.h" >/dev/null || [ -f /usr/local/tensorrt/include/NvInfer.h ]; then
  echo "TensorRT is in the base image already"
  exit
fi
trap 'apt-get clean; rm -rf /var/lib/apt/lists/*' EXIT
apt-get update
found=$(apt-cache madison libnvinfer10 | awk -v v="$version" -v c="+cuda$cuda" 'index($3, v) == 1 && index($3, c) {print $3; exit}')
if [ -z "$found" ]; then
  if [ "$need" = optional ]; then
    echo "TensorRT $version is not installed: no package source of this base has it"
    exit
  fi
  {
    echo "error: TensorRT $version for CUDA $cuda is in no package source of the base image"
    echo "  why:  the base must be one of NVIDIA's CUDA images, or one that has TensorRT; there are: $(
      apt-cache madison libnvinfer10 | awk '{printf "%s ", $3}')"
    echo "  next: set BASE_IMAGE, or TRT_VER and CUDA_VER to one of these"
  } >&2
  exit 1
fi
apt-get install -y --no-install-recommends "${packages[@]/%/=$found}"
# An upgrade of one package alone would mix versions.
apt-mark hold "${packages[@]}"
