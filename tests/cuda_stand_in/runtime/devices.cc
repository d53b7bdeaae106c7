// Devices: choosing, describing, synchronising.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "state.h"
#include "threads.h"

namespace stand_in {

namespace {

thread_local int chosen = -1;
thread_local bool callback = false;

bool is_device(int device) {
  return device >= 0 && static_cast<size_t>(device) < state().devices.size();
}

// Needs the lock.
void open_context(const char* call, Device& device) {
  const std::set<int>& allowed = state().config.allowed;
  if (!allowed.empty() && allowed.count(device.index) == 0) {
    violation("unchosen-device", std::string(call) + " would make a context on device " + std::to_string(device.index) +
                                     ", which is not one of CUDA_STAND_IN_ALLOWED");
  }
  if (device.chosen) return;
  device.chosen = true;
  device.legacy = &make_stream(device, false, true);
}

}  // namespace

int chosen_device() {
  return chosen;
}

void choose_device(int device) {
  chosen = device;
}

bool in_callback() {
  return callback;
}

void set_in_callback(bool inside) {
  callback = inside;
}

}  // namespace stand_in

using stand_in::Call;
using stand_in::Device;
using stand_in::State;
using stand_in::state;

extern "C" {

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  Call call("cudaGetDeviceCount", Call::kNothing);
  if (!call.ready()) return call.error();
  *count = static_cast<int>(state().devices.size());
  return call.end(*count == 0 ? cudaErrorNoDevice : cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  Call call("cudaSetDevice", Call::kNothing);
  if (!call.ready()) return call.error();
  if (!stand_in::is_device(device)) return call.end(cudaErrorInvalidDevice);
  stand_in::open_context("cudaSetDevice", state().devices[static_cast<size_t>(device)]);
  stand_in::choose_device(device);
  return cudaSuccess;
}

cudaError_t cudaInitDevice(int device, unsigned int deviceFlags, unsigned int flags) {
  Call call("cudaInitDevice", Call::kNothing);
  if (!call.ready()) return call.error();
  if (!stand_in::is_device(device)) return call.end(cudaErrorInvalidDevice);
  Device& own = state().devices[static_cast<size_t>(device)];
  stand_in::open_context("cudaInitDevice", own);
  if ((flags & cudaInitDeviceFlagsAreValid) != 0) own.flags = deviceFlags;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  Call call("cudaGetDevice", Call::kNothing);
  if (!call.ready()) return call.error();
  *device = std::max(stand_in::chosen_device(), 0);
  return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned int flags) {
  Call call("cudaSetDeviceFlags");
  if (!call.ready()) return call.error();
  const unsigned schedule = flags & cudaDeviceScheduleMask;
  if (schedule == 3 || schedule > cudaDeviceScheduleBlockingSync) return call.end(cudaErrorInvalidValue);
  call.device().flags = flags;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceFlags(unsigned int* flags) {
  Call call("cudaGetDeviceFlags");
  if (!call.ready()) return call.error();
  *flags = call.device().flags;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* pciBusId, int len, int device) {
  Call call("cudaDeviceGetPCIBusId", Call::kNothing);
  if (!call.ready()) return call.error();
  if (!stand_in::is_device(device)) return call.end(cudaErrorInvalidDevice);
  const std::string& pci = state().devices[static_cast<size_t>(device)].pci;
  if (pciBusId == nullptr || len <= static_cast<int>(pci.size())) return call.end(cudaErrorInvalidValue);
  std::strcpy(pciBusId, pci.c_str());
  return cudaSuccess;
}

cudaError_t cudaDeviceGetByPCIBusId(int* device, const char* pciBusId) {
  Call call("cudaDeviceGetByPCIBusId", Call::kNothing);
  if (!call.ready()) return call.error();
  for (const Device& each : state().devices) {
    if (each.pci != pciBusId) continue;
    *device = each.index;
    return cudaSuccess;
  }
  return call.end(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceGetAttribute(int* value, enum cudaDeviceAttr attr, int device) {
  Call call("cudaDeviceGetAttribute", Call::kNothing);
  if (!call.ready()) return call.error();
  if (!stand_in::is_device(device)) return call.end(cudaErrorInvalidDevice);
  const std::string& pci = state().devices[static_cast<size_t>(device)].pci;
  switch (attr) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = state().config.major;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = state().config.minor;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = 8;
      return cudaSuccess;
    case cudaDevAttrPciBusId:
      *value = std::stoi(pci.substr(5, 2), nullptr, 16);
      return cudaSuccess;
    case cudaDevAttrPciDeviceId:
    case cudaDevAttrPciDomainId:
    case cudaDevAttrIntegrated:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrHostRegisterReadOnlySupported:
      *value = 1;
      return cudaSuccess;
    default:
      stand_in::violation("unknown", "cudaDeviceGetAttribute of attribute " + std::to_string(attr) +
                                         ", which the stand-in does not know");
  }
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp* prop, int device) {
  Call call("cudaGetDeviceProperties", Call::kNothing);
  if (!call.ready()) return call.error();
  if (!stand_in::is_device(device)) return call.end(cudaErrorInvalidDevice);
  const Device& own = state().devices[static_cast<size_t>(device)];
  *prop = cudaDeviceProp{};
  std::snprintf(prop->name, sizeof prop->name, "%s", state().config.name.c_str());
  size_t digit = 0;
  for (const char c : own.uuid.substr(4)) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    char& byte = prop->uuid.bytes[digit / 2];
    byte = static_cast<char>(digit % 2 == 0 ? value << 4 : static_cast<unsigned char>(byte) | value);
    ++digit;
  }
  prop->totalGlobalMem = own.total;
  prop->major = state().config.major;
  prop->minor = state().config.minor;
  prop->multiProcessorCount = 8;
  prop->pciBusID = std::stoi(own.pci.substr(5, 2), nullptr, 16);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  Call call("cudaDeviceSynchronize");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  for (size_t i = 0; i < state().streams.size(); ++i) {
    stand_in::Stream& stream = *state().streams[i];
    if (stream.device == call.device().index) stand_in::wait_for(call, stream);
  }
  return call.end(call.device().sticky);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
  Call call("cudaDeviceGetStreamPriorityRange");
  if (!call.ready()) return call.error();
  *leastPriority = 0;
  *greatestPriority = -5;
  return cudaSuccess;
}
}
