#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/batch_log.h"
#include "core/error.h"
#include "core/file.h"
#include "core/lanes.h"
#include "core/usage.h"
#include "core/virtual_time.h"
#include "run.h"
#include "scenarios/sut.h"
#include "settings.h"
#include "virtual_loadgen.h"

namespace harness {

namespace {

// How late threads wake up on an idle machine with real-time priority: the mean of batches that have nothing to wait
// for.
constexpr double kWakingNs = 57'000;
const std::vector<double> kShares = {0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999};

// Samples of a batch and its time in the engine, means over all batches that were logged.
nlohmann::json batches_of(const std::vector<const BatchLog*>& logs) {
  double batches = 0;
  double samples = 0;
  double in_engine_ns = 0;
  for (const BatchLog* log : logs) {
    for (const auto& entry : log->entries()) {
      batches += 1;
      samples += entry.samples;
      in_engine_ns += static_cast<double>(entry.end - entry.begin);
    }
  }
  const double count = std::max(batches, 1.0);
  return {{"samples", samples / count}, {"in_engine_ns", in_engine_ns / count}};
}

nlohmann::json as_json(const VirtualResult& result, uint64_t samples, const std::vector<const BatchLog*>& logs) {
  nlohmann::json latencies = nlohmann::json::object();
  for (const double share : kShares) {
    const auto at = static_cast<size_t>(static_cast<double>(result.latencies_ns.size()) * share);
    latencies[nlohmann::json(share).dump()] = result.latencies_ns[at];
  }
  latencies["1"] = result.latencies_ns.back();
  return {{"valid", result.valid},
          {"reasons", result.reasons},
          {"result", result.result},
          {"scheduled_qps", result.scheduled_qps},
          {"queries", result.queries},
          {"samples", samples},
          {"late", result.late},
          {"duration_ns", result.duration_ns},
          {"percentile", result.percentile},
          {"percentile_ns", result.percentile_ns},
          {"bound_ns", result.bound_ns},
          {"early_stopping_ns", result.estimate_ns},
          {"latencies_ns", latencies},
          {"batch", batches_of(logs)}};
}

}  // namespace

void run_simulation(const RunSpec& spec) {
  for (const auto& engine : spec.engines) {
    if (engine.backend == "simulated") continue;
    throw Error(Status::kUsage, "the backend '" + engine.backend + "' cannot run in virtual time",
                "only a simulated engine knows how long a batch takes without computing it",
                "use `make simulate`, which makes one");
  }
  if (spec.test_mode == "AccuracyOnly") {
    throw Error(Status::kUsage, "an accuracy run cannot be simulated", "a simulated engine computes nothing",
                "leave --test_mode out");
  }
  const mlperf::TestSettings settings = read_settings(spec);
  const auto dataset = spec.dataset.open();
  const size_t override_count = settings.performance_sample_count_override;
  const size_t resident = std::min(override_count != 0 ? override_count : dataset->count(), dataset->count());
  const mlperf::loadgen::TestSettingsInternal internal(settings, resident, dataset->count());
  VirtualLoadgen loadgen(internal, dataset->count());
  Lanes lanes(spec, *dataset,
              [&](mlperf::QuerySampleResponse* responses, size_t count) { loadgen.complete(responses, count); });
  VirtualTime time(kWakingNs);
  VirtualResult result;
  int64_t elapsed = 0;
  uint64_t samples = 0;
  time.run([&] {
    const auto sut = make_sut(spec, server_bound(spec, settings), lanes, *dataset);
    result = loadgen.run(*sut);
    elapsed = time.now();
    samples = sut->issued();
    sut->close();
  });
  std::vector<const BatchLog*> logs;
  for (size_t i = 0; i < lanes.size(); ++i) logs.push_back(&lanes.lane(i).log());
  write_usage(spec.output_dir + "/devices.json", lanes, elapsed);
  const std::string text = as_json(result, samples, logs).dump(4) + "\n";
  write_whole(spec.output_dir + "/simulation.json", text);
  std::cout << text << std::flush;
}

}  // namespace harness
