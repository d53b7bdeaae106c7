// Execution context of the stand-in's TensorRT. What TensorRT reports is reported: the call fails and the logger gets a
// message. What TensorRT leaves undefined aborts.
#include <algorithm>
#include <utility>

#include "objects.h"

namespace stand_in {

namespace {

using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;

constexpr size_t kAlignment = 256;

Dims none() {
  Dims out{};
  out.nbDims = -1;
  return out;
}

bool is_same(const Dims& a, const Dims& b) {
  return a.nbDims == b.nbDims && std::equal(a.d, a.d + std::max(a.nbDims, 0), b.d);
}

void check_device(const char* call, int own) {
  const int device = current_device(call);
  if (device == own) return;
  violation("current-device", std::string(call) + " of a context of device " + std::to_string(own) + " while device " +
                                  std::to_string(device) + " is current");
}

}  // namespace

ContextBody::ContextBody(EngineBody& engine, nvinfer1::ExecutionContextAllocationStrategy strategy, void* state,
                         void* scratch)
    : engine_(engine), strategy_(strategy), state_(state), scratch_(scratch) {
  if (scratch_ != nullptr) scratch_size_ = static_cast<size_t>(engine_.getDeviceMemorySizeV2());
  ++engine_.contexts_;
}

ContextBody::~ContextBody() noexcept {
  const Alone alone(busy_, "~IExecutionContext", "execution context");
  check_device("~IExecutionContext", engine_.device_);
  if (!is_idle(state_, 1)) {
    violation("order", "an IExecutionContext is destroyed while its work may still run: synchronise first");
  }
  free_own_memory(state_);
  if (strategy_ != nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED) free_own_memory(scratch_);
  --engine_.contexts_;
}

bool ContextBody::refuse(const std::string& why) const {
  engine_.runtime_.log_.error("IExecutionContext::" + why);
  return false;
}

void ContextBody::setDeviceMemoryV2(void* memory, int64_t size) noexcept {
  const Alone alone(busy_, "setDeviceMemoryV2", "execution context");
  if (strategy_ != nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED) {
    static_cast<void>(refuse("setDeviceMemoryV2: the context allocates its own memory"));
    return;
  }
  if (reinterpret_cast<uintptr_t>(memory) % kAlignment != 0) {
    violation("alignment", "setDeviceMemoryV2 of memory that is not aligned to 256 bytes");
  }
  scratch_ = memory;
  scratch_size_ = static_cast<size_t>(std::max<int64_t>(size, 0));
}

size_t ContextBody::scratch_bytes() const {
  const auto found = shapes_.find(engine_.plan_.first_input().name);
  return found == shapes_.end() ? 0 : engine_.plan_.scratch * items_of(found->second);
}

size_t ContextBody::updateDeviceMemorySizeForShapes() noexcept {
  const Alone alone(busy_, "updateDeviceMemorySizeForShapes", "execution context");
  return missing().empty() ? scratch_bytes() : 0;
}

bool ContextBody::setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) noexcept {
  const Alone alone(busy_, "setOptimizationProfileAsync", "execution context");
  check_device("setOptimizationProfileAsync", engine_.device_);
  if (profile < 0 || profile >= engine_.getNbOptimizationProfiles()) {
    return refuse("setOptimizationProfileAsync: there is no profile " + std::to_string(profile));
  }
  if (is_capturing(stream)) violation("capture", "setOptimizationProfileAsync on a stream that is captured");
  // The copies that it may start on `stream`.
  if (launch(stream, "setOptimizationProfileAsync", Cost::kCopy, {{state_, 1, true}}, nullptr) != cudaSuccess) {
    return refuse("setOptimizationProfileAsync: CUDA failed");
  }
  profile_ = profile;
  shapes_.clear();  // to be set after the profile
  is_new_ = true;
  return true;
}

bool ContextBody::setInputShape(char const* name, Dims const& dims) noexcept {
  const Alone alone(busy_, "setInputShape", "execution context");
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  if (tensor == nullptr || !tensor->is_input) return refuse(std::string("setInputShape: no input '") + name + "'");
  const Dims least = engine_.getProfileShape(name, profile_, OptProfileSelector::kMIN);
  const Dims most = engine_.getProfileShape(name, profile_, OptProfileSelector::kMAX);
  bool fits = dims.nbDims == tensor->shape.nbDims;
  for (int32_t i = 0; fits && i < dims.nbDims; ++i) fits = dims.d[i] >= least.d[i] && dims.d[i] <= most.d[i];
  if (!fits) {
    return refuse("setInputShape: '" + tensor->name + "' of " + text_of(dims) + " is not in profile " +
                  std::to_string(profile_) + ", which has " + text_of(least) + " to " + text_of(most));
  }
  const auto known = shapes_.find(tensor->name);
  if (known == shapes_.end() || !is_same(known->second, dims)) is_new_ = true;
  shapes_[tensor->name] = dims;
  return true;
}

Dims ContextBody::getTensorShape(char const* name) const noexcept {
  const Alone alone(busy_, "getTensorShape", "execution context");
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  if (tensor == nullptr) return none();
  const auto found = shapes_.find(tensor->is_input ? tensor->name : engine_.plan_.first_input().name);
  if (found == shapes_.end()) return tensor->shape;
  return tensor->is_input ? found->second : output_dims(*tensor, found->second);
}

bool ContextBody::setTensorAddress(char const* name, void* data) noexcept {
  const Alone alone(busy_, "setTensorAddress", "execution context");
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  if (tensor == nullptr) return refuse(std::string("setTensorAddress: no tensor '") + name + "'");
  if (reinterpret_cast<uintptr_t>(data) % kAlignment != 0) {
    return refuse("setTensorAddress: the address of '" + tensor->name + "' is not aligned to 256 bytes");
  }
  addresses_[tensor->name] = data;
  return true;
}

void const* ContextBody::getTensorAddress(char const* name) const noexcept {
  const Alone alone(busy_, "getTensorAddress", "execution context");
  const auto found = addresses_.find(name);
  return found == addresses_.end() ? nullptr : found->second;
}

bool ContextBody::setInputTensorAddress(char const* name, void const* data) noexcept {
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  return tensor != nullptr && tensor->is_input && setTensorAddress(name, const_cast<void*>(data));
}

bool ContextBody::setOutputTensorAddress(char const* name, void* data) noexcept {
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  return tensor != nullptr && !tensor->is_input && setTensorAddress(name, data);
}

int32_t ContextBody::inferShapes(int32_t most, char const** names) noexcept {
  const Alone alone(busy_, "inferShapes", "execution context");
  if (most < 0 || (names == nullptr && most != 0)) return -1;
  int32_t out = 0;
  for (const auto& tensor : engine_.plan_.tensors) {
    if (!tensor.is_input || shapes_.count(tensor.name) != 0) continue;
    if (out < most) names[out] = tensor.name.c_str();
    ++out;
  }
  return out;
}

bool ContextBody::setInputConsumedEvent(cudaEvent_t event) noexcept {
  const Alone alone(busy_, "setInputConsumedEvent", "execution context");
  consumed_ = event;
  return true;
}

int64_t ContextBody::getMaxOutputSize(char const* name) const noexcept {
  const PlanTensor* tensor = engine_.plan_.tensor(name);
  if (tensor == nullptr || tensor->is_input) return -1;
  const Dims dims = getTensorShape(name);
  const size_t items = items_of(dims);
  return items == 0 ? -1 : static_cast<int64_t>(items * size_of(tensor->type));
}

// What a call still lacks; "" where nothing.
std::string ContextBody::missing() const {
  for (const auto& tensor : engine_.plan_.tensors) {
    if (tensor.is_input && shapes_.count(tensor.name) == 0) return "the shape of '" + tensor.name + "'";
  }
  return "";
}

// Capturing needs a context that has computed this shape once (TensorRT's developer guide, "CUDA Graphs").
bool ContextBody::may_capture(cudaStream_t stream) {
  if (!engine_.plan_.capturable || injected("capture", engine_.device_)) {
    invalidate_capture(stream);
    return refuse("enqueueV3: operation not permitted when stream is capturing");
  }
  if (is_new_) {
    violation("capture", "enqueueV3 is captured before it ran once with these shapes and this profile");
  }
  return true;
}

bool ContextBody::enqueueV3(cudaStream_t stream) noexcept {
  const Alone alone(busy_, "enqueueV3", "execution context");
  check_device("enqueueV3", engine_.device_);
  const std::string lacking = missing();
  if (!lacking.empty()) return refuse("enqueueV3: it needs " + lacking);
  if (scratch_ == nullptr || scratch_size_ < scratch_bytes()) {
    return refuse("enqueueV3: it needs " + std::to_string(scratch_bytes()) + " bytes of device memory, but has " +
                  std::to_string(scratch_ == nullptr ? 0 : scratch_size_));
  }
  std::vector<Bound> inputs;
  std::vector<Bound> outputs;
  std::vector<Use> uses = {{state_, 1, true}, {scratch_, scratch_bytes(), true}};
  const Dims& first = shapes_.at(engine_.plan_.first_input().name);
  for (const auto& tensor : engine_.plan_.tensors) {
    const auto address = addresses_.find(tensor.name);
    if (address == addresses_.end() || address->second == nullptr) {
      return refuse("enqueueV3: it needs the address of '" + tensor.name + "'");
    }
    const Dims dims = tensor.is_input ? shapes_.at(tensor.name) : output_dims(tensor, first);
    uses.push_back({address->second, items_of(dims) * size_of(tensor.type), !tensor.is_input});
    if (bytes_from(address->second) == 0) {
      violation("ownership", "enqueueV3: '" + tensor.name + "' is at an address that is not in device memory");
    }
    (tensor.is_input ? inputs : outputs).push_back({&tensor, dims, view(address->second)});
  }
  if (is_capturing(stream) && !may_capture(stream)) return false;
  const auto work = [plan = &engine_.plan_, inputs, outputs] { compute(*plan, inputs, outputs); };
  if (launch(stream, "enqueueV3", Cost::kEnqueue, uses, work) != cudaSuccess) {
    return refuse("enqueueV3: CUDA failed");
  }
  if (consumed_ != nullptr && cudaEventRecord(consumed_, stream) != cudaSuccess) return false;
  is_new_ = false;
  return true;
}

}  // namespace stand_in
