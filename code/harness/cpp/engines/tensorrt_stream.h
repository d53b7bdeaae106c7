// One lane of a TensorRT engine.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/window_device.h"
#include "engines/cuda.h"
#include "engines/tensorrt_contexts.h"
#include "engines/tensorrt_graphs.h"
#include "engines/tensorrt_runtime.h"
#ifdef HARNESS_CUDA_KERNELS
#include "engines/cuda_windows.h"
#endif

namespace harness {

// State shared by the lanes of one engine.
struct TrtShared {
  int device = 0;
  std::shared_ptr<TrtRuntime> runtime;  // outlives the engine
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  std::vector<TrtTensor> inputs;
  std::vector<TrtTensor> outputs;
  std::unique_ptr<GraphBudget> graphs;  // nullptr: no graphs
  size_t graphs_max_length = 0;         // 0: any
  size_t depth = 2;                     // calls in flight in a lane
  bool spins = false;
  bool windows_on_device = false;
};

// Several calls may be in flight, one more than the field gpu_copy_streams: while one computes, the next ones' inputs
// are copied in and the previous one's outputs out, each on its own CUDA stream, ordered by events. Each call has its
// own page-locked and device buffers. With use_graphs, each shape that warm-up meets is captured as a CUDA graph. With
// sliding_window_on_device, windows are cut on the copy-in stream and summed on the copy-out stream.
class TrtStream : public Stream {
 public:
  explicit TrtStream(TrtShared& shared);
  ~TrtStream() override;
  TrtStream(const TrtStream&) = delete;
  TrtStream& operator=(const TrtStream&) = delete;
  TrtStream(TrtStream&&) = delete;
  TrtStream& operator=(TrtStream&&) = delete;

  [[nodiscard]] size_t depth() const override { return slots_.size(); }
  [[nodiscard]] bool splits() const override { return slots_.size() > 1; }
  void learn(bool on) override { learning_ = on; }
  [[nodiscard]] std::string learned() const override;
  void* input(size_t index, const Shape& shape) override;
  [[nodiscard]] bool has_rows(size_t index) const override { return shared_.inputs[index].resident != nullptr; }
  void input_rows(size_t index, const Shape& shape, const std::vector<uint32_t>& rows) override;
  WindowDevice* windows() override;
  void enqueue(const Work& work) override;
  void wait() override;
  Output output(size_t index) override;
  [[nodiscard]] size_t answered() const override;
  [[nodiscard]] int64_t service_ns() const override { return service_ns_; }

 private:
  struct Buffer {
    cuda::PinnedMemory host;
    cuda::DeviceMemory device;
    size_t bytes = 0;  // of this call
    Shape shape;
    bool on_device = false;  // the input was gathered on the device
  };

  struct Slot {
    std::vector<Buffer> inputs;
    std::vector<Buffer> outputs;
    std::vector<CaseWindow> windows;  // this call's windows, if summed on the device
    size_t windows_output = 0;        // index of the output to add
    cuda::EventHandle copied_in;
    cuda::EventHandle begun;  // computing, which does not wait for earlier calls any more
    cuda::EventHandle computed;
    cuda::EventHandle done;
  };

#ifdef HARNESS_CUDA_KERNELS
  class OwnWindows : public WindowDevice {
   public:
    explicit OwnWindows(TrtStream& stream) : stream_(stream) {}
    void prepare(const WindowForm& form) override;
    uint8_t* labels(size_t position, size_t bytes) override;
    void input_windows(size_t input, size_t output, const std::vector<CaseWindow>& windows) override;
    void add(const Slot& slot);

   private:
    TrtStream& stream_;
    cuda::Windows windows_;
  };
#endif

  void copy_out(Slot& slot);
  void compute(Slot& slot, const Work& work);
  void bind(Slot& slot);
  // The stream's part of a capture; nullptr where the network cannot be captured.
  cudaGraph_t capture();
  void remember(const Slot& slot, const Work& work);

  TrtShared& shared_;
  cuda::StreamHandle copy_in_;
  cuda::StreamHandle compute_;
  cuda::StreamHandle copy_out_;
  std::unique_ptr<TrtContexts> contexts_;
  std::vector<Slot> slots_;
#ifdef HARNESS_CUDA_KERNELS
  OwnWindows windows_{*this};
#endif
  Graphs graphs_;
  bool learning_ = false;
  size_t next_ = 0;         // slot of the next call; of the submitting thread
  size_t oldest_ = 0;       // slot of the oldest call under way; these are of the completing thread
  size_t finished_ = 0;     // slot of the last call waited for
  int64_t service_ns_ = 0;  // of that call
};

}  // namespace harness
