// The execution contexts of a lane: one for each optimisation profile, over one piece of device memory.
#pragma once

#include <NvInferRuntime.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"
#include "engines/cuda.h"
#include "engines/tensorrt_runtime.h"

namespace harness {

struct TrtTensor {
  std::string name;
  TensorInfo info;
  bool is_input = false;
  size_t largest = 0;              // bytes, over all profiles
  const void* resident = nullptr;  // the whole array in device memory, with start_from_device
  size_t row_bytes = 0;            // bytes of one row of it
};

// A tensor of a call.
struct Bound {
  Shape shape;
  void* device = nullptr;
};

// For one stream: contexts share their memory, so that calls must not overlap.
class TrtContexts {
 public:
  // Throws Error (kFailed) where the device has too little memory. `stream` is the one of every call.
  TrtContexts(nvinfer1::ICudaEngine& engine, TrtMessages& messages, cudaStream_t stream);

  // Sets shapes and addresses of a call where they differ from the last one's, and fills in the outputs' shapes. Throws
  // Error (kFailed) where no profile covers the inputs, or TensorRT rejects them.
  void bind(const std::vector<TrtTensor>& inputs, const std::vector<TrtTensor>& outputs, const std::vector<Bound>& from,
            std::vector<Bound>& to);
  // Starts the call that was bound last. False where TensorRT does not.
  [[nodiscard]] bool enqueue(cudaStream_t stream) { return contexts_[current_].context->enqueueV3(stream); }
  [[noreturn]] void refuse(const std::string& what);

 private:
  struct Context {
    std::unique_ptr<nvinfer1::IExecutionContext> context;
    std::vector<Bound> inputs;  // of the last call
    std::vector<Bound> outputs;
  };

  [[nodiscard]] bool holds(size_t profile, const std::vector<TrtTensor>& inputs, const std::vector<Bound>& from) const;
  [[nodiscard]] size_t profile_for(const std::vector<TrtTensor>& inputs, const std::vector<Bound>& from) const;

  nvinfer1::ICudaEngine& engine_;
  TrtMessages& messages_;
  cuda::DeviceMemory memory_;  // outlives the contexts
  std::vector<Context> contexts_;
  size_t current_ = 0;
};

}  // namespace harness
