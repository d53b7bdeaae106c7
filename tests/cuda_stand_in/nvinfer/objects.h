// Runtime, engine and execution context, as TensorRT's C++ API shows them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "plan.h"
#include "unused.h"

namespace stand_in {

// Sends an error to the program's logger, as TensorRT does of a call that it refuses. Without a logger of its own, to
// the one that the process registered first, if any.
class Log {
 public:
  Log() = default;
  explicit Log(nvinfer1::ILogger& logger) : logger_(&logger) {}
  void error(const std::string& text) const;
  [[nodiscard]] nvinfer1::ILogger* logger() const { return logger_; }

 private:
  nvinfer1::ILogger* logger_ = nullptr;
};

// A call of an object that TensorRT does not document as thread-safe: two at once abort, whatever they would have met.
class Alone {
 public:
  Alone(std::atomic<bool>& busy, const char* call, const char* object);
  ~Alone() { busy_ = false; }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;
  Alone(Alone&&) = delete;
  Alone& operator=(Alone&&) = delete;

 private:
  Unseen unseen_;
  std::atomic<bool>& busy_;
};

class Registry final : public RegistryBase {
 public:
  explicit Registry(const Log& log) : log_(log) {}
  ~Registry() noexcept override = default;
  void* loadLibrary(char const* path) noexcept override;
  void deregisterLibrary(void* handle) noexcept override;

 private:
  const Log& log_;
};

class RuntimeBody final : public RuntimeBase {
 public:
  explicit RuntimeBody(nvinfer1::ILogger& logger) : log_(logger), registry_(log_) {}
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, size_t size) noexcept override;
  nvinfer1::ILogger* getLogger() const noexcept override { return log_.logger(); }
  bool setMaxThreads(int32_t threads) noexcept override { return threads > 0; }
  nvinfer1::IPluginRegistry& getPluginRegistry() noexcept override { return registry_; }
  void setEngineHostCodeAllowed(bool allowed) noexcept override { host_code_ = allowed; }
  bool getEngineHostCodeAllowed() const noexcept override { return host_code_; }

  Log log_;
  std::atomic<int> engines_{0};

 private:
  Registry registry_;
  bool host_code_ = false;
  std::atomic<bool> busy_{false};
};

class EngineBody final : public EngineBase {
 public:
  EngineBody(RuntimeBody& runtime, Plan plan, int device, void* weights);
  ~EngineBody() noexcept override;

  int32_t getNbIOTensors() const noexcept override;
  char const* getIOTensorName(int32_t index) const noexcept override;
  nvinfer1::DataType getTensorDataType(char const* name) const noexcept override;
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const noexcept override;
  nvinfer1::TensorLocation getTensorLocation(char const* name) const noexcept override;
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
  int32_t getNbOptimizationProfiles() const noexcept override;
  nvinfer1::Dims getProfileShape(char const* name, int32_t profile,
                                 nvinfer1::OptProfileSelector select) const noexcept override;
  int64_t getDeviceMemorySizeV2() const noexcept override;
  int64_t getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept override;
  int32_t getNbAuxStreams() const noexcept override { return 0; }
  int32_t getNbLayers() const noexcept override { return 1; }
  char const* getName() const noexcept override { return plan_.name.c_str(); }
  nvinfer1::IExecutionContext* createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override;

  RuntimeBody& runtime_;
  const Plan plan_;
  const int device_;
  nvinfer1::ICudaEngine* object_ = nullptr;
  std::atomic<int> contexts_{0};

 private:
  void* weights_;
};

class ContextBody final : public ContextBase {
 public:
  ContextBody(EngineBody& engine, nvinfer1::ExecutionContextAllocationStrategy strategy, void* state, void* scratch);
  ~ContextBody() noexcept override;

  nvinfer1::ICudaEngine const& getEngine() const noexcept override { return *engine_.object_; }
  void setDeviceMemoryV2(void* memory, int64_t size) noexcept override;
  size_t updateDeviceMemorySizeForShapes() noexcept override;
  int32_t getOptimizationProfile() const noexcept override { return profile_; }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) noexcept override;
  bool setInputShape(char const* name, nvinfer1::Dims const& dims) noexcept override;
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
  bool setTensorAddress(char const* name, void* data) noexcept override;
  void const* getTensorAddress(char const* name) const noexcept override;
  bool setInputTensorAddress(char const* name, void const* data) noexcept override;
  bool setOutputTensorAddress(char const* name, void* data) noexcept override;
  int32_t inferShapes(int32_t most, char const** names) noexcept override;
  bool setInputConsumedEvent(cudaEvent_t event) noexcept override;
  cudaEvent_t getInputConsumedEvent() const noexcept override { return consumed_; }
  int64_t getMaxOutputSize(char const* name) const noexcept override;
  bool enqueueV3(cudaStream_t stream) noexcept override;

 private:
  [[nodiscard]] size_t scratch_bytes() const;
  [[nodiscard]] bool refuse(const std::string& why) const;
  [[nodiscard]] std::string missing() const;
  [[nodiscard]] bool may_capture(cudaStream_t stream);

  EngineBody& engine_;
  const nvinfer1::ExecutionContextAllocationStrategy strategy_;
  void* state_;    // of its own, in device memory: what switching profiles writes and computing reads
  void* scratch_;  // activations; the user's with kUSER_MANAGED
  size_t scratch_size_ = 0;
  int32_t profile_ = 0;
  std::map<std::string, nvinfer1::Dims> shapes_;
  std::map<std::string, void*> addresses_;
  cudaEvent_t consumed_ = nullptr;
  bool is_new_ = true;  // shapes or profile changed since the last enqueue
  mutable std::atomic<bool> busy_{false};
};

}  // namespace stand_in
