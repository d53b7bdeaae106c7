// A plan of the stand-in: a text file that names tensors, profiles and one of a few functions (README.md).
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace stand_in {

struct PlanTensor {
  std::string name;
  nvinfer1::DataType type = nvinfer1::DataType::kFLOAT;
  bool is_input = false;
  nvinfer1::Dims shape{};  // -1: of the call
};

// The least, best and largest shape of each input.
using PlanProfile = std::map<std::string, std::array<nvinfer1::Dims, 3>>;

struct Plan {
  std::string name;
  std::string function;
  std::string capability;  // "9.0"; empty: any
  size_t weights = 1;      // bytes of device memory
  size_t scratch = 1;      // bytes of activations for each item of the first input
  bool capturable = true;
  std::vector<PlanTensor> tensors;
  std::vector<PlanProfile> profiles;

  [[nodiscard]] const PlanTensor* tensor(const std::string& tensor_name) const;
  [[nodiscard]] const PlanTensor& first_input() const;
};

// Reads a plan; "" or why it cannot be read.
std::string read_plan(const std::string& text, Plan& plan);

size_t size_of(nvinfer1::DataType type);
// Items of a tensor; 0 where an extent is unknown.
size_t items_of(const nvinfer1::Dims& dims);
std::string text_of(const nvinfer1::Dims& dims);

// A tensor of a call, where the stand-in's threads find it.
struct Bound {
  const PlanTensor* tensor = nullptr;
  nvinfer1::Dims dims{};
  void* data = nullptr;
};

// An output's shape: where the plan leaves an extent open, it is the first input's.
nvinfer1::Dims output_dims(const PlanTensor& output, const nvinfer1::Dims& first_input);

// Computes outputs from inputs, each in the plan's order.
void compute(const Plan& plan, const std::vector<Bound>& inputs, const std::vector<Bound>& outputs);

}  // namespace stand_in
