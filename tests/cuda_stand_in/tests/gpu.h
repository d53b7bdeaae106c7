// Short names for tests of the stand-in.
#pragma once

#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

// A statement that must abort in a process of its own, with a message of this rule and these words.
#define EXPECT_VIOLATION(statement, rule, words) \
  EXPECT_EXIT(statement, ::testing::KilledBySignal(SIGABRT), "cuda_stand_in: \\[" rule "\\] .*" words)

// A program that must end well.
#define EXPECT_CLEAN(statement)                           \
  EXPECT_EXIT(                                            \
      {                                                   \
        statement;                                        \
        std::exit(::testing::Test::HasFailure() ? 1 : 0); \
      },                                                  \
      ::testing::ExitedWithCode(0), "")

namespace gpu {

inline void ok(cudaError_t code) {
  if (code == cudaSuccess) return;
  ADD_FAILURE() << cudaGetErrorString(code);
}

inline void use(int device) {
  ok(cudaSetDevice(device));
}

inline cudaStream_t stream() {
  cudaStream_t out = nullptr;
  ok(cudaStreamCreateWithFlags(&out, cudaStreamNonBlocking));
  return out;
}

inline cudaEvent_t event(unsigned flags = cudaEventDisableTiming) {
  cudaEvent_t out = nullptr;
  ok(cudaEventCreateWithFlags(&out, flags));
  return out;
}

inline char* memory(size_t bytes) {
  void* out = nullptr;
  ok(cudaMalloc(&out, bytes));
  return static_cast<char*>(out);
}

inline char* pinned(size_t bytes) {
  void* out = nullptr;
  ok(cudaHostAlloc(&out, bytes, cudaHostAllocDefault));
  return static_cast<char*>(out);
}

inline void in(void* to, const void* from, size_t bytes, cudaStream_t on) {
  ok(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, on));
}

inline void out(void* to, const void* from, size_t bytes, cudaStream_t on) {
  ok(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, on));
}

inline void record(cudaEvent_t event, cudaStream_t on) {
  ok(cudaEventRecord(event, on));
}

inline void wait(cudaStream_t on, cudaEvent_t event) {
  ok(cudaStreamWaitEvent(on, event, 0));
}

inline void sync(cudaStream_t on) {
  ok(cudaStreamSynchronize(on));
}

}  // namespace gpu
