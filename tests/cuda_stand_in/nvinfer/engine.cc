// Runtime and engine of the stand-in's TensorRT.
#include <dlfcn.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "objects.h"

namespace stand_in {

namespace {

using nvinfer1::Dims;

constexpr size_t kStateBytes = 256;

// The logger of the process while it has a runtime.
std::mutex registering;
nvinfer1::ILogger* registered = nullptr;
int runtimes = 0;

struct EngineObject final : nvinfer1::ICudaEngine {
  EngineObject(RuntimeBody& runtime, Plan plan, int device, void* weights)
      : body(runtime, std::move(plan), device, weights) {
    mImpl = &body;
    body.object_ = this;
    born("engine", this, device);
  }
  ~EngineObject() noexcept override { gone("engine", this); }
  EngineBody body;
};

struct ContextObject final : nvinfer1::IExecutionContext {
  ContextObject(EngineBody& engine, nvinfer1::ExecutionContextAllocationStrategy strategy, void* state, void* scratch)
      : body(engine, strategy, state, scratch) {
    mImpl = &body;
    born("execution context", this, engine.device_);
  }
  ~ContextObject() noexcept override { gone("execution context", this); }
  ContextBody body;
};

struct RuntimeObject final : nvinfer1::IRuntime {
  explicit RuntimeObject(nvinfer1::ILogger& logger) : body(logger) {
    mImpl = &body;
    born("runtime", this, 0);
    const std::lock_guard<std::mutex> lock(registering);
    if (registered != nullptr && registered != &logger) {
      violation("logger", "createInferRuntime with a second logger while the first is in use: TensorRT ignores it");
    }
    registered = &logger;
    ++runtimes;
  }
  ~RuntimeObject() noexcept override {
    if (body.engines_ != 0) {
      violation("lifetime", "an IRuntime is destroyed before " + std::to_string(body.engines_) + " of its engines");
    }
    gone("runtime", this);
    const std::lock_guard<std::mutex> lock(registering);
    if (--runtimes == 0) registered = nullptr;
  }
  RuntimeBody body;
};

Dims none() {
  Dims out{};
  out.nbDims = -1;
  return out;
}

std::string capability_here(int device) {
  int major = 0;
  int minor = 0;
  static_cast<void>(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  static_cast<void>(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace

void Log::error(const std::string& text) const {
  nvinfer1::ILogger* logger = logger_;
  if (logger == nullptr) {
    const std::lock_guard<std::mutex> lock(registering);
    logger = registered;
  }
  const Seen seen;
  if (logger != nullptr) logger->log(nvinfer1::ILogger::Severity::kERROR, text.c_str());
}

Alone::Alone(std::atomic<bool>& busy, const char* call, const char* object) : busy_(busy) {
  if (busy_.exchange(true)) {
    violation("thread", std::string(call) + " is called while another thread uses the same " + object);
  }
}

void* Registry::loadLibrary(char const* path) noexcept {
  const Unseen unseen;
  count(0, "loadLibrary");
  void* handle = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    log_.error(std::string("Could not load plugin library: ") + (why == nullptr ? path : why));
  }
  return handle;
}

void Registry::deregisterLibrary(void* handle) noexcept {
  if (handle != nullptr) ::dlclose(handle);
}

nvinfer1::ICudaEngine* RuntimeBody::deserializeCudaEngine(void const* blob, size_t size) noexcept {
  const Alone alone(busy_, "deserializeCudaEngine", "runtime");
  const int device = current_device("deserializeCudaEngine");
  const auto refuse = [&](const std::string& why) {
    log_.error("IRuntime::deserializeCudaEngine: " + why);
    return nullptr;
  };
  if (injected("deserializeCudaEngine", device)) return refuse("an injected fault");
  Plan plan;
  std::string text;
  {
    const Seen seen;
    text.assign(static_cast<const char*>(blob), size);
  }
  const std::string problem = read_plan(text, plan);
  if (!problem.empty()) return refuse(problem);
  const std::string here = capability_here(device);
  if (!plan.capability.empty() && plan.capability != here) {
    return refuse("the plan is for compute capability " + plan.capability + ", the device has " + here);
  }
  void* weights = own_memory(device, plan.weights, "weights");
  if (weights == nullptr)
    return refuse("out of device memory for " + std::to_string(plan.weights) + " bytes of weights");
  return new EngineObject(*this, std::move(plan), device, weights);
}

EngineBody::EngineBody(RuntimeBody& runtime, Plan plan, int device, void* weights)
    : runtime_(runtime), plan_(std::move(plan)), device_(device), weights_(weights) {
  ++runtime_.engines_;
}

EngineBody::~EngineBody() noexcept {
  const Unseen unseen;
  if (contexts_ != 0) {
    violation("lifetime", "an ICudaEngine is destroyed before " + std::to_string(contexts_) + " of its contexts");
  }
  const int device = current_device("~ICudaEngine");
  if (device != device_) {
    violation("current-device", "an ICudaEngine of device " + std::to_string(device_) + " is destroyed while device " +
                                    std::to_string(device) + " is current");
  }
  free_own_memory(weights_);
  --runtime_.engines_;
}

int32_t EngineBody::getNbIOTensors() const noexcept {
  return static_cast<int32_t>(plan_.tensors.size());
}

char const* EngineBody::getIOTensorName(int32_t index) const noexcept {
  const bool inside = index >= 0 && index < getNbIOTensors();
  return inside ? plan_.tensors[static_cast<size_t>(index)].name.c_str() : nullptr;
}

nvinfer1::DataType EngineBody::getTensorDataType(char const* name) const noexcept {
  const PlanTensor* found = plan_.tensor(name);
  return found == nullptr ? nvinfer1::DataType::kFLOAT : found->type;
}

nvinfer1::TensorIOMode EngineBody::getTensorIOMode(char const* name) const noexcept {
  const PlanTensor* found = plan_.tensor(name);
  if (found == nullptr) return nvinfer1::TensorIOMode::kNONE;
  return found->is_input ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
}

nvinfer1::TensorLocation EngineBody::getTensorLocation(char const* /*name*/) const noexcept {
  return nvinfer1::TensorLocation::kDEVICE;
}

Dims EngineBody::getTensorShape(char const* name) const noexcept {
  const PlanTensor* found = plan_.tensor(name);
  return found == nullptr ? none() : found->shape;
}

int32_t EngineBody::getNbOptimizationProfiles() const noexcept {
  return static_cast<int32_t>(plan_.profiles.size());
}

Dims EngineBody::getProfileShape(char const* name, int32_t profile,
                                 nvinfer1::OptProfileSelector select) const noexcept {
  if (profile < 0 || profile >= getNbOptimizationProfiles()) return none();
  const PlanProfile& all = plan_.profiles[static_cast<size_t>(profile)];
  const auto found = all.find(name);
  return found == all.end() ? none() : found->second.at(static_cast<size_t>(select));
}

int64_t EngineBody::getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept {
  const std::string& name = plan_.first_input().name;
  const Dims most = getProfileShape(name.c_str(), profile, nvinfer1::OptProfileSelector::kMAX);
  return most.nbDims < 0 ? 0 : static_cast<int64_t>(plan_.scratch * items_of(most));
}

int64_t EngineBody::getDeviceMemorySizeV2() const noexcept {
  int64_t out = 0;
  for (int32_t i = 0; i < getNbOptimizationProfiles(); ++i) out = std::max(out, getDeviceMemorySizeForProfileV2(i));
  return out;
}

nvinfer1::IExecutionContext* EngineBody::createExecutionContext(
    nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept {
  const Unseen unseen;
  const int device = current_device("createExecutionContext");
  if (device != device_) {
    violation("current-device", "createExecutionContext of an engine of device " + std::to_string(device_) +
                                    " while device " + std::to_string(device) + " is current");
  }
  const bool own = strategy != nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED;
  void* state = injected("createExecutionContext", device) ? nullptr : own_memory(device, kStateBytes, "a context");
  void* scratch = nullptr;
  if (state != nullptr && own) {
    scratch = own_memory(device, static_cast<size_t>(getDeviceMemorySizeV2()), "activations");
  }
  if (state == nullptr || (own && scratch == nullptr)) {
    free_own_memory(state);
    runtime_.log_.error("ICudaEngine::createExecutionContext: out of memory");
    return nullptr;
  }
  return new ContextObject(*this, strategy, state, scratch);
}

}  // namespace stand_in

extern "C" __attribute__((visibility("default"))) void* createInferRuntime_INTERNAL(void* logger,
                                                                                    int32_t version) noexcept {
  const stand_in::Unseen unseen;
  if (logger == nullptr || version != getInferLibVersion()) return nullptr;
  // It initialises CUDA, on the calling thread's device.
  static_cast<void>(stand_in::current_device("createInferRuntime"));
  return static_cast<nvinfer1::IRuntime*>(new stand_in::RuntimeObject(*static_cast<nvinfer1::ILogger*>(logger)));
}

extern "C" __attribute__((visibility("default"))) nvinfer1::IPluginRegistry* getPluginRegistry() noexcept {
  static const stand_in::Log log;
  static stand_in::Registry registry(log);
  return &registry;
}

extern "C" __attribute__((visibility("default"))) int32_t getInferLibVersion() noexcept {
  return NV_TENSORRT_MAJOR * 10000 + NV_TENSORRT_MINOR * 100 + NV_TENSORRT_PATCH;
}
