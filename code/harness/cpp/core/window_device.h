// Interface for sliding windows on a device: the case's volume and sums stay in device memory, so that the host neither
// cuts nor sums windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/sliding_window.h"

namespace harness {

// Window parameters that all cases of a data set share.
struct WindowForm {
  Extents roi{};
  size_t classes = 0;
  std::vector<float> weights;  // [roi]
  size_t largest = 0;          // voxels of the largest case
};

// One window of a case.
struct CaseWindow {
  const float* volume = nullptr;  // the case's voxels, in host memory
  Extents extents{};              // of the case
  Extents origin{};
  bool first = false;  // whether it is the first window of its case
  bool last = false;
  uint8_t* labels = nullptr;  // destination of the case's classes; from WindowDevice::labels
};

// Bit-identical to cut_window and WindowSum. All windows of a case come in grid order, and cases do not interleave.
class WindowDevice {
 public:
  WindowDevice() = default;
  virtual ~WindowDevice() = default;
  WindowDevice(const WindowDevice&) = delete;
  WindowDevice& operator=(const WindowDevice&) = delete;
  WindowDevice(WindowDevice&&) = delete;
  WindowDevice& operator=(WindowDevice&&) = delete;

  // Allocates memory; later calls with the same form do nothing. Throws Error (kFailed) when the device has too little.
  virtual void prepare(const WindowForm& form) = 0;
  // Host memory for the classes of the case at `position` of a batch; reused by the next call with that position, which
  // must come after this batch is answered.
  virtual uint8_t* labels(size_t position, size_t bytes) = 0;
  // Gathers these windows into input `input` of the next call, float32 [windows, 1, roi]; its output `output`, float32
  // [windows, classes, roi], is added to the cases' sums on the device. No output of that call is copied to the host. A
  // case's classes are in `labels` after `wait` for the call that held its last window.
  virtual void input_windows(size_t input, size_t output, const std::vector<CaseWindow>& windows) = 0;
};

}  // namespace harness
