#include "engines/tensorrt_runtime.h"

#include <unistd.h>

#include "core/error.h"

namespace harness {

namespace {

constexpr const char* kPlugin = "build it for the installed TensorRT version, or remove it from --plugin_libs";

}  // namespace

void TrtMessages::log(Severity severity, const char* text) noexcept {
  if (severity > Severity::kERROR) return;
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = text;
  } catch (...) {  // exceptions must not propagate into TensorRT; drop the message when out of memory
    return;
  }
}

std::string TrtMessages::last() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return last_;
}

TrtRuntime::TrtRuntime() : runtime_(nvinfer1::createInferRuntime(messages_)) {
  if (runtime_ != nullptr) return;
  throw Error(Status::kFailed, "TensorRT's runtime does not start", messages_.last(),
              "run `make doctor` to check the driver and the installed TensorRT");
}

std::shared_ptr<TrtRuntime> TrtRuntime::shared() {
  static std::mutex mutex;
  static std::weak_ptr<TrtRuntime> known;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<TrtRuntime> out = known.lock();
  if (out == nullptr) {
    out.reset(new TrtRuntime());  // the constructor is private
    known = out;
  }
  return out;
}

// In the registry of the process, as the builder and the Python harness do (code/backends/tensorrt/builder.py).
void TrtRuntime::load_plugins(const std::vector<std::string>& files) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& file : files) {
    if (plugins_.count(file) != 0) continue;
    if (::access(file.c_str(), R_OK) != 0) {
      throw Error(Status::kMissing, "the plugin library " + file + " does not exist", "plugin_libs lists it",
                  "build it, or remove it from --plugin_libs");
    }
    nvinfer1::IPluginRegistry* registry = getPluginRegistry();
    if (registry == nullptr || registry->loadLibrary(file.c_str()) == nullptr) {
      throw Error(Status::kFailed, "cannot load the plugin library " + file, messages_.last(), kPlugin);
    }
    plugins_.insert(file);
  }
}

std::unique_ptr<nvinfer1::ICudaEngine> TrtRuntime::deserialise(const void* plan, size_t bytes, bool host_code) {
  const std::lock_guard<std::mutex> lock(mutex_);
  runtime_->setEngineHostCodeAllowed(host_code);
  return std::unique_ptr<nvinfer1::ICudaEngine>(runtime_->deserializeCudaEngine(plan, bytes));
}

}  // namespace harness
