// Windows that slide over a volume, and the classes that their overlapping outputs add up to.
//
// Source of the method: MLPerf's 3D-UNet reference: windows of the ROI's size at a stride of ROI × (1 − overlap) in the
// order of the axes, outputs weighted by the cube root of a Gaussian, summed, divided by the summed weights; the class
// is the first greatest sum. The division is left out: it scales all classes of a voxel alike, so it decides nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace harness {

using Extents = std::array<size_t, 3>;  // depth, height, width

inline size_t volume_of(const Extents& extents) {
  return extents[0] * extents[1] * extents[2];
}

// Where each window of a volume begins.
class WindowGrid {
 public:
  // `overlap` in [0, 1). Throws Error (kMissing) for a volume that windows do not tile, which preprocessing pads so
  // that they do.
  WindowGrid(const Extents& volume, const Extents& roi, double overlap);

  [[nodiscard]] size_t count() const { return volume_of(steps_); }
  // First voxel of window `index`; the last axis runs fastest.
  [[nodiscard]] Extents origin(size_t index) const;
  [[nodiscard]] const Extents& stride() const { return stride_; }

 private:
  Extents stride_{};
  Extents steps_{};
};

// Weights of a window's voxels, float32 of the ROI's size: the cube root of a Gaussian with `sigma` × the ROI's extent
// as its standard deviation, over its maximum.
std::vector<float> window_weights(const Extents& roi, double sigma);

// Copies a window's voxels out of a volume.
void cut_window(const float* volume, const Extents& extents, const Extents& origin, const Extents& roi, float* window);

// Sums window outputs in the order of a grid and gives the classes. It holds one window's depth of the volume: planes
// that no later window reaches are turned into classes at once.
class WindowSum {
 public:
  // Begins a volume. `classes` outputs for each voxel.
  void begin(const Extents& volume, const Extents& roi, size_t classes);
  // Adds the output [classes, roi] of the window at `origin`. Windows come in the order of their grid. Classes of
  // planes that are complete by then go to `labels`, uint8 of the volume's size.
  void add(const float* output, const std::vector<float>& weights, const Extents& origin, uint8_t* labels);
  // The planes that are left.
  void finish(uint8_t* labels);

 private:
  // Turns planes up to `plane` into classes and makes room for as many behind them.
  void settle(size_t plane, uint8_t* labels);
  float* row(size_t kind, size_t plane, size_t line);

  Extents volume_{};
  Extents roi_{};
  size_t classes_ = 0;
  size_t first_ = 0;        // first plane that is not settled
  std::vector<float> sum_;  // [classes, roi depth, height, width]; plane p is at p modulo the roi's depth
};

}  // namespace harness
