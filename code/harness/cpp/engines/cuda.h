// Thin wrapper of the CUDA runtime: every call checked, every handle owned. Needs CUDA 11.8 or later.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace harness::cuda {

// Throws Error (kFailed) with CUDA's message unless `code` is success. `doing` names the call.
void check(cudaError_t code, const char* doing);

// Throws Error (kMissing) when this machine has no NVIDIA driver or no device of that index. libcuda is loaded at run
// time, so that a binary built with CUDA starts on any machine.
void require_device(int device);

// Makes `device` current for the calling thread.
void use(int device);

// The processors local to a device, from its PCI address.
std::vector<int> near_cores(int device);

// An owned handle of type T, destroyed by `Destroy`.
template <typename T, cudaError_t (*Destroy)(T)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) {}
  ~Handle() {
    if (value_ != nullptr) static_cast<void>(Destroy(value_));
  }
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  [[nodiscard]] T get() const { return value_; }

 private:
  T value_ = nullptr;
};

using StreamHandle = Handle<cudaStream_t, cudaStreamDestroy>;
using EventHandle = Handle<cudaEvent_t, cudaEventDestroy>;
using GraphHandle = Handle<cudaGraph_t, cudaGraphDestroy>;
using GraphExecHandle = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;
using DeviceMemory = Handle<void*, cudaFree>;
using PinnedMemory = Handle<void*, cudaFreeHost>;

StreamHandle make_stream();
// Created without timing, which has a cost; waiting blocks instead of spinning.
EventHandle make_event();
DeviceMemory device_memory(size_t bytes);
PinnedMemory pinned_memory(size_t bytes);

}  // namespace harness::cuda
