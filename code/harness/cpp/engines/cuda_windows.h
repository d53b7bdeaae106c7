// The sliding window of one lane in a GPU's memory: the volume of the case under way, its sums and its classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/window_device.h"
#include "engines/cuda.h"

namespace harness::cuda {

// It knows CUDA and no engine. One volume and one sum are enough, although calls that are under way may hold windows of
// several cases: `gather` always gets the same stream, and so does `add`, so a case's memory is written anew only
// behind all that reads it. The caller orders the two: a call's `add` comes after its outputs are computed, and its
// input and outputs are used again only after its `add` is done.
class Windows {
 public:
  // Device memory for the largest case, once. `stream` is the one that `add` gets.
  void prepare(const WindowForm& form, cudaStream_t stream);
  // Page-locked memory.
  uint8_t* labels(size_t position, size_t bytes);
  // The windows' voxels to `input` [windows, roi], device memory. A case's voxels are copied to the device when a
  // window first needs them.
  void gather(const std::vector<CaseWindow>& windows, float* input, cudaStream_t stream);
  // Adds `outputs` [windows, classes, roi], device memory, window by window. Behind a case's last window its classes
  // are chosen and copied to its `labels`.
  void add(const std::vector<CaseWindow>& windows, const float* outputs, cudaStream_t stream);

  // Bytes of device memory for a form.
  static size_t bytes_of(const WindowForm& form);
  // Bytes of a call's input and output.
  [[nodiscard]] size_t input_bytes(size_t windows) const;
  [[nodiscard]] size_t output_bytes(size_t windows) const;
  [[nodiscard]] const Extents& roi() const { return form_.roi; }

 private:
  struct Pinned {
    PinnedMemory memory;
    size_t bytes = 0;
  };

  // Planes of the case that `gather` is at, and how many of their lines are on the device.
  struct Slab {
    size_t begin = 0;
    size_t end = 0;
    size_t lines = 0;
  };

  void check_window(const CaseWindow& window) const;
  void upload(const CaseWindow& window, cudaStream_t stream);

  WindowForm form_;
  bool prepared_ = false;
  Slab slab_;
  DeviceMemory volume_;
  DeviceMemory weights_;
  DeviceMemory sum_;  // [classes, voxels]
  DeviceMemory labels_;
  std::vector<Pinned> pinned_;
};

}  // namespace harness::cuda
