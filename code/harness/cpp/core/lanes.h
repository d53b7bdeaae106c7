// All lanes of a run: one engine per device, one lane per stream.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/engine.h"
#include "core/lane.h"
#include "core/run_spec.h"

namespace harness {

// Devices load concurrently, each on a thread bound near it, so that memory is allocated on its NUMA node.
class Lanes {
 public:
  // Throws Error when an engine cannot be loaded. Binds `dataset`, which must outlive the object, to the engines.
  Lanes(const RunSpec& spec, Dataset& dataset, const Complete& complete);

  [[nodiscard]] size_t size() const { return lanes_.size(); }
  [[nodiscard]] size_t devices() const { return engines_.size(); }
  [[nodiscard]] Lane& lane(size_t index) { return *lanes_[index]; }
  [[nodiscard]] const Lane& lane(size_t index) const { return *lanes_[index]; }
  // The device's entry in run.json.
  [[nodiscard]] const DeviceSpec& device(size_t index) const { return specs_[index]; }
  [[nodiscard]] const Engine& engine(size_t index) const { return *engines_[index]; }
  // Processors that a device's threads are bound to; empty: any.
  [[nodiscard]] const std::vector<int>& cores(size_t device) const { return cores_[device]; }

  // Calls `work(lane)` on each lane's own thread, bound near its device, and returns when all have ended. An error ends
  // the process.
  void run_all(const std::function<void(Lane&)>& work);
  // Computes batches of each length in the data set and of each usual size, full ones first, for at most `seconds`, so
  // that first-use costs fall outside the test: lengths of most samples first, whose batches are most of a run's. Then
  // streams may learn. With `small_first` the longest come first, and where none learns the smallest batches: a Server
  // run on a slow engine has few others. Prints how many shapes each lane met.
  void warm_up(const Dataset& dataset, size_t limit, double seconds, bool small_first);

 private:
  std::vector<DeviceSpec> specs_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::vector<int>> cores_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

// Body of a lane's thread: exact timers, bound to `cores`. An exception ends in `fail` with an error that names the
// device.
void lane_thread(const std::string& device, const std::vector<int>& cores, const std::function<void()>& work);

}  // namespace harness
