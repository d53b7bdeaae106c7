// Thin wrapper of the CUDA runtime: every call checked, every handle owned. Needs CUDA 11.8 or later.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace harness::cuda {

// Throws Error (kFailed) with CUDA's message unless `code` is success. `doing` names the call.
void check(cudaError_t code, const char* doing);

// Throws Error (kMissing) when this machine has no NVIDIA driver or no device of that index. libcuda is loaded at run
// time, so that a binary built with CUDA starts on any machine.
void require_device(int device);

// A device as CUDA describes it; no context is made for it.
struct Facts {
  std::string name;
  std::string uuid;  // "GPU-…", as NVML writes it
  std::string pci;   // "0000:3b:00.0"
  int major = 0;     // compute capability
  int minor = 0;
};

Facts facts_of(int device);

// Prints where the device is. Throws Error (kFailed) for another device than the chosen one: CUDA numbers devices in
// the order of CUDA_VISIBLE_DEVICES, NVML in its own.
//   name, pci: of run.json; a name that is no UUID of a whole GPU does not tell which GPU it is, and "" no address.
void require_chosen(int device, const Facts& facts, const std::string& name, const std::string& pci);

// Makes `device` current for the calling thread.
void use(int device);

// The processors local to a device that this process may use, from its PCI address.
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

// Host memory that is page-locked for all devices of the process, where the driver allows it.
class Locked {
 public:
  // The range, locked once however many ask; nullptr where it cannot be, which is printed once. Thread-safe.
  static std::shared_ptr<Locked> of(const void* data, size_t bytes);
  ~Locked();
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  Locked(Locked&&) = delete;
  Locked& operator=(Locked&&) = delete;

 private:
  explicit Locked(void* data) : data_(data) {}
  void* data_;
};

StreamHandle make_stream();
// An event of one stream's work that another waits for. Without timing, which has a cost.
EventHandle make_event();
// An event whose time is taken, and for which the host waits: asleep, or with `spins` on its core, which wakes sooner.
EventHandle make_timed_event(bool spins);
DeviceMemory device_memory(size_t bytes);
PinnedMemory pinned_memory(size_t bytes);

}  // namespace harness::cuda
