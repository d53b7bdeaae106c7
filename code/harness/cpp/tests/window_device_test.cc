// The sliding window on a GPU against the one on the processor. Needs a GPU and no TensorRT: what a network would say
// is made up.
#include "core/window_device.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/sliding_window.h"
#include "engines/cuda.h"
#include "engines/cuda_windows.h"
#include "window_device.h"

namespace {

using harness::CaseWindow;
using harness::Extents;
using harness::volume_of;
using harness::WindowForm;
using harness::cuda::check;
using harness_test::calls_of;
using harness_test::Floats;
using harness_test::form_of;
using harness_test::kClasses;
using harness_test::noise;
using harness_test::WindowDeviceTest;

// Every window that is cut, and every class, against cut_window and WindowSum.
void compare(const Extents& roi, const std::vector<Extents>& cases, size_t together, uint64_t steps) {
  const auto stream = harness::cuda::make_stream();
  harness::cuda::Windows windows;
  const WindowForm form = form_of(roi, cases);
  windows.prepare(form, stream.get());
  std::vector<std::vector<float>> volumes;
  std::vector<uint8_t*> labels;
  std::vector<std::vector<uint8_t>> wanted;
  for (size_t i = 0; i < cases.size(); ++i) {
    volumes.push_back(noise(volume_of(cases[i]), i));
    labels.push_back(windows.labels(i, volume_of(cases[i])));
    std::memset(labels.back(), 9, volume_of(cases[i]));
    wanted.emplace_back(volume_of(cases[i]));
  }
  const size_t voxels = volume_of(roi);
  const Floats input(together * voxels);
  const Floats output(together * kClasses * voxels);
  std::vector<float> cut(together * voxels);
  std::vector<float> expected(voxels);
  harness::WindowSum sum;
  size_t case_number = 0;
  uint64_t seed = 100;
  for (const auto& call : calls_of(cases, volumes, labels, roi, together)) {
    windows.gather(call, input.get(), stream.get());
    check(cudaMemcpyAsync(cut.data(), input.get(), windows.input_bytes(call.size()), cudaMemcpyDeviceToHost,
                          stream.get()),
          "cudaMemcpyAsync");
    const std::vector<float> answer = noise(call.size() * kClasses * voxels, seed++, steps);
    ASSERT_EQ(windows.output_bytes(call.size()), answer.size() * sizeof(float));
    check(cudaMemcpyAsync(output.get(), answer.data(), answer.size() * sizeof(float), cudaMemcpyHostToDevice,
                          stream.get()),
          "cudaMemcpyAsync");
    windows.add(call, output.get(), stream.get());
    check(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize");
    for (size_t w = 0; w < call.size(); ++w) {
      harness::cut_window(call[w].volume, call[w].extents, call[w].origin, roi, expected.data());
      ASSERT_EQ(std::memcmp(cut.data() + w * voxels, expected.data(), voxels * sizeof(float)), 0);
      if (call[w].first) sum.begin(call[w].extents, roi, kClasses);
      sum.add(answer.data() + w * kClasses * voxels, form.weights, call[w].origin, wanted[case_number].data());
      if (call[w].last) sum.finish(wanted[case_number++].data());
    }
  }
  ASSERT_EQ(case_number, cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    size_t other = 0;
    for (size_t at = 0; at < wanted[i].size(); ++at) other += wanted[i][at] != labels[i][at] ? 1 : 0;
    EXPECT_EQ(other, 0U) << "voxels of case " << i << " of " << wanted[i].size();
    EXPECT_EQ(std::count(wanted[i].begin(), wanted[i].end(), 9), 0);
    for (uint8_t kind = 0; kind < kClasses; ++kind) {
      EXPECT_GT(std::count(wanted[i].begin(), wanted[i].end(), kind), 0);
    }
  }
}

// Preprocessing pads a volume that is smaller than the window to the window's size: the first case.
TEST_F(WindowDeviceTest, WindowsAndClassesAreThoseOfTheProcessor) {
  for (const uint64_t steps : {uint64_t{1} << 20, uint64_t{3}}) {
    for (const size_t together : {1, 3, 64}) {
      compare({16, 16, 16}, {{16, 16, 16}, {24, 32, 40}, {16, 16, 48}, {64, 48, 80}, {16, 24, 16}}, together, steps);
      compare({8, 4, 4}, {{24, 10, 12}, {8, 4, 4}, {12, 4, 6}, {40, 16, 4}}, together, steps);
      compare({10, 36, 70}, {{25, 54, 105}, {10, 36, 70}}, together, steps);
    }
  }
}

TEST_F(WindowDeviceTest, SoWithWindowsOfTheBenchmarksSize) {
  compare({128, 128, 128}, {{192, 256, 128}, {128, 128, 192}}, 4, 1 << 20);
}

TEST_F(WindowDeviceTest, SaysWhereAVolumeHasNoRoom) {
  const auto stream = harness::cuda::make_stream();
  WindowForm form = form_of({16, 16, 16}, {});
  form.largest = size_t{1} << 40;
  harness::cuda::Windows windows;
  try {
    windows.prepare(form, stream.get());
    FAIL();
  } catch (const harness::Error& error) {
    EXPECT_NE(error.why().find("MB are free"), std::string::npos) << error.text();
    EXPECT_NE(error.next_step().find("sliding_window_on_device"), std::string::npos);
  }
}

TEST_F(WindowDeviceTest, RefusesAWindowOutsideItsVolume) {
  const auto stream = harness::cuda::make_stream();
  harness::cuda::Windows windows;
  windows.prepare(form_of({16, 16, 16}, {{16, 16, 24}}), stream.get());
  const std::vector<float> volume = noise(size_t{16} * 16 * 24, 1);
  const Floats input(size_t{16} * 16 * 16);
  for (const Extents& origin : {Extents{0, 0, 9}, Extents{1, 0, 0}}) {
    const std::vector<CaseWindow> outside = {{volume.data(), {16, 16, 24}, origin, true, true, nullptr}};
    EXPECT_THROW(windows.gather(outside, input.get(), stream.get()), harness::Error);
  }
}

}  // namespace
