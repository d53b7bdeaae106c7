#include "settings.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "core/error.h"

namespace harness {

namespace {

mlperf::TestScenario scenario_of(const std::string& name) {
  if (name == "Offline") return mlperf::TestScenario::Offline;
  if (name == "Server") return mlperf::TestScenario::Server;
  return name == "MultiStream" ? mlperf::TestScenario::MultiStream : mlperf::TestScenario::SingleStream;
}

std::string in_gigabytes(double bytes) {
  std::ostringstream out;
  out.precision(3);
  out << bytes / 1e9 << " GB";
  return out.str();
}

}  // namespace

mlperf::TestSettings read_settings(const RunSpec& spec) {
  mlperf::TestSettings settings;
  settings.scenario = scenario_of(spec.scenario);
  settings.mode = spec.test_mode == "AccuracyOnly" ? mlperf::TestMode::AccuracyOnly : mlperf::TestMode::PerformanceOnly;
  if (settings.FromConfig(spec.user_conf, spec.benchmark, spec.scenario, 1) != 0) {
    throw Error(Status::kFailed, "LoadGen cannot read " + spec.user_conf, "",
                "run `make run_harness` again, which rewrites it");
  }
  const std::map<std::string, uint64_t*> seeds = {{"qsl_rng_seed", &settings.qsl_rng_seed},
                                                  {"sample_index_rng_seed", &settings.sample_index_rng_seed},
                                                  {"schedule_rng_seed", &settings.schedule_rng_seed}};
  for (const auto& [name, seed] : spec.seeds) *seeds.at(name) = seed;
  if (spec.scenario == "Server") settings.server_num_issue_query_threads = static_cast<uint64_t>(spec.issue_threads);
  return settings;
}

// The share of queries that must meet the bound: soft_drop if set, but never below LoadGen's percentile.
ServerBound server_bound(const RunSpec& spec, const mlperf::TestSettings& settings) {
  ServerBound bound;
  bound.latency_ns = static_cast<int64_t>(settings.server_target_latency_ns);
  if (spec.soft_drop > 0 && spec.soft_drop < 1) {
    bound.must_hold = std::max(spec.soft_drop, settings.server_target_latency_percentile);
  }
  return bound;
}

mlperf::LogSettings read_log_settings(const RunSpec& spec) {
  const std::map<std::string, mlperf::LoggingMode> modes = {{"AsyncPoll", mlperf::LoggingMode::AsyncPoll},
                                                            {"EndOfTestOnly", mlperf::LoggingMode::EndOfTestOnly},
                                                            {"Synchronous", mlperf::LoggingMode::Synchronous}};
  mlperf::LogSettings log;
  log.log_output.outdir = spec.output_dir;
  log.log_output.copy_summary_to_stdout = spec.log.copy_summary_to_stdout;
  log.log_output.copy_detail_to_stdout = spec.log.copy_detail_to_stdout;
  log.log_mode = modes.at(spec.log.mode);
  log.log_mode_async_poll_interval_ms = spec.log.async_poll_interval_ms;
  log.enable_trace = spec.log.enable_trace;
  return log;
}

double expected_samples(const RunSpec& spec, const mlperf::TestSettings& settings) {
  if (spec.test_mode == "AccuracyOnly") return static_cast<double>(spec.dataset.count);
  const double seconds = static_cast<double>(settings.min_duration_ms) / 1000;
  const auto least = static_cast<double>(settings.min_query_count);
  switch (settings.scenario) {
    case mlperf::TestScenario::Offline:
      return std::max(least, 1.1 * seconds * settings.offline_expected_qps);
    case mlperf::TestScenario::Server:
      return std::max(least, seconds * settings.server_target_qps);
    case mlperf::TestScenario::SingleStream:
      return std::max(least, 2 * seconds * 1e9 / settings.single_stream_expected_latency_ns);
    case mlperf::TestScenario::MultiStream:
      return static_cast<double>(settings.multi_stream_samples_per_query) *
             std::max(least, 2 * seconds * 1e9 / settings.multi_stream_expected_latency_ns);
  }
  return least;
}

double available_memory(const std::string& meminfo) {
  std::ifstream in(meminfo);
  std::string name;
  while (in >> name) {
    double kilobytes = 0;
    if (name == "MemAvailable:" && in >> kilobytes) return kilobytes * 1024;
    in.ignore(256, '\n');
  }
  return 0;
}

void check_memory(double samples, double available) {
  const double wanted = samples * kBytesPerSample;
  if (available <= 0 || wanted <= available / 2) return;
  std::ostringstream why;
  why << "LoadGen allocates the records of all " << static_cast<uint64_t>(samples) << " samples before the test, about "
      << in_gigabytes(wanted) << "; " << in_gigabytes(available) << " are free";
  if (wanted <= available) {
    std::cerr << "warning: this run needs more than half of the free memory: " << why.str() << "\n";
    return;
  }
  throw Error(Status::kUsage, "this run does not fit in memory", why.str(),
              "lower the expected QPS (or raise the expected latency), or the minimum duration");
}

}  // namespace harness
