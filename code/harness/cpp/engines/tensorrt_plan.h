// An engine's folder: the plan, and what engine.json says of it. One mapping serves all devices.
#pragma once

#include <cstddef>
#include <string>

namespace harness {

// What the builder wrote of an engine (code/backends/tensorrt/builder.py).
struct TrtDetails {
  std::string plan;  // the file's path
  std::string sha256;
  std::string capability;     // "9.0"
  std::string gpu;            // the name of the GPU it was built for
  std::string compatibility;  // the field hardware_compatibility; "": none

  // Whether a device of compute capability `major`.`minor` runs the engine (TensorRT developer guide, "Hardware
  // Compatibility").
  [[nodiscard]] bool runs_on(int major, int minor) const;
};

// A plan mapped into memory, whose digest is the one that engine.json holds.
class TrtPlan {
 public:
  // Throws Error: kMissing where there is no engine, kFailed for a sidecar that cannot be read or a plan that differs
  // from the one that was built.
  explicit TrtPlan(const std::string& folder);
  ~TrtPlan();
  TrtPlan(const TrtPlan&) = delete;
  TrtPlan& operator=(const TrtPlan&) = delete;
  TrtPlan(TrtPlan&&) = delete;
  TrtPlan& operator=(TrtPlan&&) = delete;

  [[nodiscard]] const TrtDetails& details() const { return details_; }
  [[nodiscard]] const void* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  TrtDetails details_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace harness
