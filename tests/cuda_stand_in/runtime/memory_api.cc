// cudaMalloc and its kin.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "state.h"

namespace stand_in {

namespace {

// Whether all of a range of host memory may be written, by /proc/self/maps.
bool is_writable(const void* begin, size_t bytes) {
  auto at = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t end = at + bytes;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; at < end && std::getline(maps, line);) {
    unsigned long from = 0;
    unsigned long to = 0;
    char mode[8] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s", &from, &to, mode) != 3 || to <= at) continue;
    if (from > at || mode[1] != 'w') return false;
    at = to;
  }
  return at >= end;
}

cudaError_t host_alloc(const char* name, void** out, size_t bytes) {
  Call call(name);
  if (!call.ready()) return call.error();
  refuse_in_capture(name);
  if (out == nullptr) return call.end(cudaErrorInvalidValue);
  *out = allocate(call.device(), Memory::kPinned, bytes, name)->base;
  return cudaSuccess;
}

// The whole allocation that starts at `address`; aborts where there is none of this kind.
Allocation& to_free(const char* call, const void* address, Memory kind) {
  Allocation* found = find(address);
  if (found == nullptr || found->base != address || found->kind != kind || found->own) {
    violation("ownership", std::string(call) + " of an address that it did not give out" +
                               (found == nullptr ? std::string() : ": it is in " + describe(*found)));
  }
  if (!found->alive) violation("use-after-free", std::string(call) + ": " + describe(*found) + " is freed twice");
  return *found;
}

}  // namespace

}  // namespace stand_in

using stand_in::Allocation;
using stand_in::Call;
using stand_in::Memory;

extern "C" {

cudaError_t cudaMalloc(void** devPtr, size_t size) {
  Call call("cudaMalloc");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  if (devPtr == nullptr) return call.end(cudaErrorInvalidValue);
  *devPtr = nullptr;
  if (size == 0) return cudaSuccess;
  Allocation* made = stand_in::allocate(call.device(), Memory::kDevice, size, "cudaMalloc");
  if (made == nullptr) return call.end(cudaErrorMemoryAllocation);
  *devPtr = made->base;
  return cudaSuccess;
}

cudaError_t cudaFree(void* devPtr) {
  Call call("cudaFree");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  if (devPtr == nullptr) return cudaSuccess;
  Allocation& memory = stand_in::to_free(call.name(), devPtr, Memory::kDevice);
  if (memory.device != call.device().index) {
    stand_in::violation("current-device", std::string("cudaFree of ") + describe(memory) + " while device " +
                                              std::to_string(call.device().index) + " is current");
  }
  stand_in::release(call.name(), memory);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** pHost, size_t size, unsigned int /*flags*/) {
  return stand_in::host_alloc("cudaHostAlloc", pHost, size);
}

cudaError_t cudaMallocHost(void** ptr, size_t size) {
  return stand_in::host_alloc("cudaMallocHost", ptr, size);
}

cudaError_t cudaFreeHost(void* ptr) {
  Call call("cudaFreeHost");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  if (ptr == nullptr) return cudaSuccess;
  stand_in::release(call.name(), stand_in::to_free(call.name(), ptr, Memory::kPinned));
  return cudaSuccess;
}

cudaError_t cudaHostRegister(void* ptr, size_t size, unsigned int flags) {
  Call call("cudaHostRegister");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  if (ptr == nullptr || size == 0) return call.end(cudaErrorInvalidValue);
  if ((flags & cudaHostRegisterReadOnly) == 0 && !stand_in::is_writable(ptr, size)) {
    return call.end(cudaErrorInvalidValue);
  }
  if (stand_in::find(ptr) != nullptr || stand_in::find(static_cast<char*>(ptr) + size - 1) != nullptr) {
    return call.end(cudaErrorHostMemoryAlreadyRegistered);
  }
  auto made = std::make_unique<Allocation>();
  made->kind = Memory::kRegistered;
  made->device = call.device().index;
  made->base = made->view = static_cast<char*>(ptr);
  made->bytes = made->mapped = size;
  made->what = "cudaHostRegister";
  stand_in::state().memory[reinterpret_cast<uintptr_t>(ptr)] = std::move(made);
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* ptr) {
  Call call("cudaHostUnregister");
  if (!call.ready()) return call.error();
  stand_in::refuse_in_capture(call.name());
  Allocation* found = stand_in::find(ptr);
  if (found == nullptr || found->kind != Memory::kRegistered || found->base != ptr) {
    return call.end(cudaErrorHostMemoryNotRegistered);
  }
  stand_in::release(call.name(), *found);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  Call call("cudaMemGetInfo");
  if (!call.ready()) return call.error();
  *free = call.device().total - call.device().used;
  *total = call.device().total;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes* attributes, const void* ptr) {
  Call call("cudaPointerGetAttributes", Call::kNothing);
  if (!call.ready()) return call.error();
  *attributes = cudaPointerAttributes{};
  const Allocation* found = stand_in::find(ptr);
  attributes->device = -1;
  if (found == nullptr || !found->alive) return cudaSuccess;
  attributes->type = found->kind == Memory::kDevice ? cudaMemoryTypeDevice : cudaMemoryTypeHost;
  attributes->device = found->device;
  attributes->devicePointer = const_cast<void*>(ptr);
  attributes->hostPointer = found->kind == Memory::kDevice ? nullptr : const_cast<void*>(ptr);
  return cudaSuccess;
}
}
