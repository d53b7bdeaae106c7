// harness_loop run.json: the bare loop that an Offline run on OpenVINO is measured against: the same engine, threads
// and batches, every batch's input tensors made beforehand, nothing done with the outputs. Runs the data set once to
// warm up, then `seconds` long.
//
// harness_loop run.json [SECONDS]: prints one JSON line: {"samples_per_second": …}.

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <openvino/runtime/core.hpp>
#include <string>
#include <vector>

#include "bare_loop.h"
#include "core/npy.h"

namespace {

using bare_loop::Run;

struct Prepared {
  std::vector<ov::Tensor> inputs;
  size_t samples = 0;
};

ov::CompiledModel load(const Run& run) {
  const std::map<std::string, std::string> hints = {
      {"fp32", "f32"}, {"int8", "f32"}, {"bf16", "bf16"}, {"fp16", "f16"}};
  static ov::Core core;
  std::ifstream blob(run.engine().folder + "/engine.blob", std::ios::binary);
  return core.import_model(blob, "CPU",
                           {{"INFERENCE_PRECISION_HINT", hints.at(run.engine().precision)},
                            {"NUM_STREAMS", std::to_string(run.device().streams)},
                            {"INFERENCE_NUM_THREADS", std::to_string(run.device().threads)},
                            {"PERFORMANCE_HINT", run.device().streams > 1 ? "THROUGHPUT" : "LATENCY"},
                            {"ENABLE_CPU_PINNING", "NO"}});
}

// The batches of one pass over the data set, as tensors.
std::vector<Prepared> prepare(const Run& run, const ov::CompiledModel& model) {
  std::map<std::string, harness::NpyArray> arrays;
  for (const auto& [name, file] : run.data.arrays)
    arrays.emplace(name, harness::NpyArray(run.data.folder + "/" + file));
  std::vector<Prepared> out;
  for (const harness::Batch& batch : bare_loop::batches_of(run)) {
    Prepared made;
    made.samples = batch.size();
    const auto longest = static_cast<size_t>(batch.longest);
    for (const auto& port : model.inputs()) {
      ov::Tensor tensor(port.get_element_type(), {batch.size(), longest});
      for (size_t i = 0; i < batch.size(); ++i) {
        const auto* row = arrays.at(port.get_any_name()).row<int32_t>(batch.samples[i]);
        if (port.get_element_type() == ov::element::i64) {
          std::copy_n(row, longest, tensor.data<int64_t>() + i * longest);
        } else {
          std::copy_n(row, longest, tensor.data<int32_t>() + i * longest);
        }
      }
      made.inputs.push_back(tensor);
    }
    out.push_back(std::move(made));
  }
  return out;
}

class LoopLane {
 public:
  explicit LoopLane(ov::CompiledModel& model) : request_(model.create_infer_request()) {}

  void run(const Prepared& batch) {
    for (size_t i = 0; i < batch.inputs.size(); ++i) request_.set_input_tensor(i, batch.inputs[i]);
    request_.infer();
  }

  void finish() {}

 private:
  ov::InferRequest request_;
};

double rate(const Run& run, double seconds) {
  ov::CompiledModel model = load(run);
  const std::vector<Prepared> batches = prepare(run, model);
  std::vector<std::unique_ptr<LoopLane>> lanes;
  for (int lane = 0; lane < run.device().streams; ++lane) lanes.push_back(std::make_unique<LoopLane>(model));
  bare_loop::measure(lanes, batches, 0);
  return bare_loop::measure(lanes, batches, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  return bare_loop::program(argc, argv, rate);
}
