// The windows of a volume by themselves: places, weights, and the classes of their sums.
#include "core/sliding_window.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/error.h"

namespace {

using harness::Extents;
using harness::WindowGrid;
using harness::WindowSum;

TEST(WindowGrid, TilesAVolumeInTheOrderOfItsAxes) {
  const WindowGrid grid({8, 6, 4}, {4, 4, 4}, 0.5);
  EXPECT_EQ(grid.stride(), (Extents{2, 2, 2}));
  ASSERT_EQ(grid.count(), 6U);
  EXPECT_EQ(grid.origin(0), (Extents{0, 0, 0}));
  EXPECT_EQ(grid.origin(1), (Extents{0, 2, 0}));
  EXPECT_EQ(grid.origin(2), (Extents{2, 0, 0}));
  EXPECT_EQ(grid.origin(5), (Extents{4, 2, 0}));
  EXPECT_EQ(WindowGrid({4, 4, 4}, {4, 4, 4}, 0.5).count(), 1U);
  EXPECT_EQ(WindowGrid({4, 4, 6}, {4, 4, 4}, 0.999).stride(), (Extents{1, 1, 1})) << "a stride is one voxel at least";
}

TEST(WindowGrid, RefusesWhatWindowsDoNotTile) {
  for (const Extents& volume : {Extents{3, 4, 4}, Extents{4, 5, 4}, Extents{4, 4, 7}}) {
    EXPECT_THROW(WindowGrid(volume, {4, 4, 4}, 0.5), harness::Error);
  }
}

TEST(WindowWeights, AreGreatestInTheMiddleAndSymmetric) {
  const Extents roi = {5, 3, 4};
  const auto weights = harness::window_weights(roi, 0.125);
  ASSERT_EQ(weights.size(), 60U);
  float most = 0;
  for (size_t z = 0; z < 5; ++z) {
    for (size_t y = 0; y < 3; ++y) {
      for (size_t x = 0; x < 4; ++x) {
        const float one = weights[(z * 3 + y) * 4 + x];
        EXPECT_FLOAT_EQ(one, weights[((4 - z) * 3 + (2 - y)) * 4 + (3 - x)]);
        EXPECT_LE(one, weights[(2 * 3 + 1) * 4 + 1]);
        most = std::max(most, one);
      }
    }
  }
  EXPECT_EQ(most, 1.0F);
  // The cube root of exp(-x² / 2) one voxel from the middle along the first axis, with a deviation of 0.125 × 5.
  EXPECT_NEAR(weights[(1 * 3 + 1) * 4 + 1], std::exp(-0.5 / 0.625 / 0.625 / 3), 1e-6);
}

TEST(CutWindow, CopiesTheVoxelsOfItsPlace) {
  const Extents volume = {3, 4, 5};
  std::vector<float> voxels(60);
  for (size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<float>(i);
  std::vector<float> window(8, -1.0F);
  harness::cut_window(voxels.data(), volume, {1, 2, 3}, {2, 2, 2}, window.data());
  EXPECT_EQ(window, (std::vector<float>{33, 34, 38, 39, 53, 54, 58, 59}));
}

TEST(WindowSum, GivesTheClassOfTheGreatestWeightedSum) {
  const Extents volume = {6, 4, 4};
  const Extents roi = {4, 4, 4};
  const size_t classes = 3;
  const WindowGrid grid(volume, roi, 0.5);
  const auto weights = harness::window_weights(roi, 0.25);
  std::vector<std::vector<float>> outputs;
  for (size_t w = 0; w < grid.count(); ++w) {
    outputs.emplace_back(classes * 64);
    for (size_t i = 0; i < outputs.back().size(); ++i) outputs.back()[i] = std::sin(static_cast<float>(i * 7 + w * 31));
  }
  std::vector<double> sums(classes * 96);
  for (size_t w = 0; w < grid.count(); ++w) {
    const Extents at = grid.origin(w);
    for (size_t kind = 0; kind < classes; ++kind) {
      for (size_t i = 0; i < 64; ++i) {
        const size_t voxel = (at[0] + i / 16) * 16 + i % 16;
        sums[kind * 96 + voxel] += static_cast<double>(outputs[w][kind * 64 + i]) * static_cast<double>(weights[i]);
      }
    }
  }
  std::vector<uint8_t> labels(96, 9);
  WindowSum sum;
  for (int turn = 0; turn < 2; ++turn) {  // one object sums volume after volume
    sum.begin(volume, roi, classes);
    for (size_t w = 0; w < grid.count(); ++w) sum.add(outputs[w].data(), weights, grid.origin(w), labels.data());
    sum.finish(labels.data());
    std::set<int> seen;
    for (size_t voxel = 0; voxel < 96; ++voxel) {
      size_t best = 0;
      for (size_t kind = 1; kind < classes; ++kind) {
        if (sums[kind * 96 + voxel] > sums[best * 96 + voxel]) best = kind;
      }
      EXPECT_EQ(labels[voxel], best) << voxel;
      seen.insert(labels[voxel]);
    }
    EXPECT_EQ(seen.size(), classes);
  }
}

TEST(WindowSum, OfEqualSumsTheFirstClassWins) {
  std::vector<uint8_t> labels(8, 9);
  WindowSum sum;
  sum.begin({2, 2, 2}, {2, 2, 2}, 3);
  std::vector<float> output(24, 1.0F);
  output[16] = 2.0F;  // class 2 of the first voxel
  sum.add(output.data(), std::vector<float>(8, 1.0F), {0, 0, 0}, labels.data());
  sum.finish(labels.data());
  EXPECT_EQ(labels, (std::vector<uint8_t>{2, 0, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
