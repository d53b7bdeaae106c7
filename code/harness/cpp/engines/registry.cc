#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "engines/engines.h"

namespace harness {

namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Engine> (*load)(const EngineSpec&, size_t);  // nullptr: this binary was built without it
  const char* missing;
};

#ifdef HARNESS_OPENVINO
constexpr auto kOpenVino = load_openvino;
#else
constexpr std::unique_ptr<Engine> (*kOpenVino)(const EngineSpec&, size_t) = nullptr;
#endif
#ifdef HARNESS_CUDA_KERNELS
constexpr bool kCudaWindows = true;
#else
constexpr bool kCudaWindows = false;
#endif
// One binary has TensorRT or TensorRT for RTX: they are two builds of one API.
#ifdef HARNESS_TENSORRT
constexpr auto kTensorRt = load_tensorrt;
#else
constexpr std::unique_ptr<Engine> (*kTensorRt)(const EngineSpec&, size_t) = nullptr;
#endif
#ifdef HARNESS_TENSORRT_RTX
constexpr auto kTensorRtx = load_tensorrt;
#else
constexpr std::unique_ptr<Engine> (*kTensorRtx)(const EngineSpec&, size_t) = nullptr;
#endif

constexpr const char* kNoTensorRt =
    "NvInfer.h and the CUDA runtime were not found when it was built: name their folders with TENSORRT_ROOT and "
    "CUDA_HOME, then "
    "`make build`; or run with --harness_lang=python";

constexpr std::array<Entry, 5> kEngines = {{
    {"null", load_null, ""},
    {"simulated", load_simulated, ""},
    {"openvino", kOpenVino, "OpenVINO's package was not found when it was built: run `make build` again"},
    {"tensorrt", kTensorRt, kNoTensorRt},
    {"tensorrt_rtx", kTensorRtx, kNoTensorRt},
}};

constexpr std::array<const char*, 2> kOnGpu = {"tensorrt", "tensorrt_rtx"};

bool on_gpu(const std::string& backend) {
  return std::find(kOnGpu.begin(), kOnGpu.end(), backend) != kOnGpu.end();
}

}  // namespace

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kInt64:
      return 8;
    case DType::kInt32:
    case DType::kFloat32:
      return 4;
    case DType::kFloat16:
      return 2;
    case DType::kInt8:
      return 1;
  }
  return 0;
}

std::vector<std::string> engine_names() {
  std::vector<std::string> out;
  for (const auto& entry : kEngines) {
    if (entry.load != nullptr) out.emplace_back(entry.name);
  }
  return out;
}

bool has_device_windows(const std::string& backend) {
  return kCudaWindows && on_gpu(backend);
}

std::unique_ptr<Engine> load_engine(const EngineSpec& spec, size_t device) {
  std::vector<std::string> names;
  for (const auto& entry : kEngines) {
    if (spec.backend != entry.name) {
      names.emplace_back(entry.name);
      continue;
    }
    if (entry.load == nullptr) {
      throw Error(Status::kMissing, std::string("this C++ harness was built without the backend ") + entry.name,
                  "it has " + joined(engine_names()), entry.missing);
    }
    if (spec.windows_must_be_there && on_gpu(spec.backend) && !has_device_windows(spec.backend)) {
      throw Error(Status::kMissing, "this C++ harness has no kernels for sliding_window_on_device",
                  "CUDA's compiler, nvcc, did not work or was not found when it was built",
                  "name its folder with CUDA_HOME, then `make build`; or run with --sliding_window_on_device=false");
    }
    return entry.load(spec, device);
  }
  const std::string hit = nearest(spec.backend, names);
  throw Error(Status::kUsage, "the C++ harness has no backend '" + spec.backend + "'",
              (hit.empty() ? "" : "the nearest known one is '" + hit + "'; ") + ("it has " + joined(names)),
              "run with --harness_lang=python, or with --backend=openvino");
}

}  // namespace harness
