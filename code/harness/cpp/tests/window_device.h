// What the tests of the sliding window on a GPU share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "core/sliding_window.h"
#include "core/window_device.h"
#include "engines/cuda.h"

namespace harness_test {

constexpr size_t kClasses = 3;
constexpr double kOverlap = 0.5;
constexpr double kSigma = 0.125;

// Noise in [-2, 2) of `steps` different values; few of them let classes be equally good.
inline std::vector<float> noise(size_t count, uint64_t seed, uint64_t steps = 1 << 20) {
  uint64_t state = seed * 2 + 1;
  std::vector<float> out(count);
  for (auto& value : out) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = static_cast<float>((state >> 33) % steps) * (4.0F / static_cast<float>(steps)) - 2.0F;
  }
  return out;
}

struct Floats {
  explicit Floats(size_t count) : bytes(count * sizeof(float)), memory(harness::cuda::device_memory(bytes)) {}
  [[nodiscard]] float* get() const { return static_cast<float*>(memory.get()); }
  size_t bytes;
  harness::cuda::DeviceMemory memory;
};

class WindowDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      harness::cuda::require_device(0);
      harness::cuda::use(0);
    } catch (const harness::Error& error) {
      GTEST_SKIP() << error.what() << ": " << error.why();
    }
  }
};

inline harness::WindowForm form_of(const harness::Extents& roi, const std::vector<harness::Extents>& cases) {
  harness::WindowForm form{roi, kClasses, harness::window_weights(roi, kSigma), 0};
  for (const auto& extents : cases) form.largest = std::max(form.largest, harness::volume_of(extents));
  return form;
}

// Windows of all cases, one after the other, cut into calls.
inline std::vector<std::vector<harness::CaseWindow>> calls_of(const std::vector<harness::Extents>& cases,
                                                              const std::vector<std::vector<float>>& volumes,
                                                              const std::vector<uint8_t*>& labels,
                                                              const harness::Extents& roi, size_t together) {
  std::vector<std::vector<harness::CaseWindow>> calls;
  for (size_t i = 0; i < cases.size(); ++i) {
    const harness::WindowGrid grid(cases[i], roi, kOverlap);
    for (size_t w = 0; w < grid.count(); ++w) {
      if (calls.empty() || calls.back().size() == together) calls.emplace_back();
      calls.back().push_back({volumes[i].data(), cases[i], grid.origin(w), w == 0, w + 1 == grid.count(), labels[i]});
    }
  }
  return calls;
}

}  // namespace harness_test
