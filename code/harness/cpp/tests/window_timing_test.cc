// How long the kernels of the sliding window take on a GPU: printed, and asserted of nothing. Only with
// WINDOW_DEVICE_TIMING=1.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/sliding_window.h"
#include "engines/cuda.h"
#include "engines/cuda_windows.h"
#include "engines/window_kernels.h"
#include "window_device.h"

namespace {

using harness::Extents;
using harness::volume_of;
using harness::WindowForm;
using harness::WindowGrid;
using harness::cuda::Box;
using harness::cuda::check;
using harness_test::calls_of;
using harness_test::Floats;
using harness_test::form_of;
using harness_test::kClasses;
using harness_test::kOverlap;
using harness_test::noise;
using harness_test::WindowDeviceTest;

class Timer {
 public:
  explicit Timer(cudaStream_t stream) : stream_(stream) {
    check(cudaEventCreate(&start_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    static_cast<void>(cudaEventDestroy(start_));
    static_cast<void>(cudaEventDestroy(end_));
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  Timer(Timer&&) = delete;
  Timer& operator=(Timer&&) = delete;

  // Microseconds that `work` takes on the stream.
  template <typename F>
  double time(const F& work) {
    check(cudaEventRecord(start_, stream_), "cudaEventRecord");
    work();
    check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start_, end_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e3;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t start_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void say(const char* what, double microseconds, double bytes) {
  std::printf("%-34s %9.1f us %8.0f GB/s\n", what, microseconds, bytes / microseconds / 1e3);
}

TEST_F(WindowDeviceTest, Timing) {
  if (std::getenv("WINDOW_DEVICE_TIMING") == nullptr) GTEST_SKIP() << "WINDOW_DEVICE_TIMING is not set";
  const Extents roi{128, 128, 128};
  const Extents extents{256, 448, 448};
  const WindowGrid grid(extents, roi, kOverlap);
  const WindowForm form = form_of(roi, {extents});
  const auto stream = harness::cuda::make_stream();
  harness::cuda::Windows windows;
  windows.prepare(form, stream.get());
  const std::vector<std::vector<float>> volumes = {noise(volume_of(extents), 1)};
  uint8_t* labels = windows.labels(0, volume_of(extents));
  const auto calls = calls_of({extents}, volumes, {labels}, roi, 1);
  const std::vector<float> answer = noise(kClasses * volume_of(roi), 2);
  const Floats input(volume_of(roi));
  const Floats output(kClasses * volume_of(roi));
  check(cudaMemcpyAsync(output.get(), answer.data(), output.bytes, cudaMemcpyHostToDevice, stream.get()), "copy");

  const Floats whole(volume_of(extents));
  const Floats sum(kClasses * volume_of(extents));
  const Floats weights(volume_of(roi));
  const harness::cuda::DeviceMemory classes = harness::cuda::device_memory(volume_of(extents));
  check(cudaMemsetAsync(whole.get(), 0, whole.bytes, stream.get()), "cudaMemsetAsync");
  check(cudaMemsetAsync(sum.get(), 0, sum.bytes, stream.get()), "cudaMemsetAsync");
  check(cudaMemcpyAsync(weights.get(), form.weights.data(), weights.bytes, cudaMemcpyHostToDevice, stream.get()),
        "copy");
  const Box box{256, 448, 448};
  const Box edge{128, 128, 128};
  Timer timer(stream.get());
  const auto count = static_cast<double>(grid.count());
  std::vector<double> gather;
  std::vector<double> add;
  std::vector<double> choose;
  std::vector<double> clear;
  const auto each_window = [&](const auto& work) {
    for (size_t w = 0; w < grid.count(); ++w) {
      const Extents at = grid.origin(w);
      work(Box{static_cast<uint32_t>(at[0]), static_cast<uint32_t>(at[1]), static_cast<uint32_t>(at[2])});
    }
  };
  // Launches of a grid's windows are timed together: one alone would be timed with its launch.
  for (int repeat = 0; repeat < 5; ++repeat) {
    clear.push_back(timer.time([&] { check(cudaMemsetAsync(sum.get(), 0, sum.bytes, stream.get()), "memset"); }));
    gather.push_back(timer.time([&] {
      each_window([&](const Box& at) {
        check(harness::cuda::gather_window(whole.get(), box, at, edge, input.get(), stream.get()), "gather");
      });
    }) / count);
    add.push_back(timer.time([&] {
      each_window([&](const Box& at) {
        check(harness::cuda::add_window(output.get(), weights.get(), box, at, edge, kClasses, sum.get(), stream.get()),
              "add");
      });
    }) / count);
    choose.push_back(timer.time([&] {
      check(harness::cuda::choose_classes(sum.get(), volume_of(extents), kClasses, static_cast<uint8_t*>(classes.get()),
                                          stream.get()),
            "choose");
    }));
  }
  std::vector<double> passes;
  for (int repeat = 0; repeat < 5; ++repeat) {
    passes.push_back(timer.time([&] {
      for (const auto& call : calls) {
        windows.gather(call, input.get(), stream.get());
        windows.add(call, output.get(), stream.get());
      }
    }));
  }
  harness::WindowSum on_host;
  std::vector<float> cut(volume_of(roi));
  std::vector<uint8_t> classes_on_host(volume_of(extents));
  const auto start = std::chrono::steady_clock::now();
  on_host.begin(extents, roi, kClasses);
  for (size_t w = 0; w < grid.count(); ++w) {
    harness::cut_window(volumes.front().data(), extents, grid.origin(w), roi, cut.data());
    on_host.add(answer.data(), form.weights, grid.origin(w), classes_on_host.data());
  }
  on_host.finish(classes_on_host.data());
  const std::chrono::duration<double, std::micro> host = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(std::memcmp(labels, classes_on_host.data(), classes_on_host.size()), 0);

  const auto window = static_cast<double>(volume_of(roi) * sizeof(float));
  const auto voxels = static_cast<double>(volume_of(extents));
  std::printf("volume 256x448x448, %zu windows of 128^3, %zu classes; medians\n", grid.count(), kClasses);
  say("gather, a window", median(gather), 2 * window);
  say("add, a window", median(add), (3 * kClasses + 1) * window);
  say("clear the sums, a case", median(clear), voxels * kClasses * sizeof(float));
  say("choose classes, a case", median(choose), voxels * (kClasses * sizeof(float) + 1));
  say("all three kernels, a window", median(gather) + median(add) + (median(choose) + median(clear)) / count,
      (3 * kClasses + 3) * window + voxels * (2 * kClasses * sizeof(float) + 1) / count);
  std::printf("%-34s %9.1f us (with copies of volume and classes)\n", "whole case on the GPU, a window",
              median(passes) / count);
  std::printf("%-34s %9.1f us (one thread)\n", "whole case on the processor, a window", host.count() / count);
}

}  // namespace
