// The stand-in's TensorRT: a correct program's results, and each rule.
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gpu.h"
#include "loaded.h"

namespace {

TEST(TensorRt, ComputesItsFunctionInEveryProfile) {
  Loaded loaded(1);
  for (const auto& [count, profile] : std::vector<std::pair<int64_t, int>>{{2, 0}, {7, 1}, {1, 0}}) {
    std::vector<float> host(static_cast<size_t>(count) * 8);
    for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(i) / 8;
    gpu::in(loaded.in, host.data(), host.size() * sizeof(float), loaded.stream);
    loaded.ask(count, profile);
    EXPECT_EQ(loaded.context->getTensorShape("out").d[0], count);
    EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream)) << loaded.logger.last();
    EXPECT_EQ(loaded.answer(count), expected(host));
  }
}

TEST(TensorRt, GraphsGiveTheSame) {
  Loaded loaded(0);
  const std::vector<float> host(16, 0.5F);
  gpu::in(loaded.in, host.data(), 16 * sizeof(float), loaded.stream);
  loaded.ask(2, 0);
  EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
  gpu::ok(cudaStreamBeginCapture(loaded.stream, cudaStreamCaptureModeThreadLocal));
  EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  gpu::ok(cudaStreamEndCapture(loaded.stream, &graph));
  gpu::ok(cudaGraphInstantiateWithFlags(&exec, graph, 0));
  gpu::ok(cudaMemsetAsync(loaded.out, 0, 16, loaded.stream));
  gpu::ok(cudaGraphLaunch(exec, loaded.stream));
  EXPECT_EQ(loaded.answer(2), expected(host));
  gpu::ok(cudaGraphExecDestroy(exec));
  gpu::ok(cudaGraphDestroy(graph));
}

TEST(TensorRt, ContextsShareMemoryOfTheUser) {
  Loaded loaded(0, ExecutionContextAllocationStrategy::kUSER_MANAGED);
  const std::unique_ptr<nvinfer1::IExecutionContext> other(
      loaded.engine->createExecutionContext(ExecutionContextAllocationStrategy::kUSER_MANAGED));
  EXPECT_TRUE(other->setOptimizationProfileAsync(1, loaded.stream));
  const int64_t bytes = loaded.engine->getDeviceMemorySizeV2();
  EXPECT_EQ(bytes, loaded.engine->getDeviceMemorySizeForProfileV2(1));
  EXPECT_LT(loaded.engine->getDeviceMemorySizeForProfileV2(0), bytes);
  loaded.ask(2, 0);
  EXPECT_FALSE(loaded.context->enqueueV3(loaded.stream));
  EXPECT_NE(loaded.logger.last().find("bytes of device memory, but has 0"), std::string::npos);
  char* scratch = gpu::memory(static_cast<size_t>(bytes));
  for (auto* context : {loaded.context.get(), other.get()}) {
    context->setDeviceMemoryV2(scratch, bytes);
    EXPECT_TRUE(context->setInputShape("in", windows(2)));
    EXPECT_TRUE(context->setTensorAddress("in", loaded.in));
    EXPECT_TRUE(context->setTensorAddress("out", loaded.out));
    EXPECT_TRUE(context->enqueueV3(loaded.stream));
  }
  gpu::sync(loaded.stream);
  gpu::ok(cudaFree(scratch));
}

TEST(TensorRt, RefusesWhatTheApiRefuses) {
  Loaded loaded(0);
  EXPECT_FALSE(loaded.context->enqueueV3(loaded.stream));
  EXPECT_NE(loaded.logger.last().find("the shape of 'in'"), std::string::npos);
  EXPECT_FALSE(loaded.context->setInputShape("in", windows(3)));
  EXPECT_NE(loaded.logger.last().find("3x1x2x2x2 is not in profile 0"), std::string::npos);
  EXPECT_FALSE(loaded.context->setInputShape("out", windows(1)));
  EXPECT_FALSE(loaded.context->setTensorAddress("other", nullptr));
  EXPECT_FALSE(loaded.context->setTensorAddress("in", loaded.in + 4));
  EXPECT_FALSE(loaded.context->setOptimizationProfileAsync(2, loaded.stream));
  EXPECT_TRUE(loaded.context->setInputShape("in", windows(1)));
  EXPECT_TRUE(loaded.context->setTensorAddress("in", nullptr));
  EXPECT_FALSE(loaded.context->enqueueV3(loaded.stream));
}

TEST(TensorRt, RefusesDamagedPlans) {
  gpu::use(0);
  Logger logger;
  const std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
  EXPECT_EQ(runtime->deserializeCudaEngine(kPlan, std::strlen(kPlan) / 2), nullptr);
  EXPECT_EQ(runtime->deserializeCudaEngine("ftrt", 4), nullptr);
  EXPECT_NE(logger.last().find("no plan of the stand-in"), std::string::npos);
  const std::string other = std::string("cuda-stand-in plan 1\ncapability 8.0\n") + std::strchr(kPlan, '\n');
  EXPECT_EQ(runtime->deserializeCudaEngine(other.data(), other.size()), nullptr);
  EXPECT_NE(logger.last().find("the plan is for compute capability 8.0"), std::string::npos);
  EXPECT_EQ(runtime->getPluginRegistry().loadLibrary("/nowhere/libplugin.so"), nullptr);
  EXPECT_NE(logger.last().find("/nowhere/libplugin.so"), std::string::npos);
}

TEST(TensorRt, ACaptureMayFail) {
  EXPECT_CLEAN({
    ::setenv("CUDA_STAND_IN_FAULT", "capture:1", 1);
    Loaded loaded(0);
    loaded.ask(2, 0);
    EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
    gpu::ok(cudaStreamBeginCapture(loaded.stream, cudaStreamCaptureModeThreadLocal));
    EXPECT_FALSE(loaded.context->enqueueV3(loaded.stream));
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(loaded.stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  });
}

TEST(Context, IsUsedOnItsDevice) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(1);
        loaded.ask(1, 0);
        gpu::use(0);
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
      },
      "current-device", "enqueueV3 of a context of device 1 while device 0");
  EXPECT_VIOLATION(
      {
        Loaded loaded(1);
        gpu::use(0);
        loaded.context.reset();
      },
      "current-device", "~IExecutionContext of a context of device 1");
  EXPECT_VIOLATION(
      {
        Loaded loaded(1);
        gpu::use(2);
        static_cast<void>(loaded.engine->createExecutionContext());
      },
      "current-device", "createExecutionContext of an engine of device 1 while device 2");
}

TEST(Context, EngineAndRuntimeEndInOrder) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.engine.reset();
      },
      "lifetime", "an ICudaEngine is destroyed before 1 of its contexts");
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.runtime.reset();
      },
      "lifetime", "an IRuntime is destroyed before 1 of its engines");
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(1, 0);
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
        loaded.context.reset();
      },
      "order", "an IExecutionContext is destroyed while its work may still run");
}

TEST(Context, IsNotForTwoStreamsAtOnce) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(1, 0);
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
        EXPECT_TRUE(loaded.context->enqueueV3(gpu::stream()));
      },
      "order", "enqueueV3 on stream .* of device 0 writes");
}

TEST(Context, IsNotForTwoThreadsAtOnce) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        const auto ask = [&] {
          while (true) static_cast<void>(loaded.context->setInputShape("in", windows(1)));
        };
        std::thread other(ask);
        ask();
      },
      "thread", "is called while another thread uses the same execution context");
}

TEST(Runtime, IsNotForTwoThreadsAtOnce) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        const auto load = [&] {
          gpu::use(0);
          while (true) {
            const std::unique_ptr<nvinfer1::ICudaEngine> engine(
                loaded.runtime->deserializeCudaEngine(kPlan, std::strlen(kPlan)));
          }
        };
        std::thread other(load);
        load();
      },
      "thread", "deserializeCudaEngine is called while another thread uses the same runtime");
}

TEST(Runtime, NeedsADevice) {
  EXPECT_VIOLATION(
      {
        Logger logger;
        static_cast<void>(nvinfer1::createInferRuntime(logger));
      },
      "unchosen-device", "createInferRuntime");
}

TEST(Runtime, ShareOneLogger) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        Logger other;
        static_cast<void>(nvinfer1::createInferRuntime(other));
      },
      "logger", "createInferRuntime with a second logger");
  EXPECT_CLEAN({
    Loaded loaded(0);
    const std::unique_ptr<nvinfer1::IRuntime> other(nvinfer1::createInferRuntime(loaded.logger));
  });
}

TEST(TensorRt, ThePluginRegistryIsOfTheProcess) {
  gpu::use(0);
  Logger logger;
  const std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
  EXPECT_EQ(getPluginRegistry()->loadLibrary("/nowhere/libplugin.so"), nullptr);
  EXPECT_NE(logger.last().find("/nowhere/libplugin.so"), std::string::npos);
}

TEST(Context, SwitchingProfilesIsOrderedWithComputing) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        EXPECT_TRUE(loaded.context->setOptimizationProfileAsync(1, gpu::stream()));
        EXPECT_TRUE(loaded.context->setInputShape("in", windows(1)));
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
      },
      "order", "setOptimizationProfileAsync on stream");
}

TEST(Context, SharedMemoryIsForOneAtATime) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0, ExecutionContextAllocationStrategy::kUSER_MANAGED);
        const int64_t bytes = loaded.engine->getDeviceMemorySizeV2();
        char* scratch = gpu::memory(static_cast<size_t>(bytes));
        auto* other = loaded.engine->createExecutionContext(ExecutionContextAllocationStrategy::kUSER_MANAGED);
        loaded.context->setDeviceMemoryV2(scratch, bytes);
        other->setDeviceMemoryV2(scratch, bytes);
        loaded.ask(1, 0);
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
        EXPECT_TRUE(other->setInputShape("in", windows(1)));
        EXPECT_TRUE(other->setTensorAddress("in", gpu::memory(64)));
        EXPECT_TRUE(other->setTensorAddress("out", gpu::memory(192)));
        EXPECT_TRUE(other->enqueueV3(gpu::stream()));
      },
      "order", "writes device memory of 512 bytes");
}

TEST(Context, OutputsFit) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(2, 0);
        EXPECT_TRUE(loaded.context->setTensorAddress("out", gpu::memory(100)));
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
      },
      "bounds", "enqueueV3 writes 192 bytes from byte 0 of device memory of 100 bytes");
}

TEST(Context, TensorsAreInDeviceMemory) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(1, 0);
        EXPECT_TRUE(loaded.context->setTensorAddress("in", gpu::pinned(64)));
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
      },
      "ownership", "'in' is at an address that is not in device memory");
}

TEST(Context, RunsOnceBeforeItIsCaptured) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(1, 0);
        gpu::ok(cudaStreamBeginCapture(loaded.stream, cudaStreamCaptureModeThreadLocal));
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
      },
      "capture", "before it ran once with these shapes");
}

TEST(Context, AGraphNeedsItsContext) {
  EXPECT_VIOLATION(
      {
        Loaded loaded(0);
        loaded.ask(1, 0);
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
        gpu::ok(cudaStreamBeginCapture(loaded.stream, cudaStreamCaptureModeThreadLocal));
        EXPECT_TRUE(loaded.context->enqueueV3(loaded.stream));
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t exec = nullptr;
        gpu::ok(cudaStreamEndCapture(loaded.stream, &graph));
        gpu::ok(cudaGraphInstantiateWithFlags(&exec, graph, 0));
        gpu::sync(loaded.stream);
        loaded.context.reset();
        gpu::ok(cudaGraphLaunch(exec, loaded.stream));
      },
      "use-after-free", "cudaGraphLaunch: enqueueV3 writes");
}

TEST(Leak, OfTensorRtsObjects) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        static Logger logger;
        static_cast<void>(nvinfer1::createInferRuntime(logger)->deserializeCudaEngine(kPlan, std::strlen(kPlan)));
        std::exit(0);
      },
      "leak", "a TensorRT engine of device 0; a TensorRT runtime");
}

}  // namespace
