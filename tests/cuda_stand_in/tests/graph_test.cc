// The stand-in's stream capture and graphs.
#include <cstring>
#include <thread>

#include "gpu.h"

namespace {

constexpr size_t kBytes = 64;

cudaGraphExec_t captured(cudaStream_t stream, char* memory, int value) {
  gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  gpu::ok(cudaMemsetAsync(memory, value, kBytes, stream));
  cudaGraph_t graph = nullptr;
  gpu::ok(cudaStreamEndCapture(stream, &graph));
  cudaGraphExec_t exec = nullptr;
  gpu::ok(cudaGraphInstantiateWithFlags(&exec, graph, 0));
  gpu::ok(cudaGraphDestroy(graph));
  return exec;
}

TEST(Graph, RunsWhatWasCapturedWhenItIsLaunched) {
  gpu::use(2);
  const cudaStream_t stream = gpu::stream();
  char* memory = gpu::memory(kBytes);
  char* host = gpu::pinned(kBytes);
  gpu::ok(cudaMemsetAsync(memory, 1, kBytes, stream));
  const cudaGraphExec_t exec = captured(stream, memory, 2);
  gpu::out(host, memory, kBytes, stream);
  gpu::sync(stream);
  EXPECT_EQ(host[0], 1);
  for (int turn = 0; turn < 2; ++turn) {
    gpu::ok(cudaMemsetAsync(memory, 1, kBytes, stream));
    gpu::ok(cudaGraphLaunch(exec, stream));
    gpu::out(host, memory, kBytes, stream);
    gpu::sync(stream);
    EXPECT_EQ(host[kBytes - 1], 2);
  }
  gpu::ok(cudaGraphExecDestroy(exec));
  gpu::ok(cudaFree(memory));
  gpu::ok(cudaFreeHost(host));
  gpu::ok(cudaStreamDestroy(stream));
}

TEST(Graph, TakesDeviceMemory) {
  gpu::use(0);
  const cudaStream_t stream = gpu::stream();
  char* memory = gpu::memory(kBytes);
  size_t before = 0;
  size_t after = 0;
  size_t total = 0;
  gpu::ok(cudaMemGetInfo(&before, &total));
  const cudaGraphExec_t exec = captured(stream, memory, 2);
  gpu::ok(cudaMemGetInfo(&after, &total));
  EXPECT_EQ(before - after, size_t{2} << 20);
  gpu::ok(cudaGraphExecDestroy(exec));
  gpu::ok(cudaMemGetInfo(&after, &total));
  EXPECT_EQ(before, after);
  gpu::ok(cudaFree(memory));
  gpu::ok(cudaStreamDestroy(stream));
}

TEST(Graph, StreamsJoinThroughEvents) {
  gpu::use(0);
  const cudaStream_t origin = gpu::stream();
  const cudaStream_t other = gpu::stream();
  const cudaEvent_t fork = gpu::event();
  const cudaEvent_t joined = gpu::event();
  char* memory = gpu::memory(kBytes);
  gpu::ok(cudaStreamBeginCapture(origin, cudaStreamCaptureModeThreadLocal));
  gpu::ok(cudaMemsetAsync(memory, 1, kBytes, origin));
  gpu::record(fork, origin);
  gpu::wait(other, fork);
  gpu::ok(cudaMemsetAsync(memory, 2, kBytes, other));
  gpu::record(joined, other);
  gpu::wait(origin, joined);
  gpu::ok(cudaMemsetAsync(memory, 3, kBytes, origin));
  cudaGraph_t graph = nullptr;
  gpu::ok(cudaStreamEndCapture(origin, &graph));
  size_t nodes = 0;
  gpu::ok(cudaGraphGetNodes(graph, nullptr, &nodes));
  EXPECT_EQ(nodes, 3);
  gpu::ok(cudaGraphDestroy(graph));
  for (const cudaEvent_t event : {fork, joined}) gpu::ok(cudaEventDestroy(event));
  for (const cudaStream_t stream : {origin, other}) gpu::ok(cudaStreamDestroy(stream));
  gpu::ok(cudaFree(memory));
}

// Each begins a capture on device 0 and then does what `breaks` does.
void while_capturing(void (*breaks)(cudaStream_t), cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
  gpu::use(0);
  const cudaStream_t stream = gpu::stream();
  gpu::ok(cudaStreamBeginCapture(stream, mode));
  breaks(stream);
}

TEST(Capture, ForbidsCallsThatAreNotOrderedByStreams) {
  EXPECT_VIOLATION(while_capturing([](cudaStream_t) { gpu::memory(1); }), "capture", "cudaMalloc is called while this");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t) { gpu::pinned(1); }), "capture", "cudaHostAlloc");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t stream) { gpu::sync(stream); }), "capture", "cudaStreamSynchronize");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t) { gpu::ok(cudaDeviceSynchronize()); }), "capture",
                   "cudaDeviceSynchronize");
}

TEST(Capture, OfGlobalModeForbidsThemToAllThreads) {
  const auto elsewhere = [](cudaStream_t) {
    std::thread([] {
      gpu::use(1);
      gpu::ok(cudaFree(gpu::memory(1)));
    }).join();
  };
  EXPECT_VIOLATION(while_capturing(elsewhere, cudaStreamCaptureModeGlobal), "capture", "another thread captures");
  EXPECT_CLEAN({
    gpu::use(0);
    const cudaStream_t stream = gpu::stream();
    gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    elsewhere(stream);
    cudaGraph_t graph = nullptr;
    gpu::ok(cudaStreamEndCapture(stream, &graph));
    gpu::ok(cudaGraphDestroy(graph));
    gpu::ok(cudaStreamDestroy(stream));
  });
}

TEST(Capture, KeepsToItself) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaEvent_t event = gpu::event();
        gpu::record(event, gpu::stream());
        const cudaStream_t stream = gpu::stream();
        gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        gpu::wait(stream, event);
      },
      "capture", "recorded outside the capture");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t stream) {
                     const cudaEvent_t event = gpu::event();
                     gpu::record(event, stream);
                     gpu::ok(cudaEventQuery(event));
                   }),
                   "capture", "an event that was recorded in a capture");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t stream) {
                     gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
                   }),
                   "capture", "already captured");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t stream) { gpu::ok(cudaStreamDestroy(stream)); }), "capture",
                   "destroyed while it is captured");
}

TEST(Capture, EndsWhereItBegan) {
  EXPECT_VIOLATION(while_capturing([](cudaStream_t) {
                     cudaGraph_t graph = nullptr;
                     gpu::ok(cudaStreamEndCapture(gpu::stream(), &graph));
                   }),
                   "capture", "did not begin a capture");
  EXPECT_VIOLATION(while_capturing([](cudaStream_t stream) {
                     std::thread([stream] {
                       gpu::use(0);
                       cudaGraph_t graph = nullptr;
                       gpu::ok(cudaStreamEndCapture(stream, &graph));
                     }).join();
                   }),
                   "capture", "ended by another thread");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(kBytes);
        const cudaStream_t stream = gpu::stream();
        const cudaStream_t other = gpu::stream();
        const cudaEvent_t event = gpu::event();
        gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        gpu::record(event, stream);
        gpu::wait(other, event);
        gpu::ok(cudaMemsetAsync(memory, 1, kBytes, other));
        cudaGraph_t graph = nullptr;
        gpu::ok(cudaStreamEndCapture(stream, &graph));
      },
      "capture", "before it waited for stream");
}

TEST(Capture, OrdersTheStreamsInIt) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(kBytes);
        const cudaStream_t stream = gpu::stream();
        const cudaStream_t other = gpu::stream();
        const cudaEvent_t event = gpu::event();
        gpu::ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        gpu::record(event, stream);
        gpu::wait(other, event);
        gpu::ok(cudaMemsetAsync(memory, 1, kBytes, stream));
        gpu::ok(cudaMemsetAsync(memory, 2, kBytes, other));
      },
      "order", "no event and no synchronisation orders the two");
}

TEST(Graph, NeedsItsMemory) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        char* memory = gpu::memory(kBytes);
        const cudaGraphExec_t exec = captured(stream, memory, 1);
        gpu::ok(cudaFree(memory));
        gpu::ok(cudaGraphLaunch(exec, stream));
      },
      "use-after-free", "cudaGraphLaunch: cudaMemsetAsync writes device memory .* freed after the capture");
}

TEST(Graph, IsOrderedLikeItsWork) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(kBytes);
        const cudaGraphExec_t exec = captured(gpu::stream(), memory, 1);
        gpu::ok(cudaGraphLaunch(exec, gpu::stream()));
        gpu::ok(cudaGraphLaunch(exec, gpu::stream()));
      },
      "order", "a graph on stream");
}

TEST(Graph, BelongsToItsDevice) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaGraphExec_t exec = captured(gpu::stream(), gpu::memory(kBytes), 1);
        gpu::use(1);
        gpu::ok(cudaGraphLaunch(exec, gpu::stream()));
      },
      "current-device", "cudaGraphLaunch of a graph's executable of device 0");
}

TEST(Graph, IsNotUsedOnceDestroyed) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        const cudaGraphExec_t exec = captured(stream, gpu::memory(kBytes), 1);
        gpu::ok(cudaGraphExecDestroy(exec));
        gpu::ok(cudaGraphLaunch(exec, stream));
      },
      "use-after-free", "a graph's executable that was destroyed");
}

TEST(Graph, LeaksAreFound) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        char* memory = gpu::memory(kBytes);
        static_cast<void>(captured(stream, memory, 1));
        gpu::ok(cudaFree(memory));
        gpu::ok(cudaStreamDestroy(stream));
        std::exit(0);
      },
      "leak", "a graph's executable of device 0");
}

}  // namespace
