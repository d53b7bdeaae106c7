#include "engines/window_kernels.h"

namespace harness::cuda {

namespace {

// A block is eight rows of a warp's width: consecutive threads are neighbours on the last axis, so that accesses are
// coalesced.
constexpr uint32_t kWide = 32;
constexpr uint32_t kHigh = 8;
constexpr uint32_t kVoxels = 256;

__device__ size_t place(Box extents, Box origin, uint32_t z, uint32_t y, uint32_t x) {
  return (static_cast<size_t>(origin.depth + z) * extents.height + origin.height + y) * extents.width + origin.width +
         x;
}

__global__ void gather(const float* __restrict__ volume, Box extents, Box origin, Box roi, float* __restrict__ window) {
  const uint32_t x = blockIdx.x * kWide + threadIdx.x;
  const uint32_t y = blockIdx.y * kHigh + threadIdx.y;
  const uint32_t z = blockIdx.z;
  if (x >= roi.width || y >= roi.height) return;
  window[(static_cast<size_t>(z) * roi.height + y) * roi.width + x] = volume[place(extents, origin, z, y, x)];
}

// One thread adds one class of one voxel; the blocks of class k are those of depth k × roi.depth and on.
__global__ void add(const float* __restrict__ output, const float* __restrict__ weights, Box extents, Box origin,
                    Box roi, float* __restrict__ sum) {
  const uint32_t x = blockIdx.x * kWide + threadIdx.x;
  const uint32_t y = blockIdx.y * kHigh + threadIdx.y;
  if (x >= roi.width || y >= roi.height) return;
  const uint32_t kind = blockIdx.z / roi.depth;
  const uint32_t z = blockIdx.z % roi.depth;
  const size_t voxels = static_cast<size_t>(extents.depth) * extents.height * extents.width;
  const size_t from = (static_cast<size_t>(blockIdx.z) * roi.height + y) * roi.width + x;
  const size_t weight = (static_cast<size_t>(z) * roi.height + y) * roi.width + x;
  float* to = sum + kind * voxels + place(extents, origin, z, y, x);
  *to = __fadd_rn(*to, __fmul_rn(output[from], weights[weight]));
}

__global__ void choose(const float* __restrict__ sum, size_t voxels, uint32_t classes, uint8_t* __restrict__ labels) {
  const size_t voxel = static_cast<size_t>(blockIdx.x) * kVoxels + threadIdx.x;
  if (voxel >= voxels) return;
  float best = sum[voxel];
  uint8_t label = 0;
  for (uint32_t kind = 1; kind < classes; ++kind) {
    const float other = sum[kind * voxels + voxel];
    if (other > best) {
      best = other;
      label = static_cast<uint8_t>(kind);
    }
  }
  labels[voxel] = label;
}

dim3 blocks_of(Box roi, uint32_t planes) {
  return {(roi.width + kWide - 1) / kWide, (roi.height + kHigh - 1) / kHigh, planes};
}

}  // namespace

cudaError_t gather_window(const float* volume, Box extents, Box origin, Box roi, float* window, cudaStream_t stream) {
  gather<<<blocks_of(roi, roi.depth), dim3(kWide, kHigh), 0, stream>>>(volume, extents, origin, roi, window);
  return cudaGetLastError();
}

cudaError_t add_window(const float* output, const float* weights, Box extents, Box origin, Box roi, uint32_t classes,
                       float* sum, cudaStream_t stream) {
  add<<<blocks_of(roi, classes * roi.depth), dim3(kWide, kHigh), 0, stream>>>(output, weights, extents, origin, roi,
                                                                              sum);
  return cudaGetLastError();
}

cudaError_t choose_classes(const float* sum, size_t voxels, uint32_t classes, uint8_t* labels, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((voxels + kVoxels - 1) / kVoxels);
  choose<<<blocks, kVoxels, 0, stream>>>(sum, voxels, classes, labels);
  return cudaGetLastError();
}

}  // namespace harness::cuda
