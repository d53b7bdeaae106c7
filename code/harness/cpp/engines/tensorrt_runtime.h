// TensorRT's runtime, its logger and the plugin libraries: one of each for all devices of the process.
#pragma once

#include <NvInferRuntime.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace harness {

// Collects TensorRT's messages; the last error becomes the `why` of an Error.
class TrtMessages : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* text) noexcept override;
  [[nodiscard]] std::string last();

 private:
  std::mutex mutex_;
  std::string last_;
};

// Engines must not outlive it. Thread-safe: it deserialises one engine at a time, because TensorRT documents no other
// use of one IRuntime from several threads.
class TrtRuntime {
 public:
  // The process's runtime, made on the first call and kept until the last holder lets it go. TensorRT uses the first
  // logger that a process registers for all of its objects. Throws Error (kFailed).
  static std::shared_ptr<TrtRuntime> shared();
  ~TrtRuntime() = default;
  TrtRuntime(const TrtRuntime&) = delete;
  TrtRuntime& operator=(const TrtRuntime&) = delete;
  TrtRuntime(TrtRuntime&&) = delete;
  TrtRuntime& operator=(TrtRuntime&&) = delete;

  // Loads plugin libraries that are not loaded yet, and no others. Throws Error: kMissing for a file that does not
  // exist, kFailed for one that TensorRT rejects.
  void load_plugins(const std::vector<std::string>& files);
  // The engine on the calling thread's device; nullptr where TensorRT rejects the plan.
  // `host_code`: the plan contains code, which may run.
  std::unique_ptr<nvinfer1::ICudaEngine> deserialise(const void* plan, size_t bytes, bool host_code);
  [[nodiscard]] TrtMessages& messages() { return messages_; }

 private:
  TrtRuntime();

  std::mutex mutex_;
  TrtMessages messages_;
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::set<std::string> plugins_;
};

}  // namespace harness
