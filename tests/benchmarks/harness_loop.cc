// harness_loop run.json: the bare loop that an Offline run on OpenVINO is measured against: the same engine, threads
// and batches, every batch's input tensors made beforehand, nothing done with the outputs. Runs the data set once to
// warm up, then `seconds` long.
//
// harness_loop run.json [SECONDS]: prints one JSON line: {"samples_per_second": …}.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <openvino/runtime/core.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/npy.h"
#include "core/run_spec.h"
#include "core/sequence_dataset.h"
#include "core/sorted_work.h"

namespace {

using harness::RunSpec;

struct Prepared {
  std::vector<ov::Tensor> inputs;
  size_t samples = 0;
};

ov::CompiledModel load(const RunSpec& spec) {
  const std::map<std::string, std::string> hints = {
      {"fp32", "f32"}, {"int8", "f32"}, {"bf16", "bf16"}, {"fp16", "f16"}};
  static ov::Core core;
  std::ifstream blob(spec.engine.folder + "/engine.blob", std::ios::binary);
  return core.import_model(blob, "CPU",
                           {{"INFERENCE_PRECISION_HINT", hints.at(spec.engine.precision)},
                            {"NUM_STREAMS", std::to_string(spec.engine.streams)},
                            {"INFERENCE_NUM_THREADS", std::to_string(spec.engine.threads)},
                            {"PERFORMANCE_HINT", spec.engine.streams > 1 ? "THROUGHPUT" : "LATENCY"},
                            {"ENABLE_CPU_PINNING", "NO"}});
}

// The batches of one pass over the data set, as the harness would make them.
std::vector<Prepared> prepare(const RunSpec& spec, const ov::CompiledModel& model) {
  const harness::SequenceDataset dataset(spec.dataset);
  std::vector<mlperf::QuerySample> samples(dataset.count());
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = {i + 1, i};
  harness::SortedWork work(dataset.lengths(), spec.batch.max_samples, spec.batch.padding, false);
  work.offer(samples.data(), samples.size());
  std::map<std::string, harness::NpyArray> arrays;
  for (const auto& [name, file] : spec.dataset.arrays)
    arrays.emplace(name, harness::NpyArray(spec.dataset.folder + "/" + file));
  std::vector<Prepared> out;
  harness::Batch batch;
  while (work.take(batch, false) == harness::Taken::kBatch) {
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

// Samples per second over at least one pass, and whole passes until `seconds` have gone by.
double measure(const RunSpec& spec, ov::CompiledModel& model, const std::vector<Prepared>& batches, double seconds) {
  std::atomic<size_t> next{0};
  std::atomic<size_t> end{batches.size()};
  std::atomic<uint64_t> samples{0};
  const int64_t start = harness::now_ns();
  std::vector<std::thread> threads;
  for (int lane = 0; lane < spec.engine.streams; ++lane) {
    threads.emplace_back([&] {
      ov::InferRequest request = model.create_infer_request();
      while (true) {
        const size_t number = next.fetch_add(1);
        if (number >= end.load()) {
          if (static_cast<double>(harness::now_ns() - start) >= seconds * 1e9) return;
          end.store((number / batches.size() + 1) * batches.size());
        }
        const Prepared& batch = batches[number % batches.size()];
        for (size_t i = 0; i < batch.inputs.size(); ++i) request.set_input_tensor(i, batch.inputs[i]);
        request.infer();
        samples.fetch_add(batch.samples);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return static_cast<double>(samples.load()) * 1e9 / static_cast<double>(harness::now_ns() - start);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw std::runtime_error("usage: harness_loop run.json [SECONDS]");
    const RunSpec spec = harness::read_run_spec(argv[1]);
    ov::CompiledModel model = load(spec);
    const std::vector<Prepared> batches = prepare(spec, model);
    measure(spec, model, batches, 0);
    const double rate = measure(spec, model, batches, argc > 2 ? std::stod(argv[2]) : 5);
    std::printf("{\"samples_per_second\": %.3f}\n", rate);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 4;
  }
  return 0;
}
