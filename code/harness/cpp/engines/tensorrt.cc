// TensorRT on NVIDIA GPUs: loads the plan that code/backends/tensorrt/backend.py built and engine.json names. This file
// and engines/tensorrt_stream.cc use the API of TensorRT 10 and later.
#include <NvInferRuntime.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "engines/cuda.h"
#include "engines/engines.h"
#include "engines/tensorrt_options.h"
#include "engines/tensorrt_plan.h"
#include "engines/tensorrt_runtime.h"
#include "engines/tensorrt_stream.h"

namespace harness {

namespace {

#ifdef HARNESS_CUDA_KERNELS
constexpr bool kHasWindowKernels = true;
#else
constexpr bool kHasWindowKernels = false;
#endif

constexpr const char* kAgain = "rebuild it: make generate_engines RUN_ARGS='… --force_build'";

const char* name_of(nvinfer1::DataType type) {
  using nvinfer1::DataType;
  static const std::map<DataType, const char*> kNames = {{DataType::kFLOAT, "float32"}, {DataType::kHALF, "float16"},
                                                         {DataType::kBF16, "bfloat16"}, {DataType::kFP8, "fp8"},
                                                         {DataType::kINT8, "int8"},     {DataType::kUINT8, "uint8"},
                                                         {DataType::kINT32, "int32"},   {DataType::kINT64, "int64"},
                                                         {DataType::kBOOL, "bool"},     {DataType::kINT4, "int4"}};
  const auto found = kNames.find(type);
  return found == kNames.end() ? "an unknown type" : found->second;
}

DType dtype_of(nvinfer1::DataType type, const std::string& name) {
  switch (type) {
    case nvinfer1::DataType::kFLOAT:
      return DType::kFloat32;
    case nvinfer1::DataType::kHALF:
      return DType::kFloat16;
    case nvinfer1::DataType::kINT8:
      return DType::kInt8;
    case nvinfer1::DataType::kINT32:
      return DType::kInt32;
    case nvinfer1::DataType::kINT64:
      return DType::kInt64;
    default:
      throw Error(Status::kFailed,
                  "the harness cannot pass the engine's tensor '" + name + "', which is " + name_of(type),
                  "inputs and outputs are float32, float16, int8, int32 or int64; layers between may have any type",
                  "cast this tensor in the ONNX graph, then rebuild: make generate_engines RUN_ARGS='… --force_build'");
  }
}

class TrtEngine : public Engine {
 public:
  TrtEngine(const EngineSpec& spec, const DeviceSpec& device, const TrtOptions& options, const TrtPlan& plan)
      : keep_on_device_(options.start_from_device) {
    shared_.device = device.index;
    if (options.use_graphs) shared_.graphs = std::make_unique<GraphBudget>(options.graphs_memory_bytes);
    shared_.graphs_max_length = options.graphs_max_length;
    shared_.depth = options.copies + 1;
    shared_.spins = options.spins;
    shared_.windows_on_device = options.windows_on_device.value_or(true);
    cuda::require_device(shared_.device);
    const cuda::Facts facts = cuda::facts_of(shared_.device);
    cuda::require_chosen(shared_.device, facts, device.name, device.pci);
    require_compatible(plan.details(), facts, spec.folder);
    cuda::use(shared_.device);
    shared_.runtime = TrtRuntime::shared();
    shared_.runtime->load_plugins(options.plugin_libs);
    // A version-compatible plan contains code; loading it was requested by the config.
    shared_.engine = shared_.runtime->deserialise(plan.data(), plan.size(), options.version_compatible);
    if (shared_.engine == nullptr) {
      throw Error(Status::kFailed, "TensorRT cannot load the engine in " + spec.folder,
                  shared_.runtime->messages().last(), kAgain);
    }
    find_tensors();
    measure();
  }

  // Members are destroyed after this body, by a thread that may have used another device, or none.
  ~TrtEngine() override { static_cast<void>(cudaSetDevice(shared_.device)); }
  TrtEngine(const TrtEngine&) = delete;
  TrtEngine& operator=(const TrtEngine&) = delete;
  TrtEngine(TrtEngine&&) = delete;
  TrtEngine& operator=(TrtEngine&&) = delete;

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<Stream> stream() override { return std::make_unique<TrtStream>(shared_); }
  [[nodiscard]] std::vector<int> near_cores() const override { return cuda::near_cores(shared_.device); }

  [[nodiscard]] bool keeps() const override { return keep_on_device_; }

  // For the copies of windows on the device. Memory that cannot be page-locked is copied all the same, by the driver.
  void lock(const void* data, size_t bytes) override {
    if (!shared_.windows_on_device || !kHasWindowKernels) return;
    cuda::use(shared_.device);
    if (auto locked = cuda::Locked::of(data, bytes)) locked_.push_back(std::move(locked));
  }

  void keep(size_t input, const void* data, size_t rows, size_t row_bytes) override {
    cuda::use(shared_.device);
    resident_.push_back(cuda::device_memory(rows * row_bytes));
    cuda::check(cudaMemcpy(resident_.back().get(), data, rows * row_bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    // From pageable memory cudaMemcpy may return before the copy ends, and the streams do not wait for the default one.
    cuda::check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    shared_.inputs[input].resident = resident_.back().get();
    shared_.inputs[input].row_bytes = row_bytes;
  }

 private:
  void require_compatible(const TrtDetails& details, const cuda::Facts& facts, const std::string& folder) const {
    if (details.runs_on(facts.major, facts.minor)) return;
    throw Error(
        Status::kFailed,
        "the engine in " + folder + " is for compute capability " + details.capability + " (" + details.gpu + ")",
        "device " + std::to_string(shared_.device) + " is " + facts.name + " (" + facts.pci + ") with " +
            std::to_string(facts.major) + "." + std::to_string(facts.minor),
        "build one for this system: make generate_engines with its own --system, or without --system");
  }

  void find_tensors() {
    for (int32_t i = 0; i < shared_.engine->getNbIOTensors(); ++i) {
      TrtTensor tensor;
      tensor.name = shared_.engine->getIOTensorName(i);
      tensor.info = {tensor.name, dtype_of(shared_.engine->getTensorDataType(tensor.name.c_str()), tensor.name)};
      tensor.is_input = shared_.engine->getTensorIOMode(tensor.name.c_str()) == nvinfer1::TensorIOMode::kINPUT;
      (tensor.is_input ? inputs_ : outputs_).push_back(tensor.info);
      (tensor.is_input ? shared_.inputs : shared_.outputs).push_back(std::move(tensor));
    }
  }

  // The largest size of each tensor over all profiles; output sizes come from a context that is never run.
  void measure() {
    const std::unique_ptr<nvinfer1::IExecutionContext> context(
        shared_.engine->createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED));
    if (context == nullptr)
      throw Error(Status::kFailed, "TensorRT cannot create an execution context", shared_.runtime->messages().last(),
                  kAgain);
    const auto stream = cuda::make_stream();
    const auto grow = [](TrtTensor& tensor, const nvinfer1::Dims& dims) {
      size_t items = 1;
      for (int32_t i = 0; i < dims.nbDims; ++i) items *= static_cast<size_t>(std::max<int64_t>(dims.d[i], 1));
      tensor.largest = std::max(tensor.largest, items * size_of(tensor.info.dtype));
    };
    for (int profile = 0; profile < shared_.engine->getNbOptimizationProfiles(); ++profile) {
      if (!context->setOptimizationProfileAsync(profile, stream.get())) {
        throw Error(Status::kFailed, "TensorRT cannot switch profiles", shared_.runtime->messages().last(), kAgain);
      }
      for (auto& input : shared_.inputs) {
        const auto most =
            shared_.engine->getProfileShape(input.name.c_str(), profile, nvinfer1::OptProfileSelector::kMAX);
        grow(input, most);
        static_cast<void>(context->setInputShape(input.name.c_str(), most));
      }
      for (auto& output : shared_.outputs) grow(output, context->getTensorShape(output.name.c_str()));
    }
    cuda::check(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize");
  }

  TrtShared shared_;
  bool keep_on_device_;
  std::vector<cuda::DeviceMemory> resident_;
  std::vector<std::shared_ptr<cuda::Locked>> locked_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
};

class TrtLoader : public EngineLoader {
 public:
  explicit TrtLoader(TrtOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& spec, const DeviceSpec& device) const override {
    if (options_.windows_on_device.value_or(false) && !kHasWindowKernels) {
      throw Error(Status::kMissing, "this C++ harness has no kernels for sliding_window_on_device",
                  "nvcc, the CUDA compiler, was not found or did not work at build time",
                  "set CUDA_HOME and run `make build`, or run with --sliding_window_on_device=false");
    }
    return std::make_unique<TrtEngine>(spec, device, options_, plan_of(spec));
  }

  [[nodiscard]] std::string explain() const override {
    const bool wanted = options_.windows_on_device.value_or(true);
    return std::string("windows:   of volumes, if any, are cut and summed on the ") +
           (wanted && kHasWindowKernels ? "GPU" : "processor") +
           (wanted && !kHasWindowKernels ? ": this binary has no CUDA kernels" : "") + "\n";
  }

 private:
  // Mapped and checked by the first device, used by all.
  const TrtPlan& plan_of(const EngineSpec& spec) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (plan_ == nullptr) plan_ = std::make_unique<TrtPlan>(spec.folder);
    return *plan_;
  }

  TrtOptions options_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<TrtPlan> plan_;
};

}  // namespace

std::shared_ptr<const EngineLoader> read_tensorrt(Reader& options) {
  return std::make_shared<TrtLoader>(read_tensorrt_options(options));
}

}  // namespace harness
