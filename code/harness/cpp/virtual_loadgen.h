// LoadGen in virtual time: its schedule, its rules for the end of a test, its early stopping and its verdict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/condition.h"
#include "query_sample.h"
#include "scenarios/sut.h"
#include "test_settings_internal.h"

namespace harness {

// What LoadGen would report of a test.
struct VirtualResult {
  bool valid = false;
  std::vector<std::string> reasons;  // why it is INVALID, in LoadGen's own terms: min_duration, …
  double result = 0;                 // the scenario's: samples/s (Server: completed), or a latency in ns
  double scheduled_qps = 0;          // of Server
  uint64_t queries = 0;
  uint64_t late = 0;                  // queries beyond the target latency
  int64_t duration_ns = 0;            // from the start to the last completion
  double percentile = 0;              // by which the scenario is judged, as a share
  int64_t percentile_ns = 0;          // the latency there
  int64_t bound_ns = 0;               // the most it may be; 0: any
  int64_t estimate_ns = 0;            // early stopping's latency, of the stream scenarios; 0: too few queries
  std::vector<int64_t> latencies_ns;  // ascending: of samples, in MultiStream of queries
};

class VirtualLoadgen {
 public:
  // `total`: samples of the data set. `settings` must outlive the object.
  VirtualLoadgen(const mlperf::loadgen::TestSettingsInternal& settings, size_t total)
      : settings_(settings), total_(total) {}

  // Runs a test; to be called from a fiber of virtual time.
  VirtualResult run(Sut& sut);
  // QuerySamplesComplete.
  void complete(const mlperf::QuerySampleResponse* responses, size_t count);

 private:
  void issue(Sut& sut, int64_t scheduled, const std::vector<uint32_t>& samples);
  void wait_for_all();
  [[nodiscard]] bool goes_on(int64_t elapsed_ns, bool outstanding);
  void judge(VirtualResult& out);

  const mlperf::loadgen::TestSettingsInternal& settings_;
  size_t total_;
  int64_t start_ = 0;
  int64_t last_scheduled_ = 0;  // of the last query, after the start
  int64_t last_done_ = 0;       // when its last sample completed, after the start
  size_t last_first_ = 0;       // its first sample's number
  int64_t end_ = 0;             // the last completion, after the start
  uint64_t queries_ = 0;
  size_t completed_ = 0;
  bool cut_short_ = false;          // max_query_count, max_duration or max_async_queries ended it
  bool ran_out_ = false;            // of generated queries
  std::vector<int64_t> scheduled_;  // when each sample's query was, then its latency, ns
  std::vector<int64_t> query_latencies_;
  std::vector<mlperf::QuerySample> samples_;
  std::mutex mutex_;
  Condition done_;
};

}  // namespace harness
