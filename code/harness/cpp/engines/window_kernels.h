// Kernels of the sliding window. Each call launches one kernel on `stream` and returns the launch's error code.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace harness::cuda {

// Extents of a volume or a window, or a position in a volume.
struct Box {
  uint32_t depth = 0;
  uint32_t height = 0;
  uint32_t width = 0;
};

// window[roi] = the voxels of `volume`, which has these extents, from `origin` on.
cudaError_t gather_window(const float* volume, Box extents, Box origin, Box roi, float* window, cudaStream_t stream);

// sum[classes, extents] from `origin` on += output[classes, roi] × weights[roi]. Rounds after the product and after the
// sum, without fused multiply-add, to match the host bit for bit.
cudaError_t add_window(const float* output, const float* weights, Box extents, Box origin, Box roi, uint32_t classes,
                       float* sum, cudaStream_t stream);

// labels[voxels] = the first class whose sum[classes, voxels] is greatest.
cudaError_t choose_classes(const float* sum, size_t voxels, uint32_t classes, uint8_t* labels, cudaStream_t stream);

}  // namespace harness::cuda
