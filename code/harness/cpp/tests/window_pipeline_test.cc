// The sliding window on a GPU in a pipeline of two calls under way, driven by the data set.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/volume_dataset.h"
#include "core/window_device.h"
#include "engines/cuda.h"
#include "engines/cuda_windows.h"
#include "process.h"
#include "window_device.h"

namespace {

using harness::CaseWindow;
using harness::Extents;
using harness::Output;
using harness::Shape;
using harness::volume_of;
using harness::WindowForm;
using harness::Work;
using harness::cuda::check;
using harness_test::Floats;
using harness_test::kClasses;
using harness_test::kOverlap;
using harness_test::kSigma;
using harness_test::noise;
using harness_test::WindowDeviceTest;

// A network that answers with the window itself, and with noise that depends on the call.
class Network {
 public:
  explicit Network(size_t voxels) : bank_(noise(2 * voxels, 77)) {}
  [[nodiscard]] const std::vector<float>& bank() const { return bank_; }
  [[nodiscard]] size_t shift(size_t call, size_t window) const { return (call * 13 + window * 5) % (bank_.size() / 2); }

 private:
  std::vector<float> bank_;
};

class HostStream : public harness::Stream {
 public:
  explicit HostStream(const Network& network) : network_(network) {}
  void* input(size_t /*index*/, const Shape& shape) override {
    shape_ = shape;
    input_.resize(shape.items());
    return input_.data();
  }
  void enqueue(const Work& work) override {
    const size_t voxels = input_.size() / work.samples;
    output_.resize(input_.size() * kClasses);
    for (size_t w = 0; w < work.samples; ++w) {
      float* to = output_.data() + w * kClasses * voxels;
      std::copy_n(input_.data() + w * voxels, voxels, to);
      std::copy_n(network_.bank().data(), voxels, to + voxels);
      std::copy_n(network_.bank().data() + network_.shift(call_, w), voxels, to + 2 * voxels);
    }
    ++call_;
  }
  void wait() override {}
  Output output(size_t /*index*/) override {
    return {output_.data(), {{answered(), kClasses, shape_.extents[2], shape_.extents[3], shape_.extents[4]}, 5}};
  }
  [[nodiscard]] size_t answered() const override { return shape_.extents.front(); }

 private:
  const Network& network_;
  Shape shape_;
  std::vector<float> input_;
  std::vector<float> output_;
  size_t call_ = 0;
};

// Streams, slots and events as in engines/tensorrt_stream.cc.
class CudaStream : public harness::Stream, public harness::WindowDevice {
 public:
  CudaStream(const Network& network, const Extents& roi, size_t together)
      : network_(network), voxels_(volume_of(roi)), bank_(network.bank().size()) {
    for (auto& slot : slots_) {
      slot.input = std::make_unique<Floats>(together * voxels_);
      slot.output = std::make_unique<Floats>(together * kClasses * voxels_);
    }
    check(cudaMemcpyAsync(bank_.get(), network.bank().data(), bank_.bytes, cudaMemcpyHostToDevice, in_.get()), "copy");
    check(cudaStreamSynchronize(in_.get()), "cudaStreamSynchronize");
  }
  [[nodiscard]] size_t depth() const override { return 2; }
  void* input(size_t /*index*/, const Shape& /*shape*/) override { return nullptr; }
  harness::WindowDevice* windows() override { return this; }
  void prepare(const WindowForm& form) override { windows_.prepare(form, out_.get()); }
  uint8_t* labels(size_t position, size_t bytes) override { return windows_.labels(position, bytes); }
  void input_windows(size_t /*input*/, size_t /*output*/, const std::vector<CaseWindow>& windows) override {
    slots_.at(next_).windows = windows;
    windows_.gather(windows, slots_.at(next_).input->get(), in_.get());
  }
  void enqueue(const Work& work) override {
    Slot& slot = slots_.at(next_);
    check(cudaEventRecord(slot.copied_in.get(), in_.get()), "cudaEventRecord");
    check(cudaStreamWaitEvent(compute_.get(), slot.copied_in.get(), 0), "cudaStreamWaitEvent");
    // What is added too early or too late is not a number.
    check(cudaMemsetAsync(slot.output->get(), 0xff, slot.output->bytes, compute_.get()), "cudaMemsetAsync");
    for (size_t w = 0; w < work.samples; ++w) {
      float* to = slot.output->get() + w * kClasses * voxels_;
      copy(slot.input->get() + w * voxels_, to);
      copy(bank_.get(), to + voxels_);
      copy(bank_.get() + network_.shift(call_, w), to + 2 * voxels_);
    }
    ++call_;
    check(cudaMemsetAsync(slot.input->get(), 0xff, slot.input->bytes, compute_.get()), "cudaMemsetAsync");
    check(cudaEventRecord(slot.computed.get(), compute_.get()), "cudaEventRecord");
    check(cudaStreamWaitEvent(out_.get(), slot.computed.get(), 0), "cudaStreamWaitEvent");
    windows_.add(slot.windows, slot.output->get(), out_.get());
    check(cudaEventRecord(slot.done.get(), out_.get()), "cudaEventRecord");
    next_ = (next_ + 1) % slots_.size();
  }
  void wait() override {
    check(cudaEventSynchronize(slots_.at(oldest_).done.get()), "cudaEventSynchronize");
    answered_ = slots_.at(oldest_).windows.size();
    oldest_ = (oldest_ + 1) % slots_.size();
  }
  Output output(size_t /*index*/) override {
    ADD_FAILURE() << "outputs stay on the device";
    return {};
  }
  [[nodiscard]] size_t answered() const override { return answered_; }

 private:
  struct Slot {
    std::unique_ptr<Floats> input;
    std::unique_ptr<Floats> output;
    std::vector<CaseWindow> windows;
    harness::cuda::EventHandle copied_in = harness::cuda::make_event();
    harness::cuda::EventHandle computed = harness::cuda::make_event();
    harness::cuda::EventHandle done = harness::cuda::make_event();
  };

  void copy(const float* from, float* to) {
    check(cudaMemcpyAsync(to, from, voxels_ * sizeof(float), cudaMemcpyDeviceToDevice, compute_.get()), "copy");
  }

  const Network& network_;
  size_t voxels_;
  Floats bank_;
  harness::cuda::StreamHandle in_ = harness::cuda::make_stream();
  harness::cuda::StreamHandle compute_ = harness::cuda::make_stream();
  harness::cuda::StreamHandle out_ = harness::cuda::make_stream();
  std::array<Slot, 2> slots_;
  harness::cuda::Windows windows_;
  size_t next_ = 0;
  size_t oldest_ = 0;
  size_t answered_ = 0;
  size_t call_ = 0;
};

// Names the ports that the data set looks for.
class Ports : public harness::Engine {
 public:
  [[nodiscard]] const std::vector<harness::TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<harness::TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<harness::Stream> stream() override { return nullptr; }

 private:
  std::vector<harness::TensorInfo> inputs_ = {{"input", harness::DType::kFloat32}};
  std::vector<harness::TensorInfo> outputs_ = {{"output", harness::DType::kFloat32}};
};

TEST_F(WindowDeviceTest, CallsThatHoldWindowsOfSeveralCasesOverlapWithoutATrace) {
  const Extents roi{32, 32, 32};
  const std::vector<Extents> cases = {{32, 32, 32}, {96, 64, 80}, {32, 48, 32}, {64, 160, 96}, {48, 32, 32}};
  for (const size_t together : {1, 2, 5, 16}) {
    const harness_test::Folder folder;
    harness::VolumeSpec spec;
    spec.folder = folder.path();
    for (size_t i = 0; i < cases.size(); ++i) {
      spec.cases.push_back("case_" + std::to_string(i));
      harness_test::write_npy_floats(folder.file(spec.cases.back() + ".npy"), {cases[i][0], cases[i][1], cases[i][2]},
                                     noise(volume_of(cases[i]), i));
    }
    spec.roi = roi;
    spec.overlap = kOverlap;
    spec.sigma = kSigma;
    spec.windows_per_batch = together;
    spec.input = "input";
    spec.output = "output";
    harness::VolumeDataset dataset(spec);
    Ports ports;
    dataset.bind(ports);
    const Network network(volume_of(roi));
    HostStream host(network);
    CudaStream device(network, roi, together);
    harness::Answers from_host;
    harness::Answers from_device;
    harness::Batch batch;
    for (int again = 0; again < 3; ++again) {
      batch.clear();
      for (uint32_t i = 0; i < cases.size(); ++i)
        batch.add(50 + i, (i + static_cast<uint32_t>(again)) % cases.size(), 1);
      dataset.collect(batch, host, from_host);
      dataset.collect(batch, device, from_device);
      ASSERT_EQ(from_host.responses.size(), cases.size());
      ASSERT_EQ(from_device.responses.size(), cases.size());
      for (size_t i = 0; i < cases.size(); ++i) {
        const auto& wanted = from_host.responses[i];
        const auto& found = from_device.responses[i];
        ASSERT_EQ(found.id, wanted.id);
        ASSERT_EQ(found.size, wanted.size);
        EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(found.data), reinterpret_cast<const void*>(wanted.data),
                              wanted.size),
                  0)
            << "case " << i << ", " << together << " windows together";
      }
    }
  }
}

}  // namespace
