// The stand-in's CUDA runtime: memory of the host while copies use it, and the order of streams.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "gpu.h"

namespace {

TEST(HostAccess, DeviceMemoryIsNotAddressable) {
  EXPECT_VIOLATION(
      {
        ::setenv("CUDA_STAND_IN_DELAY", "copy:500000", 1);  // still under way, however slow the machine
        gpu::use(0);
        *gpu::memory(8) = 1;
      },
      "host-access", "the host writes device memory .* which it cannot address");
}

TEST(HostAccess, ReadBeforeTheCopyIsKnownToBeDone) {
  EXPECT_VIOLATION(
      {
        ::setenv("CUDA_STAND_IN_DELAY", "copy:500000", 1);  // still under way, however slow the machine
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        char* host = gpu::pinned(8);
        gpu::out(host, gpu::memory(8), 8, stream);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // done by now, but nobody asked
        std::exit(*host);
      },
      "host-access",
      "the host reads page-locked memory .* while cudaMemcpyAsync on stream .* uses it: synchronise first");
}

TEST(HostAccess, WriteWhileACopyReads) {
  EXPECT_VIOLATION(
      {
        ::setenv("CUDA_STAND_IN_DELAY", "copy:500000", 1);  // still under way, however slow the machine
        gpu::use(0);
        char* host = gpu::pinned(8);
        gpu::in(gpu::memory(8), host, 8, gpu::stream());
        *host = 1;
      },
      "host-access", "the host writes page-locked memory");
}

TEST(HostAccess, ReadWhileACopyReadsIsFine) {
  gpu::use(0);
  const cudaStream_t stream = gpu::stream();
  char* host = gpu::pinned(8);
  char* device = gpu::memory(8);
  *host = 3;
  gpu::in(device, host, 8, stream);
  EXPECT_EQ(*host, 3);
  gpu::sync(stream);
  gpu::ok(cudaFree(device));
  gpu::ok(cudaFreeHost(host));
  gpu::ok(cudaStreamDestroy(stream));
}

TEST(Order, TwoStreamsWithoutAnEvent) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(8);
        gpu::ok(cudaMemsetAsync(memory, 0, 8, gpu::stream()));
        gpu::ok(cudaMemsetAsync(memory, 1, 8, gpu::stream()));
      },
      "order", "no event and no synchronisation orders the two");
}

TEST(Order, AnEventRecordedTooEarly) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t first = gpu::stream();
        const cudaStream_t second = gpu::stream();
        const cudaEvent_t event = gpu::event();
        char* memory = gpu::memory(8);
        gpu::record(event, first);
        gpu::ok(cudaMemsetAsync(memory, 0, 8, first));
        gpu::wait(second, event);
        gpu::ok(cudaMemsetAsync(memory, 1, 8, second));
      },
      "order", "no event and no synchronisation");
}

TEST(Order, ACopyOfPageableMemoryIsNotDoneWhenItReturns) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(8);
        const char host[8] = {};
        gpu::ok(cudaMemcpy(memory, host, 8, cudaMemcpyHostToDevice));
        gpu::ok(cudaMemsetAsync(memory, 1, 8, gpu::stream()));
      },
      "order", "which cudaMemcpy on the legacy stream of device 0 writes");
}

TEST(Order, BlockingStreamsFollowTheLegacyStream) {
  gpu::use(0);
  cudaStream_t blocking = nullptr;
  gpu::ok(cudaStreamCreate(&blocking));
  char* memory = gpu::memory(8);
  const char host[8] = {};
  gpu::ok(cudaMemcpy(memory, host, 8, cudaMemcpyHostToDevice));
  gpu::ok(cudaMemsetAsync(memory, 1, 8, blocking));
  char back[8];
  gpu::ok(cudaMemcpy(back, memory, 8, cudaMemcpyDeviceToHost));
  EXPECT_EQ(back[0], 1);
  gpu::ok(cudaFree(memory));
  gpu::ok(cudaStreamDestroy(blocking));
}

TEST(Order, AnEventThatWasNeverRecorded) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::wait(gpu::stream(), gpu::event());
      },
      "order", "never recorded");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaEventSynchronize(gpu::event()));
      },
      "order", "never recorded");
}

TEST(Order, MemoryFreedWhileItIsUsed) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(8);
        gpu::ok(cudaMemsetAsync(memory, 0, 8, gpu::stream()));
        gpu::ok(cudaFree(memory));
      },
      "order", "is freed while cudaMemsetAsync on stream .* may still use it");
}

}  // namespace
