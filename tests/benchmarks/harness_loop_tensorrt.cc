// harness_loop_tensorrt run.json [SECONDS]: the bare loop that an Offline run on TensorRT is measured against: the same
// plan, lanes and batches, every batch's inputs in device memory beforehand, outputs left there, two calls under way on
// each lane. Runs the data set once to warm up, then `seconds` long; prints {"samples_per_second": …}.

#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "bare_loop.h"
#include "core/npy.h"

namespace {

using bare_loop::Run;

void check(cudaError_t code) {
  if (code != cudaSuccess) throw std::runtime_error(cudaGetErrorString(code));
}

class Messages : public nvinfer1::ILogger {
  void log(Severity severity, const char* text) noexcept override {
    if (severity <= Severity::kERROR) std::fprintf(stderr, "%s\n", text);
  }
};

struct Prepared {
  std::map<std::string, void*> inputs;
  nvinfer1::Dims dims{};
  size_t samples = 0;
};

std::vector<char> plan_of(const std::string& folder) {
  std::ifstream sidecar(folder + "/engine.json");
  const std::string name = nlohmann::json::parse(sidecar).at("details").at("engine");
  std::ifstream in(folder + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void* on_device(const void* data, size_t bytes) {
  void* out = nullptr;
  check(cudaMalloc(&out, bytes));
  check(cudaMemcpy(out, data, bytes, cudaMemcpyHostToDevice));
  return out;
}

// The batches of one pass over the data set, in device memory.
std::vector<Prepared> prepare(const Run& run, const nvinfer1::ICudaEngine& engine) {
  std::vector<Prepared> out;
  for (const harness::Batch& batch : bare_loop::batches_of(run)) {
    Prepared made;
    made.samples = batch.size();
    const auto longest = static_cast<size_t>(batch.longest);
    made.dims = {2, {static_cast<int64_t>(batch.size()), static_cast<int64_t>(longest)}};
    for (const auto& [name, file] : run.data.arrays) {
      const harness::NpyArray array(run.data.folder + "/" + file);
      std::vector<int32_t> narrow;
      for (const uint32_t sample : batch.samples) {
        narrow.insert(narrow.end(), array.row<int32_t>(sample), array.row<int32_t>(sample) + longest);
      }
      if (engine.getTensorDataType(name.c_str()) == nvinfer1::DataType::kINT64) {
        const std::vector<int64_t> wide(narrow.begin(), narrow.end());
        made.inputs[name] = on_device(wide.data(), wide.size() * sizeof(int64_t));
      } else {
        made.inputs[name] = on_device(narrow.data(), narrow.size() * sizeof(int32_t));
      }
    }
    out.push_back(std::move(made));
  }
  return out;
}

// One lane: its own context, CUDA stream and output memory.
class LoopLane {
 public:
  LoopLane(nvinfer1::ICudaEngine& engine, size_t output_bytes) : context_(engine.createExecutionContext()) {
    if (context_ == nullptr) throw std::runtime_error("no execution context");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (auto& event : events_) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync));
    for (int32_t i = 0; i < engine.getNbIOTensors(); ++i) {
      const char* name = engine.getIOTensorName(i);
      if (engine.getTensorIOMode(name) != nvinfer1::TensorIOMode::kOUTPUT) continue;
      void* memory = nullptr;
      check(cudaMalloc(&memory, output_bytes));
      if (!context_->setTensorAddress(name, memory)) throw std::runtime_error("an output's address is refused");
    }
  }

  void run(const Prepared& batch) {
    if (calls_ >= events_.size()) wait(calls_);
    for (const auto& [name, memory] : batch.inputs) {
      if (!context_->setInputShape(name.c_str(), batch.dims) || !context_->setTensorAddress(name.c_str(), memory))
        throw std::runtime_error("an input is refused");
    }
    if (!context_->enqueueV3(stream_)) throw std::runtime_error("a batch is refused");
    check(cudaEventRecord(events_.at(calls_++ % events_.size()), stream_));
  }

  void finish() {
    for (size_t call = calls_ < events_.size() ? 0 : calls_ - events_.size(); call < calls_; ++call) wait(call);
    calls_ = 0;
  }

 private:
  void wait(size_t call) { check(cudaEventSynchronize(events_.at(call % events_.size()))); }

  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  cudaStream_t stream_ = nullptr;
  std::array<cudaEvent_t, 2> events_{};
  size_t calls_ = 0;
};

double rate(const Run& run, double seconds) {
  check(cudaSetDevice(run.device().index));
  Messages messages;
  const std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(messages));
  if (runtime == nullptr) throw std::runtime_error("no TensorRT runtime");
  if (run.options.at("version_compatible").get<bool>()) runtime->setEngineHostCodeAllowed(true);
  const std::vector<char> plan = plan_of(run.engine().folder);
  const std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan.data(), plan.size()));
  if (engine == nullptr) throw std::runtime_error("the plan cannot be loaded");
  const std::vector<Prepared> batches = prepare(run, *engine);
  constexpr size_t kLongest = 512;
  std::vector<std::unique_ptr<LoopLane>> lanes;
  for (int lane = 0; lane < run.device().streams; ++lane) {
    lanes.push_back(std::make_unique<LoopLane>(*engine, run.spec.batch.max_samples * kLongest * sizeof(float)));
  }
  bare_loop::measure(lanes, batches, 0);
  return bare_loop::measure(lanes, batches, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  return bare_loop::program(argc, argv, rate);
}
