#include "engines/cuda.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "core/error.h"
#include "core/topology.h"

namespace harness::cuda {

namespace {

constexpr const char* kDoctor = "run `make doctor` to check the driver and the GPU's memory";

}  // namespace

void check(cudaError_t code, const char* doing) {
  if (code == cudaSuccess) return;
  throw Error(Status::kFailed, std::string(doing) + " failed", cudaGetErrorString(code), kDoctor);
}

void require_device(int device) {
  // The handle is never closed: the runtime uses the library until the process ends.
  if (::dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* why = ::dlerror();
    throw Error(Status::kMissing, "no NVIDIA driver on this machine", why == nullptr ? "" : why,
                "run on a machine with a GPU, or run here with --backend=openvino");
  }
  int count = 0;
  check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  if (device >= count) {
    throw Error(Status::kMissing, "no such GPU: device " + std::to_string(device),
                "this machine has " + std::to_string(count), "select other GPUs with --devices=…");
  }
}

void use(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
}

std::vector<int> near_cores(int device) {
  std::array<char, 32> address{};
  if (cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), device) != cudaSuccess) return {};
  std::string text = address.data();
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return cores_near_pci(text);
}

StreamHandle make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return StreamHandle(stream);
}

EventHandle make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "cudaEventCreate");
  return EventHandle(event);
}

DeviceMemory device_memory(size_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, std::max<size_t>(bytes, 1)), "cudaMalloc");
  return DeviceMemory(memory);
}

PinnedMemory pinned_memory(size_t bytes) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, std::max<size_t>(bytes, 1), cudaHostAllocDefault), "cudaHostAlloc");
  return PinnedMemory(memory);
}

}  // namespace harness::cuda
