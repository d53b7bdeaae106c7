#include "engines/cuda.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

#include "core/error.h"
#include "core/topology.h"

namespace harness::cuda {

namespace {

constexpr const char* kDoctor = "run `make doctor` to check the driver and the GPU's memory";
constexpr const char* kWholeGpu =
    "GPU-";  // how the UUID of a whole GPU begins; CUDA and NVML name MIG slices differently

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "0000:3b:00.0" of NVML's "00000000:3B:00.0".
std::string short_address(const std::string& address) {
  const size_t domain = address.find(':');
  const bool is_long = domain != std::string::npos && domain > 4;
  return lower(is_long ? address.substr(domain - 4) : address);
}

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

Facts facts_of(int device) {
  cudaDeviceProp found{};
  check(cudaGetDeviceProperties(&found, device), "cudaGetDeviceProperties");
  std::array<char, 32> address{};
  check(cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), device), "cudaDeviceGetPCIBusId");
  Facts out;
  out.name = found.name;
  out.uuid = "GPU-";
  for (size_t i = 0; i < sizeof found.uuid.bytes; ++i) {
    const auto byte = static_cast<unsigned char>(found.uuid.bytes[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) out.uuid += '-';
    out.uuid += "0123456789abcdef"[byte >> 4];
    out.uuid += "0123456789abcdef"[byte & 15];
  }
  out.pci = lower(address.data());
  out.major = found.major;
  out.minor = found.minor;
  return out;
}

void require_chosen(int device, const Facts& facts, const std::string& name, const std::string& pci) {
  std::cout << "device " + std::to_string(device) + ": " + facts.name + ", " + facts.uuid + ", PCI " + facts.pci +
                   ", compute capability " + std::to_string(facts.major) + "." + std::to_string(facts.minor) + "\n"
            << std::flush;
  const bool other_uuid = name.rfind(kWholeGpu, 0) == 0 && lower(name) != lower(facts.uuid);
  const bool other_place = !pci.empty() && short_address(pci) != short_address(facts.pci);
  if (!other_uuid && !other_place) return;
  throw Error(
      Status::kFailed,
      "device " + std::to_string(device) + " of this process is not " + name + (pci.empty() ? "" : " at " + pci),
      "it is " + facts.uuid + " (" + facts.name + ", " + facts.pci + ")",
      "CUDA_VISIBLE_DEVICES must list the devices of run.json in their order; run through `make run_harness`");
}

std::vector<int> near_cores(int device) {
  std::array<char, 32> address{};
  if (cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), device) != cudaSuccess) return {};
  return usable_of(cores_near_pci(lower(address.data())));
}

std::shared_ptr<Locked> Locked::of(const void* data, size_t bytes) {
  static std::mutex mutex;
  static std::map<const void*, std::weak_ptr<Locked>> known;
  static bool refused = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (auto found = known[data].lock()) return found;
  if (refused) return nullptr;
  int device = 0;
  int read_only = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  static_cast<void>(cudaDeviceGetAttribute(&read_only, cudaDevAttrHostRegisterReadOnlySupported, device));
  const unsigned flags = cudaHostRegisterPortable | (read_only != 0 ? cudaHostRegisterReadOnly : 0U);
  // CUDA does not write to it; mapped files of a data set are read-only.
  void* memory = const_cast<void*>(data);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const cudaError_t code = cudaHostRegister(memory, bytes, flags);
  if (code != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    refused = true;
    std::cout << std::string("volumes are not page-locked, so that copies take longer: ") + cudaGetErrorString(code) +
                     "\n"
              << std::flush;
    return nullptr;
  }
  std::shared_ptr<Locked> out(new Locked(memory));  // the constructor is private
  known[data] = out;
  return out;
}

Locked::~Locked() {
  static_cast<void>(cudaHostUnregister(data_));
}

StreamHandle make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return StreamHandle(stream);
}

EventHandle make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  return EventHandle(event);
}

EventHandle make_timed_event(bool spins) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, spins ? cudaEventDefault : cudaEventBlockingSync), "cudaEventCreate");
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
