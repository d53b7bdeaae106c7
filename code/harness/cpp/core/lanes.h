// All lanes of a run: an engine on each device, and its streams.
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

// Devices are loaded at the same time, each by a thread near it, so that its memory is too.
class Lanes {
 public:
  // Throws Error where an engine cannot be loaded. `dataset` outlives the object and is bound to the engines.
  Lanes(const RunSpec& spec, Dataset& dataset, const Complete& complete);

  [[nodiscard]] size_t size() const { return lanes_.size(); }
  [[nodiscard]] size_t devices() const { return engines_.size(); }
  [[nodiscard]] Lane& lane(size_t index) { return *lanes_[index]; }
  [[nodiscard]] const Lane& lane(size_t index) const { return *lanes_[index]; }
  // As run.json describes it.
  [[nodiscard]] const DeviceSpec& device(size_t index) const { return specs_[index]; }
  // Processors for the threads of a device; empty: any.
  [[nodiscard]] const std::vector<int>& cores(size_t device) const { return cores_[device]; }

  // Calls `work(lane)` on a thread of each lane, bound near its device, and returns when all have ended. An error ends
  // the process.
  void run_all(const std::function<void(Lane&)>& work);
  // Inference of batches of the data set's lengths, longest first, for at most `seconds`, so that no query pays for a
  // first use.
  void warm_up(const Dataset& dataset, size_t limit, double seconds);

 private:
  std::vector<DeviceSpec> specs_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::vector<int>> cores_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

// The body of a lane's thread: exact timers, bound to `cores`, and no way out for an exception but `fail` with an error
// that names the device.
void lane_thread(const std::string& device, const std::vector<int>& cores, const std::function<void()>& work);

}  // namespace harness
