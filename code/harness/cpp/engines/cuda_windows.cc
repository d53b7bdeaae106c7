#include "engines/cuda_windows.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.h"
#include "engines/window_kernels.h"

namespace harness::cuda {

namespace {

constexpr size_t kSpare = size_t{64} << 20;  // device memory left to the driver

Box box_of(const Extents& extents) {
  return {static_cast<uint32_t>(extents[0]), static_cast<uint32_t>(extents[1]), static_cast<uint32_t>(extents[2])};
}

std::string in_megabytes(size_t bytes) {
  return std::to_string((bytes + 999999) / 1000000) + " MB";
}

}  // namespace

size_t Windows::bytes_of(const WindowForm& form) {
  const size_t voxel = sizeof(float) + form.classes * sizeof(float) + sizeof(uint8_t);
  return form.largest * voxel + volume_of(form.roi) * sizeof(float);
}

size_t Windows::input_bytes(size_t windows) const {
  return windows * volume_of(form_.roi) * sizeof(float);
}

size_t Windows::output_bytes(size_t windows) const {
  return input_bytes(windows) * form_.classes;
}

bool Windows::prepare(const WindowForm& form, cudaStream_t stream) {
  if (prepared_) return false;
  size_t available = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  if (bytes_of(form) + kSpare > available) {
    throw Error(Status::kFailed, "not enough GPU memory for the sliding window of the largest case",
                "its volume, sums and classes need " + in_megabytes(bytes_of(form)) + " in each lane, but only " +
                    in_megabytes(available) + " of " + in_megabytes(total) + " are free",
                "lower gpu_inference_streams or gpu_batch_size, or run with --sliding_window_on_device=false");
  }
  form_ = form;
  volume_ = device_memory(form.largest * sizeof(float));
  weights_ = device_memory(volume_of(form.roi) * sizeof(float));
  sum_ = device_memory(form.largest * form.classes * sizeof(float));
  labels_ = device_memory(form.largest);
  check(cudaMemcpyAsync(weights_.get(), form_.weights.data(), volume_of(form.roi) * sizeof(float),
                        cudaMemcpyHostToDevice, stream),
        "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  prepared_ = true;
  return true;
}

uint8_t* Windows::labels(size_t position, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (position >= pinned_.size()) pinned_.resize(position + 1);
  Pinned& found = pinned_[position];
  if (found.bytes < bytes) {
    // Allocate for the largest case at once: nothing is allocated while a test runs.
    const size_t capacity = std::max(bytes, form_.largest);
    found.memory = PinnedMemory();
    found.memory = pinned_memory(capacity);
    found.bytes = capacity;
  }
  return static_cast<uint8_t*>(found.memory.get());
}

void Windows::check_window(const CaseWindow& window) const {
  bool inside = prepared_ && volume_of(window.extents) <= form_.largest;
  for (size_t axis = 0; axis < 3; ++axis) {
    inside = inside && window.extents.at(axis) <= std::numeric_limits<uint32_t>::max() &&
             window.origin.at(axis) + form_.roi.at(axis) <= window.extents.at(axis);
  }
  if (inside) return;
  throw Error(Status::kFailed, "a window is not inside its volume, or the volume is larger than the largest case", "",
              "run `make preprocess_data` for this benchmark again");
}

// Copies the lines that a window is the first to need. Windows come in grid order, so a slab of planes is complete
// before the next one starts, and the engine gets its first windows long before the whole volume is on the device.
void Windows::upload(const CaseWindow& window, cudaStream_t stream) {
  const size_t planes = window.origin[0] + form_.roi[0];
  const size_t lines = window.origin[1] + form_.roi[1];
  if (window.first) slab_ = Slab();
  if (planes > slab_.end) slab_ = {slab_.end, planes, 0};
  if (lines <= slab_.lines) return;
  const size_t line = window.extents[2] * sizeof(float);
  const size_t plane = window.extents[1] * line;
  const size_t from = slab_.begin * plane + slab_.lines * line;
  check(cudaMemcpy2DAsync(static_cast<unsigned char*>(volume_.get()) + from, plane,
                          reinterpret_cast<const unsigned char*>(window.volume) + from, plane,
                          (lines - slab_.lines) * line, slab_.end - slab_.begin, cudaMemcpyHostToDevice, stream),
        "cudaMemcpy2DAsync");
  slab_.lines = lines;
}

void Windows::gather(const std::vector<CaseWindow>& windows, float* input, cudaStream_t stream) {
  for (const auto& window : windows) {
    check_window(window);
    upload(window, stream);
    check(gather_window(static_cast<const float*>(volume_.get()), box_of(window.extents), box_of(window.origin),
                        box_of(form_.roi), input, stream),
          "the kernel that cuts a window");
    input += volume_of(form_.roi);
  }
}

void Windows::add(const std::vector<CaseWindow>& windows, const float* outputs, cudaStream_t stream) {
  auto* sum = static_cast<float*>(sum_.get());
  const auto classes = static_cast<uint32_t>(form_.classes);
  for (const auto& window : windows) {
    check_window(window);
    const size_t voxels = volume_of(window.extents);
    if (window.first) check(cudaMemsetAsync(sum, 0, voxels * form_.classes * sizeof(float), stream), "cudaMemsetAsync");
    check(add_window(outputs, static_cast<const float*>(weights_.get()), box_of(window.extents), box_of(window.origin),
                     box_of(form_.roi), classes, sum, stream),
          "the kernel that adds a window");
    outputs += form_.classes * volume_of(form_.roi);
    if (!window.last) continue;
    auto* labels = static_cast<uint8_t*>(labels_.get());
    check(choose_classes(sum, voxels, classes, labels, stream), "the kernel that chooses classes");
    check(cudaMemcpyAsync(window.labels, labels, voxels, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  }
}

}  // namespace harness::cuda
