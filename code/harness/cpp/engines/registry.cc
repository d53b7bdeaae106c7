#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "engines/engines.h"
#include "engines/tensorrt_options.h"

namespace harness {

namespace {

using Read = std::shared_ptr<const EngineLoader> (*)(Reader& options);

struct Entry {
  const char* name;
  Read read;            // for an engine not in this binary: reads its options, returns no loader
  const char* missing;  // why it is not in this binary; "" if it is
};

#if !defined(HARNESS_OPENVINO) || !defined(HARNESS_TENSORRT) || !defined(HARNESS_TENSORRT_RTX)
template <typename Options, Options (*ReadOptions)(Reader&)>
std::shared_ptr<const EngineLoader> read_only(Reader& options) {
  static_cast<void>(ReadOptions(options));
  return nullptr;
}
#endif

#ifdef HARNESS_OPENVINO
constexpr Entry kOpenVino = {"openvino", read_openvino, ""};
#else
struct NoOptions {};
NoOptions read_no_options(Reader& /*options*/) {
  return {};
}
constexpr Entry kOpenVino = {"openvino", read_only<NoOptions, read_no_options>,
                             "the OpenVINO package was not found at build time: run `make build` again"};
#endif

// A binary has either TensorRT or TensorRT for RTX: both implement the same API.
constexpr const char* kNoTensorRt =
    "NvInfer.h and the CUDA runtime were not found at build time: set TENSORRT_ROOT and "
    "CUDA_HOME, then "
    "`make build`; or run with --harness_lang=python";
constexpr Read kReadTensorRtOptions = read_only<TrtOptions, read_tensorrt_options>;
#ifdef HARNESS_TENSORRT
constexpr Entry kTensorRt = {"tensorrt", read_tensorrt, ""};
#else
constexpr Entry kTensorRt = {"tensorrt", kReadTensorRtOptions, kNoTensorRt};
#endif
#ifdef HARNESS_TENSORRT_RTX
constexpr Entry kTensorRtx = {"tensorrt_rtx", read_tensorrt, ""};
#else
constexpr Entry kTensorRtx = {"tensorrt_rtx", kReadTensorRtOptions, kNoTensorRt};
#endif

// To add an engine: a file that reads its options, and an entry here.
constexpr std::array<Entry, 7> kEngines = {{{"null", read_null, ""},
                                            {"simulated", read_simulated, ""},
                                            {"remote", read_remote, ""},
                                            {"triton_in_process", read_triton, ""},
                                            kOpenVino,
                                            kTensorRt,
                                            kTensorRtx}};

bool is_here(const Entry& entry) {
  return *entry.missing == '\0';
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
    if (is_here(entry)) out.emplace_back(entry.name);
  }
  return out;
}

std::map<std::string, std::vector<std::string>> engine_options() {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& entry : kEngines) {
    if (is_here(entry)) out[entry.name] = Reader::names([&](Reader& in) { entry.read(in); });
  }
  return out;
}

std::shared_ptr<const EngineLoader> read_engine_options(const std::string& backend, Reader& options) {
  std::vector<std::string> names;
  for (const auto& entry : kEngines) {
    if (backend == entry.name) return entry.read(options);
    names.emplace_back(entry.name);
  }
  const std::string hit = nearest(backend, names);
  throw Error(Status::kUsage, "the C++ harness has no backend '" + backend + "'",
              (hit.empty() ? "" : "did you mean '" + hit + "'? ") + ("it has " + joined(names)),
              "run with --harness_lang=python, or with --backend=openvino");
}

std::unique_ptr<Engine> load_engine(const EngineSpec& spec, const DeviceSpec& device) {
  if (spec.loader != nullptr) return spec.loader->load(spec, device);
  const auto entry =
      std::find_if(kEngines.begin(), kEngines.end(), [&](const Entry& each) { return spec.backend == each.name; });
  throw Error(Status::kMissing, "this C++ harness was built without the backend " + spec.backend,
              "it has " + joined(engine_names()), entry == kEngines.end() ? "" : entry->missing);
}

}  // namespace harness
