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

}  // namespace

TrtStream::TrtStream(TrtShared& shared) : shared_(shared) {
  cuda::use(shared_.device);
  copy_in_ = cuda::make_stream();
  compute_ = cuda::make_stream();
  copy_out_ = cuda::make_stream();
  contexts_ = std::make_unique<TrtContexts>(*shared_.engine, shared_.runtime->messages(), compute_.get());
  slots_.resize(shared_.depth);
  for (auto& slot : slots_) {
    slot.copied_in = cuda::make_event();
    slot.begun = cuda::make_timed_event(shared_.spins);
    slot.computed = cuda::make_event();
    slot.done = cuda::make_timed_event(shared_.spins);
    const auto fill = [this](const std::vector<TrtTensor>& tensors, std::vector<Buffer>& buffers) {
      for (const auto& tensor : tensors) {
        Buffer buffer;
        buffer.host = cuda::pinned_memory(tensor.largest);
        buffer.device = cuda::device_memory(tensor.largest);
        // A graph may compute more rows than a batch has; those must hold values that a network accepts.
        cuda::check(cudaMemsetAsync(buffer.device.get(), 0, tensor.largest, compute_.get()), "cudaMemsetAsync");
        cuda::check(cudaStreamSynchronize(compute_.get()), "cudaStreamSynchronize");
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
  cuda::check(cudaEventRecord(slot.begun.get(), compute_.get()), "cudaEventRecord");
  compute(slot, work);
  cuda::check(cudaEventRecord(slot.computed.get(), compute_.get()), "cudaEventRecord");
  cuda::check(cudaStreamWaitEvent(copy_out_.get(), slot.computed.get(), 0), "cudaStreamWaitEvent");
  copy_out(slot);
  cuda::check(cudaEventRecord(slot.done.get(), copy_out_.get()), "cudaEventRecord");
  next_ = (next_ + 1) % slots_.size();
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
  if (!windows_.prepare(form, stream_.copy_out_.get())) return;
  // Of the cases that may be in flight, so that nothing is allocated while a test runs.
  for (size_t turn = 0; turn < stream_.slots_.size(); ++turn) static_cast<void>(windows_.labels(turn, form.largest));
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
  if (const Graph* graph = graphs_.find(next_, work)) {
    for (size_t i = 0; i < slot.outputs.size(); ++i) {
      Buffer& buffer = slot.outputs[i];
      buffer.shape = graph->outputs[i];
      buffer.shape.extents.front() = work.samples;  // of a larger batch's graph, only the rows of this one
      buffer.bytes = buffer.shape.items() * size_of(shared_.outputs[i].info.dtype);
    }
    cuda::check(cudaGraphLaunch(graph->exec.get(), compute_.get()), "cudaGraphLaunch");
    return;
  }
  bind(slot);
  if (!contexts_->enqueue(compute_.get())) contexts_->refuse("TensorRT cannot run a batch");
  if (learning_ && shared_.graphs != nullptr) remember(slot, work);
}

void TrtStream::bind(Slot& slot) {
  std::vector<Bound> from;
  std::vector<Bound> to;
  for (const auto& buffer : slot.inputs) from.push_back({buffer.shape, buffer.device.get()});
  for (const auto& buffer : slot.outputs) to.push_back({{}, buffer.device.get()});
  contexts_->bind(shared_.inputs, shared_.outputs, from, to);
  for (size_t i = 0; i < to.size(); ++i) {
    slot.outputs[i].shape = to[i].shape;
    slot.outputs[i].bytes = to[i].shape.items() * size_of(shared_.outputs[i].info.dtype);
  }
}

// The call before brought the context to these shapes, so the same call may be captured (TensorRT's guide, "CUDA
// Graphs"). A capture that failed is not tried again.
void TrtStream::remember(const Slot& slot, const Work& work) {
  const bool too_long = shared_.graphs_max_length > 0 && work.length > shared_.graphs_max_length;
  if (too_long || shared_.graphs->is_over() || graphs_.was_tried(next_, work)) return;
  Graph made;
  made.exec = shared_.graphs->make(compute_.get(), [this] { return capture(); });
  for (const auto& buffer : slot.outputs) made.outputs.push_back(buffer.shape);
  graphs_.add(next_, work, std::move(made));
}

cudaGraph_t TrtStream::capture() {
  cuda::check(cudaStreamBeginCapture(compute_.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  const bool launched = contexts_->enqueue(compute_.get());
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(compute_.get(), &graph);
  if (launched && ended == cudaSuccess) return graph;
  static_cast<void>(cudaGetLastError());
  const cuda::GraphHandle unused(graph);
  return nullptr;
}

std::string TrtStream::learned() const {
  if (shared_.graphs == nullptr) return "";
  return std::to_string(graphs_.count()) + " CUDA graphs" +
         (shared_.graphs->is_over() ? ", no more fit or capture" : "");
}

void TrtStream::wait() {
  cuda::use(shared_.device);
  cuda::check(cudaEventSynchronize(slots_.at(oldest_).done.get()), "a batch on the GPU");
  const Slot& slot = slots_.at(oldest_);
  float milliseconds = 0;
  cuda::check(cudaEventElapsedTime(&milliseconds, slot.begun.get(), slot.done.get()), "cudaEventElapsedTime");
  service_ns_ = static_cast<int64_t>(static_cast<double>(milliseconds) * 1e6);
  finished_ = oldest_;
  oldest_ = (oldest_ + 1) % slots_.size();
}

Output TrtStream::output(size_t index) {
  const Buffer& buffer = slots_.at(finished_).outputs[index];
  return {buffer.host.get(), buffer.shape};
}

size_t TrtStream::answered() const {
  const Shape& shape = slots_.at(finished_).outputs.front().shape;
  return shape.rank == 0 ? 0 : shape.extents.front();
}

}  // namespace harness
