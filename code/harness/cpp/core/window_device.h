// Sliding windows where the engine computes: a stream that has this holds a case's volume and its sums near the engine,
// so that a window is neither cut nor added up on a processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/sliding_window.h"

namespace harness {

// What all cases of a data set share.
struct WindowForm {
  Extents roi{};
  size_t classes = 0;
  std::vector<float> weights;  // of the ROI's size
  size_t largest = 0;          // voxels of the largest case
};

// One window of a case.
struct CaseWindow {
  const float* volume = nullptr;  // the case's voxels, in host memory
  Extents extents{};              // of the case
  Extents origin{};
  bool first = false;  // window of its case
  bool last = false;
  uint8_t* labels = nullptr;  // where the case's classes go; from WindowDevice::labels
};

// What it computes is what cut_window and WindowSum do, addition by addition. All windows of a case come in the order
// of its grid, and no window of the next case before the last one of this.
class WindowDevice {
 public:
  WindowDevice() = default;
  virtual ~WindowDevice() = default;
  WindowDevice(const WindowDevice&) = delete;
  WindowDevice& operator=(const WindowDevice&) = delete;
  WindowDevice(WindowDevice&&) = delete;
  WindowDevice& operator=(WindowDevice&&) = delete;

  // Makes room, once: later calls with the same form do nothing. Throws Error (kFailed) where the device has too
  // little.
  virtual void prepare(const WindowForm& form) = 0;
  // Host memory for the classes of the case at `position` of a batch: valid until it is asked for again, for a batch
  // that comes after this one is answered.
  virtual uint8_t* labels(size_t position, size_t bytes) = 0;
  // Input `input` of the next call, float32 [windows, 1, roi], is made of these windows, and its output `output`,
  // float32 [windows, classes, roi], is added to their cases' sums when it is computed. No output of that call comes to
  // the host. A case's classes are in its `labels` when the call that held its last window was waited for.
  virtual void input_windows(size_t input, size_t output, const std::vector<CaseWindow>& windows) = 0;
};

}  // namespace harness
