// What the stand-in's runtime offers to its TensorRT and its kernels; programs under test see CUDA's API only.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace stand_in {

// Prints "cuda_stand_in: [rule] message" with the calling stack and aborts.
[[noreturn]] void violation(const char* rule, const std::string& message);

// While one exists, ThreadSanitizer ignores its thread: a real runtime is not instrumented, and its locks must not
// order the accesses of the program under test.
class Unseen {
 public:
  Unseen();
  ~Unseen();
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
  Unseen(Unseen&&) = delete;
  Unseen& operator=(Unseen&&) = delete;
};

// The reverse, around calls back into the program under test.
class Seen {
 public:
  Seen();
  ~Seen();
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
  Seen(Seen&&) = delete;
  Seen& operator=(Seen&&) = delete;

 private:
  int depth_;
};

// What a piece of work costs: a key of CUDA_STAND_IN_DELAY.
enum class Cost { kNothing, kCopy, kKernel, kEnqueue, kGraph };

// A range that a piece of work reads or writes.
struct Use {
  const void* begin = nullptr;
  size_t bytes = 0;
  bool writes = false;
};

// Queues work on a stream, or records it in the stream's capture. Checks the stream's device, the ranges and their
// order.
cudaError_t launch(cudaStream_t stream, const std::string& what, Cost cost, const std::vector<Use>& uses,
                   std::function<void()> work);

// Where work may access device or page-locked memory; the address itself is no host memory.
void* view(const void* address);

// The calling thread's device, with its context. Aborts where the thread never chose one.
int current_device(const char* call);

// Counts a call; whether CUDA_STAND_IN_FAULT wants this one to fail.
bool injected(const char* call, int device);

// Device memory of the runtime's own, such as weights; nullptr where the device has too little.
void* own_memory(int device, size_t bytes, const char* what);
void free_own_memory(void* memory);

// Bytes of a device allocation from `address` to its end; 0 where it is none.
size_t bytes_from(const void* address);

// Whether a stream is being captured.
bool is_capturing(cudaStream_t stream);
// Makes a stream's capture fail, as work does that cannot be captured.
void invalidate_capture(cudaStream_t stream);

// The device of a stream; aborts where it was destroyed or never was one.
int device_of(cudaStream_t stream, const char* call);

// Whether the host has synchronised with all work that uses `begin` … `begin + bytes`.
bool is_idle(const void* begin, size_t bytes);

// Adds one to a counter of the report.
void count(int device, const char* what);

// Objects that must be gone when the process ends, by kind, such as "execution context".
void born(const char* kind, const void* object, int device);
void gone(const char* kind, const void* object);

}  // namespace stand_in
