#include "engines/tensorrt_contexts.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace harness {

namespace {

constexpr const char* kAgain = "rebuild it: make generate_engines RUN_ARGS='… --force_build'";
constexpr const char* kLess = "lower gpu_inference_streams or gpu_batch_size";

nvinfer1::Dims dims_of(const Shape& shape) {
  nvinfer1::Dims out{};
  out.nbDims = static_cast<int32_t>(shape.rank);
  for (size_t i = 0; i < shape.rank; ++i) out.d[i] = static_cast<int64_t>(shape.extents.at(i));
  return out;
}

Shape shape_of(const nvinfer1::Dims& dims) {
  Shape out;
  out.rank = std::min<size_t>(static_cast<size_t>(std::max(dims.nbDims, 0)), out.extents.size());
  for (size_t i = 0; i < out.rank; ++i) out.extents.at(i) = static_cast<size_t>(std::max<int64_t>(dims.d[i], 0));
  return out;
}

bool is_same(const Shape& a, const Shape& b) {
  return a.rank == b.rank && a.extents == b.extents;
}

}  // namespace

TrtContexts::TrtContexts(nvinfer1::ICudaEngine& engine, TrtMessages& messages, cudaStream_t stream)
    : engine_(engine), messages_(messages) {
  const int64_t bytes = engine.getDeviceMemorySizeV2();
  memory_ = cuda::device_memory(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
  for (int32_t profile = 0; profile < engine.getNbOptimizationProfiles(); ++profile) {
    Context made;
    made.context.reset(engine.createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED));
    if (made.context == nullptr) {
      throw Error(Status::kFailed, "not enough GPU memory for another execution context", messages.last(), kLess);
    }
    if (!made.context->setOptimizationProfileAsync(profile, stream)) refuse("TensorRT cannot select a profile");
    cuda::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    made.context->setDeviceMemoryV2(memory_.get(), bytes);
    contexts_.push_back(std::move(made));
  }
}

bool TrtContexts::holds(size_t profile, const std::vector<TrtTensor>& inputs, const std::vector<Bound>& from) const {
  for (size_t i = 0; i < from.size(); ++i) {
    const char* name = inputs[i].name.c_str();
    const auto number = static_cast<int32_t>(profile);
    const auto least = engine_.getProfileShape(name, number, nvinfer1::OptProfileSelector::kMIN);
    const auto most = engine_.getProfileShape(name, number, nvinfer1::OptProfileSelector::kMAX);
    const Shape& shape = from[i].shape;
    if (most.nbDims != static_cast<int32_t>(shape.rank)) return false;
    for (size_t axis = 0; axis < shape.rank; ++axis) {
      const auto extent = static_cast<int64_t>(shape.extents.at(axis));
      if (extent < least.d[axis] || extent > most.d[axis]) return false;
    }
  }
  return true;
}

size_t TrtContexts::profile_for(const std::vector<TrtTensor>& inputs, const std::vector<Bound>& from) const {
  if (current_ < contexts_.size() && holds(current_, inputs, from)) return current_;
  for (size_t profile = 0; profile < contexts_.size(); ++profile) {
    if (holds(profile, inputs, from)) return profile;
  }
  throw Error(Status::kFailed, "no optimisation profile of the engine covers a batch of this shape",
              std::to_string(from.front().shape.extents.front()) + " samples",
              "rebuild the engine with the gpu_batch_size and lengths of this run");
}

void TrtContexts::bind(const std::vector<TrtTensor>& inputs, const std::vector<TrtTensor>& outputs,
                       const std::vector<Bound>& from, std::vector<Bound>& to) {
  current_ = profile_for(inputs, from);
  Context& own = contexts_[current_];
  own.inputs.resize(from.size());
  bool reshaped = own.outputs.empty();
  for (size_t i = 0; i < from.size(); ++i) {
    const char* name = inputs[i].name.c_str();
    Bound& last = own.inputs[i];
    const bool shape = !is_same(last.shape, from[i].shape);
    reshaped = reshaped || shape;
    if ((shape && !own.context->setInputShape(name, dims_of(from[i].shape))) ||
        (last.device != from[i].device && !own.context->setTensorAddress(name, from[i].device))) {
      refuse(std::string("TensorRT rejects the shape of input '") + name + "'");
    }
    last = from[i];
  }
  own.outputs.resize(to.size());
  for (size_t i = 0; i < to.size(); ++i) {
    const TrtTensor& tensor = outputs[i];
    Bound& last = own.outputs[i];
    if (reshaped) last.shape = shape_of(own.context->getTensorShape(tensor.name.c_str()));
    to[i].shape = last.shape;
    const bool fits = last.shape.items() * size_of(tensor.info.dtype) <= tensor.largest;
    if (!fits || (last.device != to[i].device && !own.context->setTensorAddress(tensor.name.c_str(), to[i].device))) {
      refuse("TensorRT rejects the memory of output '" + tensor.name + "'");
    }
    last.device = to[i].device;
  }
}

void TrtContexts::refuse(const std::string& what) {
  throw Error(Status::kFailed, what, messages_.last(), kAgain);
}

}  // namespace harness
