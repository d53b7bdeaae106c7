// Sliding-window inference over a volume: window positions, weights and the sum of overlapping outputs.
//
// Source: MLPerf's 3D-UNet reference. Windows have the ROI's size and a stride of ROI × (1 − overlap), in the order of
// the axes; outputs are weighted by the cube root of a Gaussian, summed, and divided by the summed weights; argmax
// gives the class. The division is omitted: it scales all classes of a voxel alike and does not change the argmax.
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

// Origins of a volume's windows.
class WindowGrid {
 public:
  // `overlap` in [0, 1). Throws Error (kMissing) for a volume that windows do not tile exactly; preprocessing pads
  // volumes so that they do.
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

// Copies the voxels of one window out of a volume.
void cut_window(const float* volume, const Extents& extents, const Extents& origin, const Extents& roi, float* window);

// Sums window outputs in grid order and takes the argmax. It holds one window's depth of planes: a plane that no later
// window reaches is converted to classes at once.
class WindowSum {
 public:
  // Starts a volume with `classes` outputs per voxel.
  void begin(const Extents& volume, const Extents& roi, size_t classes);
  // Adds the output [classes, roi] of the window at `origin`. Windows must come in grid order. Classes of completed
  // planes are written to `labels`, uint8 of the volume's size.
  void add(const float* output, const std::vector<float>& weights, const Extents& origin, uint8_t* labels);
  // Converts the remaining planes.
  void finish(uint8_t* labels);

 private:
  // Converts planes below `plane` to classes and clears their buffers for later planes.
  void settle(size_t plane, uint8_t* labels);
  float* row(size_t kind, size_t plane, size_t line);

  Extents volume_{};
  Extents roi_{};
  size_t classes_ = 0;
  size_t first_ = 0;        // first plane without classes
  std::vector<float> sum_;  // [classes, roi depth, height, width]; plane p is at p modulo the roi's depth
};

}  // namespace harness
