// `harness --explain`: prints what a run.json would do.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/sorted_work.h"
#include "core/topology.h"
#include "run.h"
#include "settings.h"

namespace harness {

namespace {

std::string cores_text(const std::vector<int>& cores) {
  if (cores.empty()) return "any core near the device";
  std::string out = "cores";
  for (const int core : cores) out += " " + std::to_string(core);
  return out;
}

void explain_dataset(const RunSpec& spec, const Dataset& dataset) {
  std::vector<int32_t> lengths = dataset.lengths();
  std::sort(lengths.rbegin(), lengths.rend());
  double total = 0;
  for (const int32_t length : lengths) total += length;
  std::vector<uint32_t> starts;
  cut_batches(lengths, spec.batch.max_samples, spec.batch.padding, starts);
  double computed = 0;
  for (size_t i = 0; i + 1 < starts.size(); ++i)
    computed += static_cast<double>(dataset.computed(lengths[starts[i]])) * (starts[i + 1] - starts[i]);
  std::cout << "data set:  " << spec.dataset.kind << ", " << dataset.count() << " samples, length " << lengths.back()
            << " to " << lengths.front() << ", mean " << total / static_cast<double>(lengths.size()) << "\n"
            << "batches:   at most " << spec.batch.max_samples << " samples; one pass over the data set is "
            << starts.size() - 1 << " batches, of which " << 100 * (computed - total) / computed << " % is padding\n";
  std::cout << dataset.explain();
}

}  // namespace

void print_capabilities() {
  const nlohmann::json content = {{"schema", kSchema}, {"backends", engine_options()}, {"datasets", dataset_keys()}};
  std::cout << content.dump() << "\n" << std::flush;
}

bool check_files(const std::vector<std::string>& files) {
  bool good = true;
  for (const auto& file : files) {
    nlohmann::json line = {{"file", file}, {"error", nullptr}};
    try {
      static_cast<void>(read_run_spec(file));
    } catch (const Error& error) {
      line["error"] = error.text();
      good = false;
    }
    std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  }
  std::cout << std::flush;
  return good;
}

void run_explain(const RunSpec& spec) {
  const mlperf::TestSettings settings = read_settings(spec);
  const auto dataset = spec.dataset.open();
  const size_t lanes = spec.lanes();
  std::cout << "run:       " << spec.benchmark << " " << spec.scenario << " " << spec.test_mode << "\n"
            << "lanes:     " << lanes << " on " << spec.devices.size() << " devices\n";
  for (const auto& engine : spec.engines) {
    std::cout << "engine:    " << engine.backend << " " << engine.precision << " from " << engine.folder << "\n"
              << (engine.loader == nullptr ? "           not built into this binary\n" : engine.loader->explain());
  }
  for (const auto& device : spec.devices) {
    std::cout << "device:    " << device.index << ", " << device.name << ": engine " << device.engine << ", "
              << device.streams << " streams, " << device.threads << " threads, on " << cores_text(device.cores)
              << "\n";
  }
  std::cout << "machine:   " << numa_nodes().size()
            << " NUMA nodes; backends in this binary: " << joined(engine_names()) << "\n";
  explain_dataset(spec, *dataset);
  if (spec.scenario == "Server") {
    std::cout << "queue:     one per device, the least loaded gets the query; a batch fills for at most "
              << spec.batch.timeout_us << " us and closes in time for "
              << static_cast<double>(settings.server_target_latency_ns) / 1e6 << " ms\n"
              << "issuing:   "
              << (spec.issue_threads == 0 ? "LoadGen's own thread" : std::to_string(spec.issue_threads) + " threads")
              << (settings.server_coalesce_queries ? ", coalesced" : "") << "\n";
  } else if (spec.scenario == "SingleStream" || (spec.scenario == "MultiStream" && lanes == 1)) {
    std::cout << "queue:     none; answered on LoadGen's own thread\n";
  } else {
    std::cout << "queue:     one sorted list, longest first, for all lanes\n";
  }
  const double samples = expected_samples(spec, settings);
  std::cout << "LoadGen:   at least " << settings.min_duration_ms << " ms and " << settings.min_query_count
            << " queries; records of about " << static_cast<uint64_t>(samples) << " samples, "
            << samples * kBytesPerSample / 1e6 << " MB\n"
            << "logs:      " << spec.output_dir << (spec.log.enable_trace ? ", with trace" : "") << "\n"
            << std::flush;
}

}  // namespace harness
