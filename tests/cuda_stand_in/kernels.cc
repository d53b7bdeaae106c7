// The harness's own kernels (engines/row_kernels.h, engines/window_kernels.h) on the processor.
#include <algorithm>

#include "engines/row_kernels.h"
#include "engines/window_kernels.h"
#include "stand_in.h"

namespace harness::cuda {

namespace {

using stand_in::Cost;
using stand_in::Use;
using stand_in::view;

size_t volume(Box box) {
  return static_cast<size_t>(box.depth) * box.height * box.width;
}

size_t place(Box extents, Box origin, size_t z, size_t y, size_t x) {
  return ((origin.depth + z) * extents.height + origin.height + y) * extents.width + origin.width + x;
}

// From a window's first voxel in its volume to its last.
Use window_of(const float* from, Box extents, Box origin, Box roi, bool writes) {
  const size_t first = place(extents, origin, 0, 0, 0);
  const size_t last = place(extents, origin, roi.depth - 1, roi.height - 1, roi.width - 1);
  return {from + first, (last - first + 1) * sizeof(float), writes};
}

const float* floats(const void* address) {
  return static_cast<const float*>(view(address));
}

}  // namespace

cudaError_t gather_rows(const void* data, size_t stride, const uint32_t* rows, size_t count, size_t words, void* to,
                        cudaStream_t stream) {
  if (count == 0 || words == 0) return cudaSuccess;
  // The rows are known only once the kernel runs; the host may not change them until then.
  const size_t held = stand_in::bytes_from(data);
  const auto work = [from = static_cast<const uint32_t*>(view(data)), stride, held,
                     numbers = static_cast<const uint32_t*>(view(rows)), count, words,
                     out = static_cast<uint32_t*>(view(to))] {
    for (size_t i = 0; i < count; ++i) {
      if ((numbers[i] * stride + words) * sizeof(uint32_t) > held) {
        stand_in::violation("bounds", "gather_rows reads row " + std::to_string(numbers[i]) + " of an array of " +
                                          std::to_string(held) + " bytes");
      }
      std::copy_n(from + numbers[i] * stride, words, out + i * words);
    }
  };
  return stand_in::launch(
      stream, "gather_rows", Cost::kKernel,
      {{data, held, false}, {rows, count * sizeof(uint32_t), false}, {to, count * words * sizeof(uint32_t), true}},
      work);
}

cudaError_t gather_window(const float* volume_, Box extents, Box origin, Box roi, float* window, cudaStream_t stream) {
  const auto work = [from = floats(volume_), extents, origin, roi, to = static_cast<float*>(view(window))]() mutable {
    for (size_t z = 0; z < roi.depth; ++z) {
      for (size_t y = 0; y < roi.height; ++y) {
        to = std::copy_n(from + place(extents, origin, z, y, 0), roi.width, to);
      }
    }
  };
  return stand_in::launch(
      stream, "gather_window", Cost::kKernel,
      {window_of(volume_, extents, origin, roi, false), {window, volume(roi) * sizeof(float), true}}, work);
}

cudaError_t add_window(const float* output, const float* weights, Box extents, Box origin, Box roi, uint32_t classes,
                       float* sum, cudaStream_t stream) {
  std::vector<Use> uses = {{output, classes * volume(roi) * sizeof(float), false},
                           {weights, volume(roi) * sizeof(float), false}};
  for (uint32_t kind = 0; kind < classes; ++kind) {
    uses.push_back(window_of(sum + kind * volume(extents), extents, origin, roi, true));
  }
  const auto work = [from = floats(output), weight = floats(weights), extents, origin, roi, classes,
                     to = static_cast<float*>(view(sum))] {
    for (size_t kind = 0; kind < classes; ++kind) {
      for (size_t z = 0; z < roi.depth; ++z) {
        for (size_t y = 0; y < roi.height; ++y) {
          const size_t row = (z * roi.height + y) * roi.width;
          const float* in = from + kind * volume(roi) + row;
          float* out = to + kind * volume(extents) + place(extents, origin, z, y, 0);
          for (size_t x = 0; x < roi.width; ++x) {
            const float product = in[x] * weight[row + x];
            out[x] = out[x] + product;
          }
        }
      }
    }
  };
  return stand_in::launch(stream, "add_window", Cost::kKernel, uses, work);
}

cudaError_t choose_classes(const float* sum, size_t voxels, uint32_t classes, uint8_t* labels, cudaStream_t stream) {
  const auto work = [from = floats(sum), voxels, classes, to = static_cast<uint8_t*>(view(labels))] {
    for (size_t voxel = 0; voxel < voxels; ++voxel) {
      uint32_t best = 0;
      for (uint32_t kind = 1; kind < classes; ++kind) {
        if (from[kind * voxels + voxel] > from[best * voxels + voxel]) best = kind;
      }
      to[voxel] = static_cast<uint8_t>(best);
    }
  };
  return stand_in::launch(stream, "choose_classes", Cost::kKernel,
                          {{sum, voxels * classes * sizeof(float), false}, {labels, voxels, true}}, work);
}

}  // namespace harness::cuda
