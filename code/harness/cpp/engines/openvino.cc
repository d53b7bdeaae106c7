// OpenVINO on processors: imports the compiled-model blob that code/backends/openvino.py wrote, with the same
// properties. One infer request per lane.
#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <openvino/runtime/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "engines/engines.h"

namespace harness {

namespace {

constexpr const char* kAgain = "rebuild it: make generate_engines RUN_ARGS='… --force_build'";

// Field precision → INFERENCE_PRECISION_HINT; an int8 graph carries its own Q/DQ nodes and computes the rest in f32.
// By default OpenVINO computes in bf16 on processors that support it.
const std::map<std::string, std::string>& inference_precision() {
  static const std::map<std::string, std::string> table = {
      {"fp32", "f32"}, {"bf16", "bf16"}, {"fp16", "f16"}, {"int8", "f32"}};
  return table;
}

DType dtype_of(const ov::element::Type& type, const std::string& name) {
  switch (ov::element::Type_t(type)) {
    case ov::element::Type_t::i64:
      return DType::kInt64;
    case ov::element::Type_t::i32:
      return DType::kInt32;
    case ov::element::Type_t::f32:
      return DType::kFloat32;
    case ov::element::Type_t::f16:
      return DType::kFloat16;
    case ov::element::Type_t::i8:
      return DType::kInt8;
    default:
      throw Error(Status::kFailed, "the engine's tensor '" + name + "' is " + type.get_type_name(),
                  "the harness does not support this type", kAgain);
  }
}

std::vector<TensorInfo> describe(const std::vector<ov::Output<const ov::Node>>& ports) {
  std::vector<TensorInfo> out;
  out.reserve(ports.size());
  for (const auto& port : ports) {
    const std::string name = port.get_any_name();
    out.push_back({name, dtype_of(port.get_element_type(), name)});
  }
  return out;
}

// Memory behind an input tensor: grows to the largest batch and is reused.
class OpenVinoStream : public Stream {
 public:
  OpenVinoStream(ov::InferRequest request, const std::vector<TensorInfo>& inputs)
      : request_(std::move(request)), inputs_(inputs), memory_(inputs.size()) {}

  void* input(size_t index, const Shape& shape) override {
    const TensorInfo& info = inputs_[index];
    auto& memory = memory_[index];
    const size_t bytes = shape.items() * size_of(info.dtype);
    // Aligned to 64-byte cache lines: OpenVINO reads unaligned memory more slowly.
    if (memory.size() * sizeof(Line) < bytes) memory.resize((bytes + sizeof(Line) - 1) / sizeof(Line));
    const ov::Shape extents(shape.extents.begin(), shape.extents.begin() + static_cast<ptrdiff_t>(shape.rank));
    request_.set_input_tensor(index, ov::Tensor(type_of(info.dtype), extents, memory.data()));
    return memory.data();
  }

  void enqueue(const Work& work) override {
    samples_ = work.samples;
    request_.infer();
  }

  void wait() override {}

  Output output(size_t index) override {
    const ov::Tensor tensor = request_.get_output_tensor(index);
    Output out;
    const ov::Shape& shape = tensor.get_shape();
    out.data = tensor.data();
    out.shape.rank = std::min(shape.size(), out.shape.extents.size());
    std::copy_n(shape.begin(), out.shape.rank, out.shape.extents.begin());
    return out;
  }

  [[nodiscard]] size_t answered() const override {
    const ov::Shape shape = request().get_output_tensor(0).get_shape();
    return shape.empty() ? samples_ : shape[0];
  }

 private:
  struct alignas(64) Line {
    unsigned char bytes[64];
  };

  // OpenVINO's accessor is not const although it does not modify anything.
  [[nodiscard]] ov::InferRequest request() const { return request_; }

  static ov::element::Type type_of(DType dtype) {
    switch (dtype) {
      case DType::kInt64:
        return ov::element::i64;
      case DType::kInt32:
        return ov::element::i32;
      case DType::kFloat16:
        return ov::element::f16;
      case DType::kInt8:
        return ov::element::i8;
      case DType::kFloat32:
        break;
    }
    return ov::element::f32;
  }

  ov::InferRequest request_;
  const std::vector<TensorInfo>& inputs_;
  std::vector<std::vector<Line>> memory_;
  size_t samples_ = 0;
};

class OpenVinoEngine : public Engine {
 public:
  explicit OpenVinoEngine(ov::CompiledModel compiled)
      : compiled_(std::move(compiled)),
        inputs_(describe(compiled_.inputs())),
        outputs_(describe(compiled_.outputs())) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<Stream> stream() override {
    return std::make_unique<OpenVinoStream>(compiled_.create_infer_request(), inputs_);
  }

 private:
  ov::CompiledModel compiled_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
};

// One runtime per process; it owns the plugins.
ov::Core& core() {
  static ov::Core instance;
  return instance;
}

// The hint for a precision. Without fp16 instructions an fp16 graph computes in f32, as in the Python harness: given
// f16 on such a processor, OpenVINO would use bf16 where available, which is another precision.
std::string hint_for(const std::string& precision) {
  const std::vector<std::string> can = core().get_property("CPU", ov::device::capabilities);
  const bool absent = precision == "fp16" && std::find(can.begin(), can.end(), "FP16") == can.end();
  return inference_precision().at(absent ? "fp32" : precision);
}

ov::CompiledModel import_blob(const std::string& path, const ov::AnyMap& properties) {
  std::ifstream blob(path, std::ios::binary);
  if (!blob)
    throw Error(Status::kMissing, "no engine at " + path, "", "run `make generate_engines` with the same RUN_ARGS");
  return core().import_model(blob, "CPU", properties);
}

// OpenVINO prefers the calling thread's NUMA node and keeps the computation on it, whatever cores the thread is bound
// to.
std::unique_ptr<Engine> load_openvino(const EngineSpec& spec, const DeviceSpec& device) {
  if (inference_precision().count(spec.precision) == 0) {
    throw Error(Status::kUsage, "OpenVINO does not support " + spec.precision + " on a processor",
                "supported: fp32, bf16, fp16, int8", "choose one with --precision=…");
  }
  const ov::AnyMap properties = {{"INFERENCE_PRECISION_HINT", hint_for(spec.precision)},
                                 {"NUM_STREAMS", std::to_string(device.streams)},
                                 {"INFERENCE_NUM_THREADS", std::to_string(device.threads)},
                                 {"PERFORMANCE_HINT", device.streams > 1 ? "THROUGHPUT" : "LATENCY"},
                                 {"ENABLE_CPU_PINNING", "NO"}};
  try {
    return std::make_unique<OpenVinoEngine>(import_blob(spec.folder + "/engine.blob", properties));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(Status::kFailed, "OpenVINO cannot load the engine in " + spec.folder, last_line(error.what()), kAgain);
  }
}

class OpenVinoLoader : public EngineLoader {
 public:
  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& spec, const DeviceSpec& device) const override {
    return load_openvino(spec, device);
  }
};

}  // namespace

std::shared_ptr<const EngineLoader> read_openvino(Reader& /*options*/) {
  return std::make_shared<OpenVinoLoader>();
}

}  // namespace harness
