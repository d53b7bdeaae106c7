// Kind "volume" of run.json: volumes of varying size for sliding-window inference.
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

// run.json's `dataset` for this kind.
struct VolumeSpec {
  std::string folder;
  std::vector<std::string> cases;  // each is <case>.npy in the folder
  Extents roi{};                   // depth, height, width of a window
  double overlap = 0;              // share of a window, in [0, 1)
  double sigma = 0;                // of the Gaussian weights, as a share of the ROI
  size_t windows_per_batch = 1;
  std::string input;
  std::string output;
};

// A case is one float32 array [depth, height, width], padded so that windows tile it exactly; its response is the class
// of each voxel, uint8 of the same shape. An engine call may hold windows of several cases. Windows are cut and summed
// on the device where the stream supports it.
class VolumeDataset : public Dataset {
 public:
  // Throws Error (kMissing) for arrays that are absent, corrupt or not tiled exactly.
  explicit VolumeDataset(const VolumeSpec& spec);

  [[nodiscard]] size_t count() const override { return volumes_.size(); }
  // Number of windows of each case, as its length.
  [[nodiscard]] const std::vector<int32_t>& lengths() const override { return lengths_; }
  [[nodiscard]] bool proportional() const override { return true; }
  void load(const std::vector<size_t>& samples) override;
  void bind(Engine& engine) override;
  [[nodiscard]] std::string explain() const override;
  // A batch takes many engine calls. Where one thread submits and another completes, all are made here, while `collect`
  // sums; otherwise `collect` makes them.
  void enqueue(const Batch& batch, Stream& stream) const override;
  void collect(const Batch& batch, Stream& stream, Answers& answers) const override;

 private:
  struct Volume {
    NpyArray array;
    Extents extents;
    WindowGrid grid;
  };

  // Cursor over the windows of a whole batch.
  struct Walk {
    const Batch& batch;
    const std::vector<uint8_t*>& labels;  // of each sample
    WindowDevice* device = nullptr;       // nullptr: windows are cut and summed on the host
    size_t sample = 0;                    // position in the batch
    size_t window = 0;                    // of that sample
  };

  static Volume open(const std::string& path, const Extents& roi, double overlap);
  // Destinations for the classes of a batch's samples: on the device, or in `answers`.
  std::vector<uint8_t*> labels_on(WindowDevice& device, const Batch& batch, size_t depth) const;
  std::vector<uint8_t*> labels_in(Answers& answers, const Batch& batch) const;
  // The half of `collect` where another thread submits.
  void collect_fed(const Batch& batch, Stream& stream, Answers& answers) const;
  [[nodiscard]] size_t windows_of(const Batch& batch) const;
  // Enqueues the next windows and returns how many; 0 when none are left.
  size_t feed(Walk& walk, Stream& stream) const;
  // Sums the window outputs of one call.
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
