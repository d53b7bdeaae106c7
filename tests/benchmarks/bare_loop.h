// What the bare loops have in common: the batches of one pass as the harness would make them, lanes that share them,
// and the line that is printed.
#pragma once

#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/json_reader.h"
#include "core/run_spec.h"
#include "core/sequence_dataset.h"
#include "core/sorted_work.h"

namespace bare_loop {

// A run.json and what it says of its sequences.
struct Run {
  harness::RunSpec spec;
  harness::SequenceSpec data;
  nlohmann::json options;  // of its first engine

  [[nodiscard]] const harness::EngineSpec& engine() const { return spec.engines.front(); }
  [[nodiscard]] const harness::DeviceSpec& device() const { return spec.devices.front(); }
};

inline Run read_run(const std::string& path) {
  std::ifstream in(path);
  const nlohmann::json content = nlohmann::json::parse(in);
  harness::Reader reader(content.at("dataset"), path, "dataset");
  harness::RunSpec spec = harness::read_run_spec(path);
  const size_t count = spec.dataset.count;
  return {std::move(spec), harness::read_sequence_spec(count, reader), content.at("engines").at(0).at("options")};
}

inline std::vector<harness::Batch> batches_of(const Run& run) {
  const harness::SequenceDataset dataset(run.data);
  const harness::RunSpec& spec = run.spec;
  std::vector<mlperf::QuerySample> samples(dataset.count());
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = {i + 1, i};
  harness::SortedWork work(dataset.lengths(), spec.batch.max_samples, spec.batch.padding, false);
  work.offer(samples.data(), samples.size());
  std::vector<harness::Batch> out;
  harness::Batch batch;
  while (work.take(batch, false) == harness::Taken::kBatch) {
    batch.longest = static_cast<int32_t>(dataset.computed(batch.longest));
    out.push_back(batch);
  }
  return out;
}

// Samples per second over at least one pass, and whole passes until `seconds` have gone by. A lane has `run(batch)` and
// `finish()`, and a batch has `samples`.
template <typename Lane, typename Prepared>
double measure(const std::vector<std::unique_ptr<Lane>>& lanes, const std::vector<Prepared>& batches, double seconds) {
  std::atomic<size_t> next{0};
  std::atomic<size_t> end{batches.size()};
  std::atomic<uint64_t> samples{0};
  const int64_t start = harness::now_ns();
  std::vector<std::thread> threads;
  for (const auto& lane : lanes) {
    threads.emplace_back([&, own = lane.get()] {
      while (true) {
        const size_t number = next.fetch_add(1);
        if (number >= end.load()) {
          if (static_cast<double>(harness::now_ns() - start) >= seconds * 1e9) break;
          end.store((number / batches.size() + 1) * batches.size());
        }
        const Prepared& batch = batches[number % batches.size()];
        own->run(batch);
        samples.fetch_add(batch.samples);
      }
      own->finish();
    });
  }
  for (auto& thread : threads) thread.join();
  return static_cast<double>(samples.load()) * 1e9 / static_cast<double>(harness::now_ns() - start);
}

// The program: `rate(run, seconds)` is what it prints.
template <typename Rate>
int program(int argc, char** argv, const Rate& rate) {
  try {
    if (argc < 2) throw std::runtime_error(std::string("usage: ") + argv[0] + " run.json [SECONDS]");
    const Run run = read_run(argv[1]);
    std::printf("{\"samples_per_second\": %.3f}\n", rate(run, argc > 2 ? std::stod(argv[2]) : 5.0));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 4;
  }
  return 0;
}

}  // namespace bare_loop
