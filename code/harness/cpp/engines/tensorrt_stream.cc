#include "engines/tensorrt_stream.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#ifdef HARNESS_CUDA_KERNELS
#include "engines/row_kernels.h"
#endif

namespace harness {

namespace {

constexpr const char* kAgain = "rebuild it: make generate_engines RUN_ARGS='… --force_build'";

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

}  // namespace

TrtStream::TrtStream(TrtShared& shared) : shared_(shared) {
  cuda::use(shared_.device);
  context_.reset(shared_.engine->createExecutionContext());
  if (context_ == nullptr) {
    throw Error(Status::kFailed, "not enough GPU memory for another execution context",
                shared_.runtime->messages().last(), "lower gpu_inference_streams or gpu_batch_size");
  }
  copy_in_ = cuda::make_stream();
  compute_ = cuda::make_stream();
  copy_out_ = cuda::make_stream();
  for (auto& slot : slots_) {
    slot.copied_in = cuda::make_event();
    slot.computed = cuda::make_event();
    slot.done = cuda::make_event();
    const auto fill = [](const std::vector<TrtTensor>& tensors, std::vector<Buffer>& buffers) {
      for (const auto& tensor : tensors) {
        Buffer buffer;
        buffer.host = cuda::pinned_memory(tensor.largest);
        buffer.device = cuda::device_memory(tensor.largest);
        buffers.push_back(std::move(buffer));
      }
    };
    fill(shared_.inputs, slot.inputs);
    fill(shared_.outputs, slot.outputs);
  }
}

TrtStream::~TrtStream() {
  static_cast<void>(cudaSetDevice(shared_.device));  // destroyed by a thread that may have used another device, or none
  // Buffers are freed with the object: wait until nothing is in flight.
  for (const auto* stream : {&copy_in_, &compute_, &copy_out_}) {
    if (stream->get() != nullptr) static_cast<void>(cudaStreamSynchronize(stream->get()));
  }
}

void* TrtStream::input(size_t index, const Shape& shape) {
  Buffer& buffer = slots_.at(next_).inputs[index];
  buffer.shape = shape;
  buffer.bytes = shape.items() * size_of(shared_.inputs[index].info.dtype);
  buffer.on_device = false;
  slots_.at(next_).windows.clear();
  if (buffer.bytes > shared_.inputs[index].largest) {
    throw Error(Status::kFailed, "a batch exceeds the engine's largest batch size",
                "input '" + shared_.inputs[index].name + "'", "rebuild the engine with the gpu_batch_size of this run");
  }
  return buffer.host.get();
}

void TrtStream::input_rows(size_t index, const Shape& shape, const std::vector<uint32_t>& rows) {
  static_cast<void>(input(index, shape));
  cuda::use(shared_.device);
  const TrtTensor& tensor = shared_.inputs[index];
  Buffer& buffer = slots_.at(next_).inputs[index];
  buffer.on_device = true;
  const size_t bytes = buffer.bytes / rows.size();
#ifdef HARNESS_CUDA_KERNELS
  if (bytes % sizeof(uint32_t) == 0 && tensor.row_bytes % sizeof(uint32_t) == 0) {
    // The kernel reads the row indices from page-locked memory, which the slot's next call overwrites.
    auto* numbers = static_cast<uint32_t*>(buffer.host.get());
    std::copy(rows.begin(), rows.end(), numbers);
    cuda::check(cuda::gather_rows(tensor.resident, tensor.row_bytes / sizeof(uint32_t), numbers, rows.size(),
                                  bytes / sizeof(uint32_t), buffer.device.get(), copy_in_.get()),
                "the kernel that gathers rows");
    return;
  }
#endif
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto* from = static_cast<const unsigned char*>(tensor.resident) + rows[i] * tensor.row_bytes;
    auto* to = static_cast<unsigned char*>(buffer.device.get()) + i * bytes;
    cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, copy_in_.get()), "cudaMemcpyAsync");
  }
}

void TrtStream::enqueue(const Work& work) {
  cuda::use(shared_.device);
  Slot& slot = slots_.at(next_);
  for (auto& buffer : slot.inputs) {
    if (buffer.on_device) continue;
    cuda::check(
        cudaMemcpyAsync(buffer.device.get(), buffer.host.get(), buffer.bytes, cudaMemcpyHostToDevice, copy_in_.get()),
        "cudaMemcpyAsync");
  }
  cuda::check(cudaEventRecord(slot.copied_in.get(), copy_in_.get()), "cudaEventRecord");
  cuda::check(cudaStreamWaitEvent(compute_.get(), slot.copied_in.get(), 0), "cudaStreamWaitEvent");
  compute(slot, work);
  cuda::check(cudaEventRecord(slot.computed.get(), compute_.get()), "cudaEventRecord");
  cuda::check(cudaStreamWaitEvent(copy_out_.get(), slot.computed.get(), 0), "cudaStreamWaitEvent");
  copy_out(slot);
  cuda::check(cudaEventRecord(slot.done.get(), copy_out_.get()), "cudaEventRecord");
  next_ = (next_ + 1) % kDepth;
}

void TrtStream::copy_out(Slot& slot) {
#ifdef HARNESS_CUDA_KERNELS
  if (!slot.windows.empty()) {
    windows_.add(slot);
    return;
  }
#endif
  for (auto& buffer : slot.outputs) {
    cuda::check(
        cudaMemcpyAsync(buffer.host.get(), buffer.device.get(), buffer.bytes, cudaMemcpyDeviceToHost, copy_out_.get()),
        "cudaMemcpyAsync");
  }
}

#ifdef HARNESS_CUDA_KERNELS

WindowDevice* TrtStream::windows() {
  return shared_.windows_on_device ? &windows_ : nullptr;
}

void TrtStream::OwnWindows::prepare(const WindowForm& form) {
  cuda::use(stream_.shared_.device);
  windows_.prepare(form, stream_.copy_out_.get());
}

uint8_t* TrtStream::OwnWindows::labels(size_t position, size_t bytes) {
  cuda::use(stream_.shared_.device);
  return windows_.labels(position, bytes);
}

void TrtStream::OwnWindows::input_windows(size_t input, size_t output, const std::vector<CaseWindow>& windows) {
  const Extents& roi = windows_.roi();
  static_cast<void>(stream_.input(input, {{windows.size(), 1, roi[0], roi[1], roi[2]}, 5}));
  cuda::use(stream_.shared_.device);
  Slot& slot = stream_.slots_.at(stream_.next_);
  Buffer& buffer = slot.inputs[input];
  windows_.gather(windows, static_cast<float*>(buffer.device.get()), stream_.copy_in_.get());
  buffer.on_device = true;
  slot.windows = windows;
  slot.windows_output = output;
}

// Only now are the engine's actual output shapes known.
void TrtStream::OwnWindows::add(const Slot& slot) {
  const Buffer& buffer = slot.outputs[slot.windows_output];
  if (buffer.bytes != windows_.output_bytes(slot.windows.size())) {
    throw Error(Status::kFailed,
                "the engine's output '" + stream_.shared_.outputs[slot.windows_output].name +
                    "' does not have shape [windows, classes, depth, height, width]",
                "", kAgain);
  }
  windows_.add(slot.windows, static_cast<const float*>(buffer.device.get()), stream_.copy_out_.get());
}

#else

WindowDevice* TrtStream::windows() {
  return nullptr;
}

#endif

void TrtStream::compute(Slot& slot, const Work& work) {
  const bool may_record = shared_.graphs && (shared_.graphs_max_length == 0 ||
                                             work.length <= static_cast<size_t>(shared_.graphs_max_length));
  Recorded* recorded = may_record ? &recorded_[{next_, work.samples, work.length}] : nullptr;
  set_shapes(slot);
  if (recorded != nullptr && recorded->graph.get() != nullptr) {
    cuda::check(cudaGraphLaunch(recorded->graph.get(), compute_.get()), "cudaGraphLaunch");
    return;
  }
  launch();
  // The call above brought the context to these shapes, so the same call may be captured (TensorRT's guide, "CUDA
  // Graphs"). A network that cannot be captured is not tried again.
  if (recorded != nullptr && !recorded->tried) {
    recorded->tried = true;
    recorded->graph = capture();
  }
}

void TrtStream::set_shapes(Slot& slot) {
  use_profile(slot);
  for (size_t i = 0; i < slot.inputs.size(); ++i) {
    const char* name = shared_.inputs[i].name.c_str();
    if (!context_->setInputShape(name, dims_of(slot.inputs[i].shape)) ||
        !context_->setTensorAddress(name, slot.inputs[i].device.get())) {
      refuse(std::string("TensorRT rejects the shape of input '") + name + "'");
    }
  }
  for (size_t i = 0; i < slot.outputs.size(); ++i) {
    const TrtTensor& tensor = shared_.outputs[i];
    Buffer& buffer = slot.outputs[i];
    buffer.shape = shape_of(context_->getTensorShape(tensor.name.c_str()));
    buffer.bytes = buffer.shape.items() * size_of(tensor.info.dtype);
    if (buffer.bytes > tensor.largest || !context_->setTensorAddress(tensor.name.c_str(), buffer.device.get())) {
      refuse("TensorRT rejects the memory of output '" + tensor.name + "'");
    }
  }
}

bool TrtStream::holds(int profile, const Slot& slot) const {
  for (size_t i = 0; i < slot.inputs.size(); ++i) {
    const char* name = shared_.inputs[i].name.c_str();
    const auto least = shared_.engine->getProfileShape(name, profile, nvinfer1::OptProfileSelector::kMIN);
    const auto most = shared_.engine->getProfileShape(name, profile, nvinfer1::OptProfileSelector::kMAX);
    const Shape& shape = slot.inputs[i].shape;
    if (most.nbDims != static_cast<int32_t>(shape.rank)) return false;
    for (size_t axis = 0; axis < shape.rank; ++axis) {
      const auto extent = static_cast<int64_t>(shape.extents.at(axis));
      if (extent < least.d[axis] || extent > most.d[axis]) return false;
    }
  }
  return true;
}

void TrtStream::use_profile(const Slot& slot) {
  if (holds(profile_, slot)) return;
  for (int profile = 0; profile < shared_.engine->getNbOptimizationProfiles(); ++profile) {
    if (!holds(profile, slot)) continue;
    if (!context_->setOptimizationProfileAsync(profile, compute_.get())) refuse("TensorRT cannot switch profiles");
    profile_ = profile;
    return;
  }
  throw Error(Status::kFailed, "no optimisation profile of the engine covers a batch of this shape",
              std::to_string(slot.inputs.front().shape.extents.front()) + " samples",
              "rebuild the engine with the gpu_batch_size and lengths of this run");
}

void TrtStream::launch() {
  if (!context_->enqueueV3(compute_.get())) refuse("TensorRT cannot run a batch");
}

cuda::GraphExecHandle TrtStream::capture() {
  cuda::check(cudaStreamBeginCapture(compute_.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  const bool launched = context_->enqueueV3(compute_.get());
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(compute_.get(), &graph);
  const cuda::GraphHandle owned(graph);
  cudaGraphExec_t made = nullptr;
  // Fall back to individual kernel launches when the network cannot be captured.
  if (!launched || ended != cudaSuccess || cudaGraphInstantiateWithFlags(&made, graph, 0) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {};
  }
  return cuda::GraphExecHandle(made);
}

void TrtStream::wait() {
  cuda::use(shared_.device);
  cuda::check(cudaEventSynchronize(slots_.at(oldest_).done.get()), "a batch on the GPU");
  finished_ = oldest_;
  oldest_ = (oldest_ + 1) % kDepth;
}

Output TrtStream::output(size_t index) {
  const Buffer& buffer = slots_.at(finished_).outputs[index];
  return {buffer.host.get(), buffer.shape};
}

size_t TrtStream::answered() const {
  const Shape& shape = slots_.at(finished_).outputs.front().shape;
  return shape.rank == 0 ? 0 : shape.extents.front();
}

void TrtStream::refuse(const std::string& what) {
  throw Error(Status::kFailed, what, shared_.runtime->messages().last(), kAgain);
}

}  // namespace harness
