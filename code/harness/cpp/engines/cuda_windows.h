// One lane's sliding window in GPU memory: the current case's volume, sums and classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/window_device.h"
#include "engines/cuda.h"

namespace harness::cuda {

// Uses CUDA only and is not aware of engines. One volume and one sum suffice although calls in flight may hold windows
// of several cases: `gather` always runs on one stream and `add` on one, so a case's memory is overwritten only after
// all its readers. The caller orders the two: `add` comes after the call's outputs are computed, and its input and
// outputs are reused only after `add` is done.
class Windows {
 public:
  // Allocates device memory for the largest case, once. `stream` is the one passed to `add`. Returns whether this was
  // the first call.
  bool prepare(const WindowForm& form, cudaStream_t stream);
  // Page-locked host memory. Thread-safe.
  uint8_t* labels(size_t position, size_t bytes);
  // Writes the windows' voxels to `input` [windows, roi] in device memory. A case's voxels are copied to the device
  // when a window first needs them.
  void gather(const std::vector<CaseWindow>& windows, float* input, cudaStream_t stream);
  // Adds `outputs` [windows, classes, roi] in device memory, window by window. After a case's last window its classes
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

  // A slab of planes of the case being gathered; `lines` of its lines are on the device.
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
  std::mutex mutex_;
  std::vector<Pinned> pinned_;
};

}  // namespace harness::cuda
