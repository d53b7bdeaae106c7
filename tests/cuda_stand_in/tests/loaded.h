// An engine of the stand-in's TensorRT on one of its devices, ready to compute.
#pragma once

#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gpu.h"

using nvinfer1::Dims;
using nvinfer1::ExecutionContextAllocationStrategy;

inline constexpr const char* kPlan = R"(cuda-stand-in plan 1
name small
function voxels
weights 4096
scratch 8
tensor in input float32 -1 1 2 2 2
tensor out output float32 -1 3 2 2 2
profile
shape in 1 1 2 2 2 / 2 1 2 2 2 / 2 1 2 2 2
profile
shape in 1 1 2 2 2 / 8 1 2 2 2 / 8 1 2 2 2
end
)";

class Logger : public nvinfer1::ILogger {
 public:
  void log(Severity /*severity*/, const char* text) noexcept override {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = text;
  }
  std::string last() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_;
  }

 private:
  std::mutex mutex_;
  std::string last_;
};

inline Dims windows(int64_t count) {
  Dims out{};
  out.nbDims = 5;
  out.d[0] = count;
  out.d[1] = 1;
  out.d[2] = out.d[3] = out.d[4] = 2;
  return out;
}

// An engine on a device with one context, its stream and memory for 8 windows.
struct Loaded {
  explicit Loaded(int on, ExecutionContextAllocationStrategy strategy = ExecutionContextAllocationStrategy::kSTATIC)
      : device(on) {
    gpu::use(device);
    runtime.reset(nvinfer1::createInferRuntime(logger));
    engine.reset(runtime->deserializeCudaEngine(kPlan, std::strlen(kPlan)));
    context.reset(engine->createExecutionContext(strategy));
    stream = gpu::stream();
    in = gpu::memory(8 * 8 * sizeof(float));
    out = gpu::memory(8 * 24 * sizeof(float));
    EXPECT_TRUE(context->setTensorAddress("in", in));
    EXPECT_TRUE(context->setTensorAddress("out", out));
  }
  ~Loaded() {
    gpu::use(device);
    gpu::sync(stream);
    gpu::ok(cudaStreamDestroy(stream));
    gpu::ok(cudaFree(in));
    gpu::ok(cudaFree(out));
  }
  void ask(int64_t count, int profile) {
    if (profile != context->getOptimizationProfile()) {
      EXPECT_TRUE(context->setOptimizationProfileAsync(profile, stream));
    }
    EXPECT_TRUE(context->setInputShape("in", windows(count))) << logger.last();
  }
  std::vector<float> answer(int64_t count) {
    const auto size = static_cast<size_t>(count) * 24 * sizeof(float);
    auto* host = reinterpret_cast<float*>(gpu::pinned(size));
    gpu::out(host, out, size, stream);
    gpu::sync(stream);
    const std::vector<float> all(host, host + count * 24);
    gpu::ok(cudaFreeHost(host));
    return all;
  }

  int device;
  Logger logger;
  std::unique_ptr<nvinfer1::IRuntime> runtime;
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  std::unique_ptr<nvinfer1::IExecutionContext> context;
  cudaStream_t stream = nullptr;
  char* in = nullptr;
  char* out = nullptr;
};

inline std::vector<float> expected(const std::vector<float>& in) {
  std::vector<float> all;
  for (size_t window = 0; window * 8 < in.size(); ++window) {
    for (int kind = 0; kind < 3; ++kind) {
      for (size_t i = 0; i < 8; ++i) {
        all.push_back(static_cast<float>(kind + 1) * in[window * 8 + i] - static_cast<float>(kind * kind) / 4);
      }
    }
  }
  return all;
}
