// Copies and fills, with what each kind of host memory implies for the caller (CUDA runtime API, "API synchronization
// behavior").
#include <cstring>

#include "state.h"

namespace stand_in {

namespace {

struct Plane {
  const char* from;
  size_t from_pitch;
  char* to;
  size_t to_pitch;
  size_t width;
  size_t height;
};

void copy(const Plane& plane) {
  for (size_t row = 0; row < plane.height; ++row) {
    std::memcpy(plane.to + row * plane.to_pitch, plane.from + row * plane.from_pitch, plane.width);
  }
}

bool is_device(const Touch& touch) {
  return touch.memory != nullptr && touch.memory->kind == Memory::kDevice;
}

void check_kind(const char* call, const Touch& from, const Touch& to, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDefault) return;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  if (is_device(from) == from_device && is_device(to) == to_device) return;
  violation("direction", std::string(call) + " goes from " + (is_device(from) ? "device" : "host") + " to " +
                             (is_device(to) ? "device" : "host") + " memory, which is not the direction that it names");
}

char* shown(const Touch& touch, void* pageable) {
  return touch.memory == nullptr ? static_cast<char*>(pageable) : touch.memory->view + touch.begin;
}

enum class Returns { kAtOnce, kAsDocumented };

cudaError_t copy_on(Call& call, Stream& stream, void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                    size_t height, cudaMemcpyKind kind, Returns returns) {
  if (width == 0 || height == 0) return cudaSuccess;
  if (width > dpitch || width > spitch) return call.end(cudaErrorInvalidValue);
  const size_t from_bytes = (height - 1) * spitch + width;
  const size_t to_bytes = (height - 1) * dpitch + width;
  const Touch from = touch_of(call.name(), stream.device, src, from_bytes, false);
  const Touch to = touch_of(call.name(), stream.device, dst, to_bytes, true);
  check_kind(call.name(), from, to, kind);
  const bool pageable = from.memory == nullptr || to.memory == nullptr;
  if (pageable && stream.capture != nullptr) {
    violation("capture", std::string(call.name()) + " of pageable host memory in a capture");
  }
  Plane plane{shown(from, const_cast<void*>(src)), spitch, shown(to, dst), dpitch, width, height};
  Operation operation;
  operation.what = call.name();
  operation.cost = Cost::kCopy;
  operation.touches = {from, to};
  if (from.memory == nullptr) {
    // Staged before the call returns; the copy to the device may come later.
    const auto staged = std::make_shared<std::vector<char>>(height * width);
    {
      const Seen seen;
      copy({plane.from, spitch, staged->data(), width, width, height});
    }
    plane.from_pitch = width;
    operation.work = [plane, staged]() mutable {
      plane.from = staged->data();
      copy(plane);
    };
  } else {
    operation.work = [plane] { copy(plane); };
  }
  submit(stream, std::move(operation));
  const bool to_host = !is_device(to);
  const bool waits =
      to.memory == nullptr ||
      (returns == Returns::kAsDocumented && (to_host || from.memory != nullptr) && !(is_device(from) && is_device(to)));
  if (!waits) return cudaSuccess;
  wait_for(call, stream);
  return call.end(call.device().sticky);
}

cudaError_t fill(Call& call, Stream& stream, void* to, int value, size_t bytes) {
  const Touch touch = touch_of(call.name(), stream.device, to, bytes, true);
  if (!is_device(touch)) violation("ownership", std::string(call.name()) + " of memory that is not on a device");
  Operation operation;
  operation.what = call.name();
  operation.cost = Cost::kCopy;
  operation.touches = {touch};
  operation.work = [at = shown(touch, nullptr), value, bytes] { std::memset(at, value, bytes); };
  submit(stream, std::move(operation));
  return cudaSuccess;
}

}  // namespace

}  // namespace stand_in

using stand_in::Call;
using stand_in::Returns;

extern "C" {

cudaError_t cudaMemcpy(void* dst, const void* src, size_t count, enum cudaMemcpyKind kind) {
  Call call("cudaMemcpy");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  return stand_in::copy_on(call, *call.device().legacy, dst, count, src, count, count, 1, kind, Returns::kAsDocumented);
}

cudaError_t cudaMemcpyAsync(void* dst, const void* src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream) {
  Call call("cudaMemcpyAsync");
  if (!call.ready()) return call.error();
  return stand_in::copy_on(call, stand_in::stream_of(call, stream), dst, count, src, count, count, 1, kind,
                           Returns::kAtOnce);
}

cudaError_t cudaMemcpy2DAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                              enum cudaMemcpyKind kind, cudaStream_t stream) {
  Call call("cudaMemcpy2DAsync");
  if (!call.ready()) return call.error();
  return stand_in::copy_on(call, stand_in::stream_of(call, stream), dst, dpitch, src, spitch, width, height, kind,
                           Returns::kAtOnce);
}

cudaError_t cudaMemset(void* devPtr, int value, size_t count) {
  Call call("cudaMemset");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  return stand_in::fill(call, *call.device().legacy, devPtr, value, count);
}

cudaError_t cudaMemsetAsync(void* devPtr, int value, size_t count, cudaStream_t stream) {
  Call call("cudaMemsetAsync");
  if (!call.ready()) return call.error();
  return stand_in::fill(call, stand_in::stream_of(call, stream), devPtr, value, count);
}
}
