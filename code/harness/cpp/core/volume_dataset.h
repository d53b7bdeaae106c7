// Volumes of varying size that a window slides over (kind "volume" of run.json).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/npy.h"
#include "core/sliding_window.h"
#include "core/window_device.h"

namespace harness {

// Its part of run.json.
struct VolumeSpec {
  std::string folder;
  std::vector<std::string> cases;  // each is <case>.npy in the folder
  Extents roi{};                   // depth, height, width of a window
  double overlap = 0;              // of two windows, in [0, 1)
  double sigma = 0;                // of the weights' Gaussian, as a share of the ROI
  size_t windows_per_batch = 1;
  std::string input;
  std::string output;
};

// A case is one float32 array [depth, height, width], padded so that windows tile it; its response is uint8 of the same
// shape, the class of each voxel. Windows of one or several cases fill a call into the engine, and are cut and added up
// on its device where the stream has that.
class VolumeDataset : public Dataset {
 public:
  // Throws Error (kMissing) for arrays that are absent, broken or not tiled.
  explicit VolumeDataset(const VolumeSpec& spec);

  [[nodiscard]] size_t count() const override { return volumes_.size(); }
  // Windows of each case.
  [[nodiscard]] const std::vector<int32_t>& lengths() const override { return lengths_; }
  [[nodiscard]] bool proportional() const override { return true; }
  void load(const std::vector<size_t>& samples) override;
  void bind(Engine& engine) override;
  [[nodiscard]] std::string explain() const override;
  // Nothing yet: a batch is many calls, all made by `collect`.
  void enqueue(const Batch& /*batch*/, Stream& /*stream*/) const override {}
  void collect(const Batch& batch, Stream& stream, Answers& answers) const override;

 private:
  struct Volume {
    NpyArray array;
    Extents extents;
    WindowGrid grid;
  };

  // Windows of the whole batch, one after the other.
  struct Walk {
    const Batch& batch;
    const std::vector<uint8_t*>& labels;  // of each sample
    WindowDevice* device = nullptr;       // nullptr: this machine's processor cuts and adds
    size_t sample = 0;                    // position in the batch
    size_t window = 0;                    // of that sample
  };

  static Volume open(const std::string& path, const Extents& roi, double overlap);
  // Where the classes of a batch's samples go.
  std::vector<uint8_t*> labels_of(const Batch& batch, WindowDevice* device, Answers& answers) const;
  // Gives the engine its next windows and returns how many; 0 when none is left.
  size_t feed(Walk& walk, Stream& stream) const;
  // Adds up the windows of a call.
  void sum(Walk& walk, size_t windows, Stream& stream, WindowSum& sums, Answers& answers) const;

  Extents roi_{};
  size_t windows_per_batch_;
  std::string input_;
  std::string output_;
  size_t input_port_ = 0;
  size_t output_port_ = 0;
  bool computes_ = true;
  std::vector<Volume> volumes_;
  std::vector<int32_t> lengths_;
  WindowForm form_;
};

OpenDataset read_volumes(size_t count, Reader& in);

}  // namespace harness
