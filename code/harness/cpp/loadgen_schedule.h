// LoadGen's queries of a performance run, as GenerateQueries in its loadgen.cc makes them: the same samples in the same
// order, at the same times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "test_settings_internal.h"

namespace harness {

// LoadGen keeps every query in memory before the test; here they are made one after another.
class LoadgenSchedule {
 public:
  // `total`: samples of the data set.
  LoadgenSchedule(const mlperf::loadgen::TestSettingsInternal& settings, size_t total);

  struct Query {
    int64_t at_ns = 0;              // after the start of the test; of Server only
    std::vector<uint32_t> samples;  // indices into the data set
  };

  // Fills `query`; false when LoadGen made no more.
  bool next(Query& query);
  // Those made so far, and the time of the one that would follow.
  [[nodiscard]] size_t made() const { return made_; }
  [[nodiscard]] int64_t until_ns() const { return at_ns_; }

 private:
  uint32_t sample();
  int64_t gap_ns();

  const mlperf::loadgen::TestSettingsInternal& settings_;
  std::vector<uint32_t> loaded_;
  std::vector<uint32_t> unique_;  // a permutation of the loaded ones, for performance_issue_unique
  std::vector<uint32_t> equal_;   // several of them, for sample_concatenate_permutation
  std::mt19937 sample_rng_;
  std::mt19937 schedule_rng_;
  std::uniform_int_distribution<> any_;
  std::exponential_distribution<> gap_;
  size_t distribution_end_;
  size_t samples_per_query_;
  size_t least_;  // queries
  int64_t duration_ns_;
  size_t made_ = 0;
  size_t drawn_ = 0;
  int64_t at_ns_ = 0;
  int64_t previous_ns_ = 0;
};

}  // namespace harness
