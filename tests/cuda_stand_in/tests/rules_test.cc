// Rules of the stand-in that runtime_test.cc, graph_test.cc and tensorrt_test.cc break in another way only: one program
// for each message that no other test has. tests/unit/test_cuda_stand_in.py holds that none is without a test.
#include <cstdlib>
#include <cstring>

#include "../stand_in.h"
#include "engines/row_kernels.h"
#include "gpu.h"

namespace {

constexpr size_t kBytes = 64;

cudaStream_t capturing() {
  const cudaStream_t out = gpu::stream();
  gpu::ok(cudaStreamBeginCapture(out, cudaStreamCaptureModeThreadLocal));
  return out;
}

cudaGraphExec_t executable(cudaGraph_t graph) {
  cudaGraphExec_t out = nullptr;
  gpu::ok(cudaGraphInstantiateWithFlags(&out, graph, 0));
  return out;
}

TEST(Rules, OfCopies) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const std::string pageable(kBytes, '\0');
        char* memory = gpu::memory(kBytes);
        gpu::in(memory, pageable.data(), kBytes, capturing());
      },
      "capture", "of pageable host memory in a capture");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaMemsetAsync(gpu::pinned(kBytes), 0, kBytes, gpu::stream()));
      },
      "ownership", "cudaMemsetAsync of memory that is not on a device");
}

TEST(Rules, OfEventsInCaptures) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaEvent_t event = gpu::event();
        gpu::record(event, capturing());
        gpu::wait(capturing(), event);
      },
      "capture", "waits for an event of another capture");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaEvent_t event = gpu::event();
        const cudaStream_t stream = capturing();
        gpu::record(event, stream);
        cudaGraph_t graph = nullptr;
        gpu::ok(cudaStreamEndCapture(stream, &graph));
        gpu::wait(gpu::stream(), event);
      },
      "capture", "waits for an event of a capture that has ended");
}

TEST(Rules, OfGraphs) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaGraphLaunch(reinterpret_cast<cudaGraphExec_t>(0x1230), gpu::stream()));
      },
      "ownership", "a graph's executable that was never made");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = capturing();
        cudaGraph_t graph = nullptr;
        gpu::ok(cudaStreamEndCapture(stream, &graph));
        gpu::ok(cudaGraphLaunch(executable(graph), capturing()));
      },
      "capture", "a graph is launched in");
}

TEST(Rules, OfKernels) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        static char pageable[kBytes];
        stand_in::launch(gpu::stream(), "a kernel", stand_in::Cost::kKernel, {{pageable, kBytes, true}}, nullptr);
      },
      "ownership", "a kernel writes host memory that is not page-locked");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        auto* rows = reinterpret_cast<uint32_t*>(gpu::pinned(kBytes));
        rows[0] = 4;
        // Four rows of 16 bytes.
        gpu::ok(harness::cuda::gather_rows(gpu::memory(kBytes), 4, rows, 1, 4, gpu::memory(kBytes), stream));
        gpu::sync(stream);
      },
      "bounds", "gather_rows reads row 4 of an array of 64 bytes");
}

constexpr const char* kPlan = R"(cuda-stand-in plan 1
name small
function voxels
weights 4096
scratch 8
tensor in input float32 -1 1 2 2 2
tensor out output float32 -1 3 2 2 2
profile
shape in 1 1 2 2 2 / 2 1 2 2 2 / 2 1 2 2 2
end
)";

class Silent final : public nvinfer1::ILogger {
 public:
  void log(Severity /*severity*/, const char* /*text*/) noexcept override {}
};

// An engine of the current device. Its runtime stays.
nvinfer1::ICudaEngine* engine() {
  static Silent logger;
  return nvinfer1::createInferRuntime(logger)->deserializeCudaEngine(kPlan, std::strlen(kPlan));
}

TEST(Rules, OfTensorRt) {
  using nvinfer1::ExecutionContextAllocationStrategy;
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        auto* context = engine()->createExecutionContext(ExecutionContextAllocationStrategy::kUSER_MANAGED);
        context->setDeviceMemoryV2(gpu::memory(4 * kBytes) + 8, kBytes);
      },
      "alignment", "setDeviceMemoryV2 of memory that is not aligned to 256 bytes");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        static_cast<void>(engine()->createExecutionContext()->setOptimizationProfileAsync(0, capturing()));
      },
      "capture", "setOptimizationProfileAsync on a stream that is captured");
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        const auto* made = engine();
        gpu::use(0);
        delete made;
      },
      "current-device", "an ICudaEngine of device 1 is destroyed while device 0 is current");
}

TEST(Rules, OfWhatIsLeft) {
  const auto ends_with = [](void (*make)()) {
    gpu::use(0);
    make();
    std::exit(0);
  };
  EXPECT_VIOLATION(ends_with([] {
                     static char page[2 * 4096];
                     auto* start = page + 4096 - reinterpret_cast<uintptr_t>(page) % 4096;
                     gpu::ok(cudaHostRegister(start, 4096, cudaHostRegisterDefault));
                   }),
                   "leak", "the process ends with registered memory of 4096 bytes");
  EXPECT_VIOLATION(ends_with([] {
                     const cudaStream_t stream = capturing();
                     cudaGraph_t graph = nullptr;
                     gpu::ok(cudaStreamEndCapture(stream, &graph));
                     gpu::ok(cudaStreamDestroy(stream));
                   }),
                   "leak", "the process ends with a graph of device 0");
  EXPECT_VIOLATION(ends_with([] { static_cast<void>(engine()->createExecutionContext()); }), "leak",
                   "a TensorRT execution context of device 0; a TensorRT runtime");
}

TEST(Rules, OfWhatTheStandInDoesNotHave) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        int value = 0;
        gpu::ok(cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(1), 0));
      },
      "unknown", "attribute 1, which the stand-in does not know");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::sync(cudaStreamPerThread);
      },
      "unknown", "the stand-in has no per-thread default streams");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = capturing();
        cudaGraph_t graph = nullptr;
        gpu::ok(cudaStreamEndCapture(stream, &graph));
        cudaGraphNode_t node = nullptr;
        size_t nodes = 1;
        gpu::ok(cudaGraphGetNodes(graph, &node, &nodes));
      },
      "unknown", "the stand-in only counts a graph's nodes");
}

void begin(const char* variable, const char* value) {
  ::setenv(variable, value, 1);
  gpu::use(0);
}

TEST(Rules, OfTheEnvironment) {
  EXPECT_VIOLATION(begin("CUDA_STAND_IN_JITTER", "some"), "environment", "which is not a number of at least 0");
  EXPECT_VIOLATION(begin("CUDA_STAND_IN_FAULT", "cudaMalloc"), "environment", "which is not call\\[@device\\]:nth");
  EXPECT_VIOLATION(begin("CUDA_STAND_IN_DELAY", "sleep:5"), "environment",
                   "which is not copy, kernel, enqueue or graph");
  EXPECT_VIOLATION(begin("CUDA_STAND_IN_CAPABILITY", "9"), "environment",
                   "CUDA_STAND_IN_CAPABILITY is not of the form 9.0");
}

}  // namespace
