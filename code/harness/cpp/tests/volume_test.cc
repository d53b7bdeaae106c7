#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/npy.h"
#include "core/volume_dataset.h"
#include "core/window_device.h"
#include "process.h"

namespace {

using harness::Answers;
using harness::Batch;
using harness::DType;
using harness::Extents;
using harness::Output;
using harness::Shape;
using harness::TensorInfo;
using harness::WindowGrid;
using harness::Work;
using harness_test::Folder;
using harness_test::write_npy_floats;

constexpr size_t kClasses = 3;

// What a network of three classes might say of a voxel: it depends on the voxel and, so that windows disagree, on its
// place in the window.
float score(float voxel, size_t kind, size_t place) {
  return std::sin(voxel * static_cast<float>(kind + 1) + static_cast<float>(place % 7) * 0.3F);
}

class ScoreStream : public harness::Stream {
 public:
  explicit ScoreStream(size_t depth, size_t short_by) : depth_(depth), short_by_(short_by) {}
  [[nodiscard]] size_t depth() const override { return depth_; }
  void* input(size_t /*index*/, const Shape& shape) override {
    shape_ = shape;
    inputs_.emplace_back(shape.items());
    return inputs_.back().data();
  }
  void enqueue(const Work& work) override { samples_.push_back(work.samples); }
  void wait() override {
    answered_ = samples_.front() - short_by_;
    samples_.erase(samples_.begin());
    const std::vector<float> input = inputs_.front();
    inputs_.erase(inputs_.begin());
    const size_t voxels = shape_.extents[2] * shape_.extents[3] * shape_.extents[4];
    const size_t windows = input.size() / voxels;
    output_.assign(windows * kClasses * voxels, 0.0F);
    for (size_t w = 0; w < windows; ++w) {
      for (size_t kind = 0; kind < kClasses; ++kind) {
        for (size_t i = 0; i < voxels; ++i) {
          output_[(w * kClasses + kind) * voxels + i] = score(input[w * voxels + i], kind, i);
        }
      }
    }
    windows_ = windows;
  }
  Output output(size_t /*index*/) override {
    return {output_.data(), {{windows_, kClasses, shape_.extents[2], shape_.extents[3], shape_.extents[4]}, 5}};
  }
  [[nodiscard]] size_t answered() const override { return answered_; }

 private:
  size_t depth_;
  size_t short_by_;
  Shape shape_;
  std::vector<std::vector<float>> inputs_;
  std::vector<size_t> samples_;
  std::vector<float> output_;
  size_t windows_ = 0;
  size_t answered_ = 0;
};

// The same, with the windows on its device, which here is this machine.
class DeviceStream : public ScoreStream, public harness::WindowDevice {
 public:
  using ScoreStream::ScoreStream;
  harness::WindowDevice* windows() override { return this; }
  void prepare(const harness::WindowForm& form) override { form_ = form; }
  uint8_t* labels(size_t position, size_t bytes) override {
    if (position >= labels_.size()) labels_.resize(position + 1);
    labels_[position].assign(bytes, 9);
    return labels_[position].data();
  }
  void input_windows(size_t input, size_t output, const std::vector<harness::CaseWindow>& windows) override {
    EXPECT_EQ(output, 0U);
    const Extents& roi = form_.roi;
    auto* to = static_cast<float*>(ScoreStream::input(input, {{windows.size(), 1, roi[0], roi[1], roi[2]}, 5}));
    for (const auto& window : windows) {
      EXPECT_LE(harness::volume_of(window.extents), form_.largest);
      harness::cut_window(window.volume, window.extents, window.origin, roi, to);
      to += harness::volume_of(roi);
    }
    calls_.push_back(windows);
  }
  void wait() override {
    ScoreStream::wait();
    const auto* from = static_cast<const float*>(ScoreStream::output(0).data);
    for (const auto& window : calls_.front()) {
      if (window.first) sum_.begin(window.extents, form_.roi, form_.classes);
      sum_.add(from, form_.weights, window.origin, window.labels);
      if (window.last) sum_.finish(window.labels);
      from += form_.classes * harness::volume_of(form_.roi);
    }
    calls_.pop_front();
  }
  Output output(size_t /*index*/) override {
    ADD_FAILURE() << "outputs stay on the device";
    return {};
  }

 private:
  harness::WindowForm form_;
  harness::WindowSum sum_;
  std::deque<std::vector<harness::CaseWindow>> calls_;
  std::vector<std::vector<uint8_t>> labels_;
};

class ScoreEngine : public harness::Engine {
 public:
  explicit ScoreEngine(size_t depth, size_t short_by = 0, bool on_device = false)
      : depth_(depth), short_by_(short_by), on_device_(on_device) {}
  // One whose tensors are others.
  ScoreEngine(TensorInfo input, TensorInfo output) : ScoreEngine(1) {
    inputs_ = {std::move(input)};
    outputs_ = {std::move(output)};
  }
  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<harness::Stream> stream() override {
    if (on_device_) return std::make_unique<DeviceStream>(depth_, short_by_);
    return std::make_unique<ScoreStream>(depth_, short_by_);
  }

 private:
  size_t depth_;
  size_t short_by_;
  bool on_device_;
  std::vector<TensorInfo> inputs_ = {{"input", DType::kFloat32}};
  std::vector<TensorInfo> outputs_ = {{"output", DType::kFloat32}};
};

std::vector<float> noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> out(count);
  for (auto& value : out) value = static_cast<float>(random() % 1000) / 250.0F - 2.0F;
  return out;
}

// The reference's way, word for word: whole arrays, every window, division by the summed weights, first greatest class.
std::vector<uint8_t> reference(const std::vector<float>& volume, const Extents& extents, const Extents& roi,
                               const Extents& stride, const std::vector<float>& weights) {
  const size_t voxels = harness::volume_of(extents);
  std::vector<float> sum(kClasses * voxels, 0.0F);
  std::vector<float> norm(voxels, 0.0F);
  for (size_t z = 0; z + roi[0] <= extents[0]; z += stride[0]) {
    for (size_t y = 0; y + roi[1] <= extents[1]; y += stride[1]) {
      for (size_t x = 0; x + roi[2] <= extents[2]; x += stride[2]) {
        for (size_t i = 0; i < harness::volume_of(roi); ++i) {
          const size_t at =
              ((z + i / (roi[1] * roi[2])) * extents[1] + y + i / roi[2] % roi[1]) * extents[2] + x + i % roi[2];
          for (size_t kind = 0; kind < kClasses; ++kind)
            sum[kind * voxels + at] += score(volume[at], kind, i) * weights[i];
          norm[at] += weights[i];
        }
      }
    }
  }
  std::vector<uint8_t> out(voxels);
  for (size_t at = 0; at < voxels; ++at) {
    size_t best = 0;
    for (size_t kind = 1; kind < kClasses; ++kind) {
      if (sum[kind * voxels + at] / norm[at] > sum[best * voxels + at] / norm[at]) best = kind;
    }
    out[at] = static_cast<uint8_t>(best);
  }
  return out;
}

harness::VolumeSpec volumes(const Folder& folder, const std::vector<Extents>& cases, size_t windows_per_batch) {
  harness::VolumeSpec spec;
  spec.folder = folder.path();
  for (size_t i = 0; i < cases.size(); ++i) {
    spec.cases.push_back("case_" + std::to_string(i));
    write_npy_floats(folder.file(spec.cases.back() + ".npy"), {cases[i][0], cases[i][1], cases[i][2]},
                     noise(harness::volume_of(cases[i]), static_cast<unsigned>(i)));
  }
  spec.roi = {8, 4, 4};
  spec.overlap = 0.5;
  spec.sigma = 0.125;
  spec.windows_per_batch = windows_per_batch;
  spec.input = "input";
  spec.output = "output";
  return spec;
}

TEST(VolumeDataset, ClassesAreThoseOfTheReferenceForVolumesOfAnySize) {
  const std::vector<Extents> cases = {{8, 4, 4}, {24, 10, 12}, {12, 4, 6}, {40, 16, 4}};
  for (const size_t windows_per_batch : {1, 3, 64}) {
    for (const size_t lane : {1, 2, 3, 4}) {
      const size_t depth = (lane + 1) / 2;
      const bool on_device = lane % 2 == 0;
      const Folder folder;
      harness::VolumeDataset dataset(volumes(folder, cases, windows_per_batch));
      EXPECT_EQ(dataset.lengths(), (std::vector<int32_t>{1, 5 * 4 * 5, 2 * 1 * 2, 9 * 7 * 1}));
      ScoreEngine engine(depth, 0, on_device);
      dataset.bind(engine);
      const auto stream = engine.stream();
      Batch batch;
      for (uint32_t i = 0; i < cases.size(); ++i) batch.add(50 + i, i, dataset.lengths()[i]);
      Answers answers;
      size_t calls = 0;
      answers.alive = [&calls] { ++calls; };
      for (int again = 0; again < 2; ++again) {
        dataset.enqueue(batch, *stream);
        dataset.collect(batch, *stream, answers);
        ASSERT_EQ(answers.responses.size(), cases.size());
        for (size_t i = 0; i < cases.size(); ++i) {
          const size_t voxels = harness::volume_of(cases[i]);
          const auto wanted = reference(noise(voxels, static_cast<unsigned>(i)), cases[i], {8, 4, 4}, {4, 2, 2},
                                        harness::window_weights({8, 4, 4}, 0.125));
          ASSERT_EQ(answers.responses[i].size, voxels);
          EXPECT_EQ(answers.responses[i].id, 50 + i);
          EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(answers.responses[i].data), wanted.data(), voxels), 0);
        }
      }
      EXPECT_EQ(calls, 2 * ((1 + 100 + 4 + 63 + windows_per_batch - 1) / windows_per_batch));
    }
  }
}

TEST(VolumeDataset, AnAnswerThatIsTooShortLeavesTheSampleUnanswered) {
  const Folder folder;
  harness::VolumeDataset dataset(volumes(folder, {{8, 4, 4}, {12, 4, 4}}, 2));
  ScoreEngine engine(1, 1);
  dataset.bind(engine);
  const auto stream = engine.stream();
  Batch batch;
  batch.add(1, 0, 1);
  batch.add(2, 1, 2);
  Answers answers;
  dataset.collect(batch, *stream, answers);
  EXPECT_LT(answers.responses.size(), 2U);
}

TEST(VolumeDataset, RefusesAnEngineOfOtherTensors) {
  const Folder folder;
  harness::VolumeDataset dataset(volumes(folder, {{8, 4, 4}}, 1));
  const auto refused = [&](const TensorInfo& input, const TensorInfo& output) {
    ScoreEngine engine(input, output);
    try {
      dataset.bind(engine);
    } catch (const harness::Error& error) {
      EXPECT_EQ(error.status(), harness::Status::kFailed);
      EXPECT_NE(error.next_step().find("--model_path"), std::string::npos);
      return error.what() + std::string(": ") + error.why();
    }
    return std::string("nothing");
  };
  const TensorInfo input = {"input", DType::kFloat32};
  const TensorInfo output = {"output", DType::kFloat32};
  EXPECT_EQ(refused(input, output), "nothing");
  EXPECT_EQ(refused({"image", DType::kFloat32}, output), "the engine has no input 'input': it has image");
  EXPECT_EQ(refused(input, {"scores", DType::kFloat32}), "the engine has no output 'output': it has scores");
  const std::string why = "volumes are float32, and so are the scores of their voxels";
  EXPECT_EQ(refused({"input", DType::kFloat16}, output), "the engine's input 'input' is not float32: " + why);
  EXPECT_EQ(refused(input, {"output", DType::kInt8}), "the engine's output 'output' is not float32: " + why);
}

TEST(VolumeDataset, RefusesWhatWindowsDoNotTile) {
  const Folder folder;
  for (const Extents& extents : {Extents{8, 4, 5}, Extents{7, 4, 4}, Extents{8, 2, 4}}) {
    EXPECT_THROW(harness::VolumeDataset(volumes(folder, {extents}, 1)), harness::Error);
  }
  auto spec = volumes(folder, {{8, 4, 4}}, 1);
  spec.cases = {"case_9"};
  EXPECT_THROW(harness::VolumeDataset{spec}, harness::Error);
}

TEST(WindowWeights, AreTheCubeRootOfAGaussianOverItsMaximum) {
  const auto weights = harness::window_weights({4, 4, 4}, 0.125);
  // SciPy: cbrt of the outer products of windows.gaussian(4, 0.5), over the maximum.
  EXPECT_NEAR(weights[0], std::exp(-4.0), 1e-6);
  EXPECT_NEAR(weights[1], std::exp(-8.0 / 3), 1e-6);
  EXPECT_FLOAT_EQ(weights[1 * 16 + 1 * 4 + 1], 1.0F);
}

TEST(WindowGrid, LastAxisRunsFastest) {
  const WindowGrid grid({12, 6, 8}, {8, 4, 4}, 0.5);
  EXPECT_EQ(grid.count(), 2U * 2 * 3);
  EXPECT_EQ(grid.origin(1), (Extents{0, 0, 2}));
  EXPECT_EQ(grid.origin(3), (Extents{0, 2, 0}));
  EXPECT_EQ(grid.origin(6), (Extents{4, 0, 0}));
}

}  // namespace
