#include "plan.h"

#include <cstdlib>
#include <sstream>

namespace stand_in {

namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;

const std::map<std::string, DataType>& types() {
  static const std::map<std::string, DataType> all = {
      {"float32", DataType::kFLOAT}, {"float16", DataType::kHALF}, {"int8", DataType::kINT8},
      {"int32", DataType::kINT32},   {"int64", DataType::kINT64},  {"bool", DataType::kBOOL},
      {"bfloat16", DataType::kBF16}, {"uint8", DataType::kUINT8},  {"fp8", DataType::kFP8}};
  return all;
}

// Extents up to "/" or the end of the line.
bool read_dims(std::istringstream& words, Dims& out) {
  out = Dims{};
  for (std::string word; words >> word && word != "/";) {
    if (out.nbDims == Dims::MAX_DIMS) return false;
    char* end = nullptr;
    out.d[out.nbDims++] = std::strtoll(word.c_str(), &end, 10);
    if (*end != '\0') return false;
  }
  return true;
}

bool read_tensor(std::istringstream& words, Plan& plan) {
  PlanTensor tensor;
  std::string mode;
  std::string type;
  words >> tensor.name >> mode >> type;
  const auto found = types().find(type);
  if (found == types().end() || (mode != "input" && mode != "output")) return false;
  tensor.type = found->second;
  tensor.is_input = mode == "input";
  if (!read_dims(words, tensor.shape)) return false;
  plan.tensors.push_back(tensor);
  return true;
}

bool read_shape(std::istringstream& words, Plan& plan) {
  std::string name;
  words >> name;
  const PlanTensor* tensor = plan.tensor(name);
  if (tensor == nullptr || plan.profiles.empty()) return false;
  std::array<Dims, 3>& range = plan.profiles.back()[name];
  for (Dims& dims : range) {
    if (!read_dims(words, dims) || dims.nbDims != tensor->shape.nbDims) return false;
  }
  return true;
}

bool read_line(const std::string& line, Plan& plan) {
  std::istringstream words(line);
  std::string key;
  words >> key;
  if (key == "tensor") return read_tensor(words, plan);
  if (key == "shape") return read_shape(words, plan);
  if (key == "profile") {
    plan.profiles.emplace_back();
    return true;
  }
  if (key == "weights") return static_cast<bool>(words >> plan.weights);
  if (key == "scratch") return static_cast<bool>(words >> plan.scratch);
  std::string value;
  words >> value;
  if (key == "name") plan.name = value;
  if (key == "function") plan.function = value;
  if (key == "capability") plan.capability = value;
  if (key == "capturable") plan.capturable = value == "yes";
  return key == "name" || key == "function" || key == "capability" || key == "capturable";
}

std::string problem_of(const Plan& plan) {
  size_t inputs = 0;
  for (const auto& tensor : plan.tensors) inputs += tensor.is_input ? 1 : 0;
  if (inputs == 0 || inputs == plan.tensors.size()) return "it needs inputs and outputs";
  if (plan.profiles.empty()) return "it has no profile";
  for (const auto& profile : plan.profiles) {
    if (profile.size() != inputs) return "a profile must have a shape of every input";
  }
  const bool known = (plan.function == "tokens" && inputs == 3) || (plan.function == "voxels" && inputs == 1);
  return known ? "" : "its function is '" + plan.function + "' of " + std::to_string(inputs) + " inputs";
}

int64_t integer(const Bound& bound, size_t at) {
  if (bound.tensor->type == DataType::kINT64) return static_cast<const int64_t*>(bound.data)[at];
  return static_cast<const int32_t*>(bound.data)[at];
}

// Inputs: ids, mask, segments, each [samples, length]. Output k of a token: (k + 1) × (id mod 1000) / 4 + segment, and
// -(k + 1) where the mask is 0.
void compute_tokens(const std::vector<Bound>& inputs, const std::vector<Bound>& outputs) {
  const size_t items = items_of(inputs[0].dims);
  for (size_t k = 0; k < outputs.size(); ++k) {
    auto* out = static_cast<float*>(outputs[k].data);
    const auto factor = static_cast<float>(k + 1);
    for (size_t i = 0; i < items; ++i) {
      const auto id = static_cast<float>(integer(inputs[0], i) % 1000);
      const auto segment = static_cast<float>(integer(inputs[2], i));
      out[i] = integer(inputs[1], i) != 0 ? factor * id / 4 + segment : -factor;
    }
  }
}

// Input: [windows, 1, roi]. Output [windows, classes, roi]: (class + 1) × voxel - class² / 4.
void compute_voxels(const Bound& input, const Bound& output) {
  const auto windows = static_cast<size_t>(input.dims.d[0]);
  const auto classes = static_cast<size_t>(output.dims.d[1]);
  const size_t voxels = items_of(input.dims) / windows;
  const auto* in = static_cast<const float*>(input.data);
  auto* out = static_cast<float*>(output.data);
  for (size_t window = 0; window < windows; ++window, in += voxels) {
    for (size_t kind = 0; kind < classes; ++kind) {
      const auto k = static_cast<float>(kind);
      for (size_t voxel = 0; voxel < voxels; ++voxel) *out++ = (k + 1) * in[voxel] - k * k / 4;
    }
  }
}

}  // namespace

const PlanTensor* Plan::tensor(const std::string& tensor_name) const {
  for (const auto& each : tensors) {
    if (each.name == tensor_name) return &each;
  }
  return nullptr;
}

const PlanTensor& Plan::first_input() const {
  for (const auto& each : tensors) {
    if (each.is_input) return each;
  }
  return tensors.front();
}

std::string read_plan(const std::string& text, Plan& plan) {
  std::istringstream in(text);
  std::string line;
  if (!std::getline(in, line) || line != "cuda-stand-in plan 1") return "it is no plan of the stand-in";
  bool ended = false;
  while (!ended && std::getline(in, line)) {
    ended = line == "end";
    if (!ended && !line.empty() && !read_line(line, plan)) return "it cannot read '" + line + "'";
  }
  return ended ? problem_of(plan) : "it is truncated";
}

size_t size_of(DataType type) {
  switch (type) {
    case DataType::kINT64:
      return 8;
    case DataType::kFLOAT:
    case DataType::kINT32:
      return 4;
    case DataType::kHALF:
    case DataType::kBF16:
      return 2;
    default:
      return 1;
  }
}

size_t items_of(const Dims& dims) {
  size_t out = 1;
  for (int32_t i = 0; i < dims.nbDims; ++i) {
    if (dims.d[i] < 0) return 0;
    out *= static_cast<size_t>(dims.d[i]);
  }
  return out;
}

std::string text_of(const Dims& dims) {
  std::string out;
  for (int32_t i = 0; i < dims.nbDims; ++i) out += (i == 0 ? "" : "x") + std::to_string(dims.d[i]);
  return out;
}

// An output's unknown extents are those of the first input.
Dims output_dims(const PlanTensor& output, const Dims& first_input) {
  Dims out = output.shape;
  for (int32_t i = 0; i < out.nbDims; ++i) {
    if (out.d[i] < 0) out.d[i] = i < first_input.nbDims ? first_input.d[i] : -1;
  }
  return out;
}

void compute(const Plan& plan, const std::vector<Bound>& inputs, const std::vector<Bound>& outputs) {
  if (plan.function == "tokens") {
    compute_tokens(inputs, outputs);
  } else {
    compute_voxels(inputs.front(), outputs.front());
  }
}

}  // namespace stand_in
