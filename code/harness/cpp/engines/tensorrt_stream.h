// One lane of a TensorRT engine.
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/window_device.h"
#include "engines/cuda.h"
#include "engines/tensorrt_runtime.h"
#ifdef HARNESS_CUDA_KERNELS
#include "engines/cuda_windows.h"
#endif

namespace harness {

struct TrtTensor {
  std::string name;
  TensorInfo info;
  bool is_input = false;
  size_t largest = 0;              // bytes, over all profiles
  const void* resident = nullptr;  // the whole array in device memory, with start_from_device
  size_t row_bytes = 0;            // bytes of one row of it
};

// State shared by the lanes of one engine.
struct TrtShared {
  int device = 0;
  std::shared_ptr<TrtRuntime> runtime;  // outlives the engine
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  std::vector<TrtTensor> inputs;
  std::vector<TrtTensor> outputs;
  bool graphs = false;
  int graphs_max_length = 0;
  bool windows_on_device = false;
};

// Two calls may be in flight: while one computes, the next one's inputs are copied in and the previous one's outputs
// out, each on its own CUDA stream, ordered by events. Each call has its own page-locked and device buffers. With
// use_graphs, a shape is captured as a CUDA graph the second time it occurs. With sliding_window_on_device, windows are
// cut on the copy-in stream and summed on the copy-out stream.
class TrtStream : public Stream {
 public:
  explicit TrtStream(TrtShared& shared);
  ~TrtStream() override;
  TrtStream(const TrtStream&) = delete;
  TrtStream& operator=(const TrtStream&) = delete;
  TrtStream(TrtStream&&) = delete;
  TrtStream& operator=(TrtStream&&) = delete;

  [[nodiscard]] size_t depth() const override { return kDepth; }
  void* input(size_t index, const Shape& shape) override;
  [[nodiscard]] bool has_rows(size_t index) const override { return shared_.inputs[index].resident != nullptr; }
  void input_rows(size_t index, const Shape& shape, const std::vector<uint32_t>& rows) override;
  WindowDevice* windows() override;
  void enqueue(const Work& work) override;
  void wait() override;
  Output output(size_t index) override;
  [[nodiscard]] size_t answered() const override;

 private:
  static constexpr size_t kDepth = 2;

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
    cuda::EventHandle computed;
    cuda::EventHandle done;
  };

  // The graph of a shape, or how often the shape occurred before capture.
  struct Recorded {
    bool tried = false;
    cuda::GraphExecHandle graph;
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
  void set_shapes(Slot& slot);
  void use_profile(const Slot& slot);
  [[nodiscard]] bool holds(int profile, const Slot& slot) const;
  void compute(Slot& slot, const Work& work);
  void launch();
  [[nodiscard]] cuda::GraphExecHandle capture();
  [[noreturn]] void refuse(const std::string& what);

  TrtShared& shared_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  cuda::StreamHandle copy_in_;
  cuda::StreamHandle compute_;
  cuda::StreamHandle copy_out_;
  std::array<Slot, kDepth> slots_;
#ifdef HARNESS_CUDA_KERNELS
  OwnWindows windows_{*this};
#endif
  std::map<std::array<size_t, 3>, Recorded> recorded_;  // slot, samples, length
  size_t next_ = 0;                                     // slot of the next call
  size_t oldest_ = 0;                                   // slot of the oldest call under way
  size_t finished_ = 0;                                 // slot of the last call waited for
  int profile_ = 0;
};

}  // namespace harness
