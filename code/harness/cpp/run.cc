#include "run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/batch_log.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/intervals.h"
#include "core/lanes.h"
#include "core/latencies.h"
#include "core/progress.h"
#include "core/remote.h"
#include "core/topology.h"
#include "core/usage.h"
#include "core/watch.h"
#include "loadgen.h"
#include "loadgen_records.h"
#include "query_sample_library.h"
#include "scenarios/sut.h"
#include "settings.h"
#include "system_under_test.h"

namespace harness {

namespace {

class LoadgenSut : public mlperf::SystemUnderTest {
 public:
  LoadgenSut(std::string name, Sut& sut) : name_(std::move(name)), sut_(sut) {}

  const std::string& Name() override { return name_; }
  void IssueQuery(const std::vector<mlperf::QuerySample>& samples) override {
    sut_.issue(samples.data(), samples.size());
  }
  void FlushQueries() override { sut_.flush(); }

 private:
  std::string name_;
  Sut& sut_;
};

class LoadgenQsl : public mlperf::QuerySampleLibrary {
 public:
  LoadgenQsl(std::string name, Dataset& dataset, size_t resident)
      : name_(std::move(name)), dataset_(dataset), resident_(std::min(resident, dataset.count())) {}

  const std::string& Name() override { return name_; }
  size_t TotalSampleCount() override { return dataset_.count(); }
  size_t PerformanceSampleCount() override { return resident_; }
  void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex>& samples) override { dataset_.load(samples); }
  void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex>& /*samples*/) override {}

 private:
  std::string name_;
  Dataset& dataset_;
  size_t resident_;
};

// LoadGen aborts, or silently writes nothing, when its folder is not writable.
void check_output(const std::string& folder) {
  struct stat status{};
  const bool there = ::stat(folder.c_str(), &status) == 0;
  if (there && S_ISDIR(status.st_mode) && ::access(folder.c_str(), W_OK | X_OK) == 0) return;
  throw Error(Status::kFailed, "cannot write to " + folder, there ? "LoadGen's logs go there" : std::strerror(errno),
              "choose another folder with LOG_DIR");
}

// LoadGen finishes its accuracy log last, with a bracket. Without it the disk was full or the folder was removed.
void check_logs(const std::string& folder) {
  std::string why;
  for (const char* name : {"mlperf_log_detail.txt", "mlperf_log_summary.txt", "mlperf_log_accuracy.json"}) {
    std::ifstream in(folder + "/" + name, std::ios::binary | std::ios::ate);
    if (!in || in.tellg() <= 0) {
      why = std::string(name) + (in ? " is empty" : " does not exist");
    } else if (std::string(name) == "mlperf_log_accuracy.json") {
      in.seekg(-2, std::ios::end);
      if (in.get() != ']') why = std::string(name) + " is truncated";
    }
  }
  if (why.empty()) return;
  throw Error(Status::kFailed, "LoadGen's logs in " + folder + " are incomplete", why,
              "free disk space, leave the folder in place, and run again");
}

// Threads on which LoadGen issues Server queries (run.json's server.issue_threads).
class IssueThreads {
 public:
  IssueThreads(int count, const std::string& scenario) {
    if (scenario != "Server") return;
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([] {
        exact_timers();
        mlperf::RegisterIssueQueryThread();
      });
    }
  }
  ~IssueThreads() {
    for (auto& thread : threads_) thread.join();
  }
  IssueThreads(const IssueThreads&) = delete;
  IssueThreads& operator=(const IssueThreads&) = delete;
  IssueThreads(IssueThreads&&) = delete;
  IssueThreads& operator=(IssueThreads&&) = delete;

 private:
  std::vector<std::thread> threads_;
};

// What the lanes recorded of the test, for the report page.
void write_logs(const std::string& folder, int64_t start_ns, const Lanes& lanes) {
  std::vector<DeviceLog> logs;
  std::vector<const Intervals*> intervals;
  std::vector<uint64_t> counts(Latencies::kBuckets);
  for (size_t i = 0; i < lanes.size(); ++i) {
    logs.push_back({&lanes.lane(i).log(), lanes.device(lanes.lane(i).device()).index});
    intervals.push_back(&lanes.lane(i).intervals());
    lanes.lane(i).state().latencies.add_to(counts);
  }
  write_batches(folder + "/batches.npy", start_ns, logs);
  write_intervals(folder + "/intervals.npy", start_ns, intervals);
  write_latencies(folder + "/latencies.npy", counts);
}

}  // namespace

void run_test(const RunSpec& spec) {
  check_output(spec.output_dir);
  const mlperf::TestSettings settings = read_settings(spec);
  check_memory(expected_samples(spec, settings), available_memory());
  auto dataset = spec.dataset.open();
  if (spec.engines.front().backend == "remote") dataset = remote_dataset(std::move(dataset));

  Watch watch(spec.output_dir, spec.watchdog_s);
  watch.enter("load", nullptr);
  Lanes lanes(spec, *dataset, complete_samples);
  const auto sut = make_sut(spec, server_bound(spec, settings), lanes, *dataset);
  const Forgets forgets(watch);
  if (spec.warmup_s > 0) {
    watch.enter("warmup", sut.get());
    lanes.warm_up(*dataset, spec.batch.max_samples, spec.warmup_s, spec.scenario == "Server");
  }

  const size_t override_count = settings.performance_sample_count_override;
  LoadgenSut loadgen_sut("harness." + spec.engines.front().backend, *sut);
  LoadgenQsl qsl(spec.benchmark, *dataset, override_count != 0 ? override_count : dataset->count());
  watch.enter("run", sut.get());
  const int64_t start = now_ns();
  {
    const IssueThreads issue_threads(spec.issue_threads, spec.scenario);
    exact_timers();
    mlperf::StartTest(&loadgen_sut, &qsl, settings, read_log_settings(spec), spec.audit_conf);
  }
  const int64_t end = now_ns();
  sut->close();
  check_logs(spec.output_dir);
  write_logs(spec.output_dir, start, lanes);
  write_usage(spec.output_dir + "/devices.json", lanes, end - start);
  watch.enter("end", sut.get());
}

}  // namespace harness
