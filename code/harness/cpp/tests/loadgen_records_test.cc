#include "loadgen_records.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "issue_query_controller.h"

namespace {

using mlperf::QuerySampleResponse;
using mlperf::loadgen::QueryMetadata;
using mlperf::loadgen::SampleMetadata;

// What LoadGen hears of its samples and queries.
class Heard : public mlperf::loadgen::ResponseDelegate {
 public:
  void SampleComplete(SampleMetadata* sample, QuerySampleResponse* /*response*/, mlperf::PerfClock::time_point /*when*/,
                      const mlperf::ResponseCallback& /*copy*/) override {
    ++samples[sample->sample_index];
  }
  void TokenComplete(SampleMetadata* /*sample*/, QuerySampleResponse* /*response*/,
                     mlperf::PerfClock::time_point /*when*/, const mlperf::ResponseCallback& /*copy*/) override {}
  void QueryComplete() override { ++queries; }

  std::map<size_t, int> samples;
  int queries = 0;
};

struct Queries {
  explicit Queries(const std::vector<std::vector<size_t>>& samples) {
    for (const auto& one : samples) {
      all.push_back(std::make_unique<QueryMetadata>(one, std::chrono::nanoseconds(0), &heard, &sequence));
      for (const auto& sample : all.back()->query_to_send) responses.emplace_back(sample.id, 0, 0);
    }
  }

  Heard heard;
  mlperf::loadgen::SequenceGen sequence;
  std::vector<std::unique_ptr<QueryMetadata>> all;
  std::vector<QuerySampleResponse> responses;
};

TEST(LoadgenRecords, EverySampleOfAGroupIsCompletedOnce) {
  for (const auto& samples :
       std::vector<std::vector<std::vector<size_t>>>{{{7}}, {{1}, {2}, {3}}, {{1, 2, 3, 4}}, {{1, 2}, {3}, {4, 5}}}) {
    Queries queries(samples);
    harness::complete_samples(queries.responses.data(), queries.responses.size());
    size_t count = 0;
    for (const auto& one : samples) count += one.size();
    ASSERT_EQ(queries.heard.samples.size(), count);
    for (const auto& [sample, times] : queries.heard.samples) EXPECT_EQ(times, 1) << sample;
    EXPECT_EQ(queries.heard.queries, static_cast<int>(samples.size()));
  }
}

TEST(LoadgenRecords, FetchingChangesNothing) {
  Queries queries({{1}, {2, 3}});
  harness::fetch_records(queries.responses.data(), queries.responses.size());
  harness::fetch_records(queries.responses.data(), 0);
  EXPECT_TRUE(queries.heard.samples.empty());
  EXPECT_EQ(queries.heard.queries, 0);
}

}  // namespace
