// The systems under test and the simulated engine by themselves, without LoadGen.
#include "scenarios/sut.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/error.h"
#include "core/json_reader.h"
#include "core/latencies.h"
#include "process.h"

namespace {

using harness::Engine;
using harness::Error;
using nlohmann::json;

// ── the simulated engine ──

std::unique_ptr<Engine> simulated(const json& options, int device = 0) {
  harness::Reader reader(options, "run.json", "options");
  harness::EngineSpec spec;
  spec.backend = "simulated";
  spec.loader = harness::read_engine_options("simulated", reader);
  reader.finish();
  harness::DeviceSpec where;
  where.index = device;
  return harness::load_engine(spec, where);
}

json options_with(const json& changed) {
  json out = {{"batches", {1, 4}},      {"lengths", {10, 20}}, {"microseconds", {{1000, 2000}, {4000, 8000}}},
              {"slowdown", {1.0, 3.0}}, {"fault", ""},         {"fault_after", 0},
              {"load_s", 0.0},          {"at_once", 1}};
  out.update(changed);
  return out;
}

// Microseconds that calls of a device take together.
double spent_us(Engine& engine, const std::vector<harness::Work>& calls, size_t streams = 1) {
  std::vector<std::unique_ptr<harness::Stream>> all;
  for (size_t i = 0; i < streams; ++i) all.push_back(engine.stream());
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; i < calls.size(); ++i) all[i % streams]->enqueue(calls[i]);
  for (size_t i = 0; i < calls.size(); ++i) all[i % streams]->wait();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count();
}

TEST(Simulated, TakesAtLeastTheTimeOfItsTable) {
  auto engine = simulated(options_with(json::object()));
  EXPECT_FALSE(engine->computes());
  EXPECT_TRUE(engine->inputs().empty() && engine->outputs().empty());
  EXPECT_GE(spent_us(*engine, {{1, 10}}), 1000);
  EXPECT_GE(spent_us(*engine, {{4, 20}}), 8000);
  EXPECT_GE(spent_us(*engine, {{1, 15}}), 1500);                    // between two lengths
  EXPECT_GE(spent_us(*engine, {{2, 10}}), 2000);                    // between two batch sizes
  EXPECT_GE(spent_us(*engine, {{8, 20}}), 16000);                   // beyond the table
  EXPECT_GE(spent_us(*engine, {{1, 20}, {1, 20}, {1, 20}}), 6000);  // one batch at a time
  EXPECT_GE(spent_us(*engine, {{4, 20}, {4, 20}}, 2), 16000);       // whichever stream it is of
  auto slow = simulated(options_with(json::object()), 1);
  EXPECT_GE(spent_us(*slow, {{1, 10}}), 3000);
  auto single = simulated(options_with({{"batches", {1}}, {"lengths", {1}}, {"microseconds", {{500}}}}));
  EXPECT_GE(spent_us(*single, {{9, 99}}), 500);
}

TEST(Simulated, StreamsOfAProcessorHaveOneCallInFlight) {
  EXPECT_EQ(simulated(options_with(json::object()))->stream()->depth(), 2U);
  EXPECT_EQ(simulated(options_with({{"at_once", 2}}))->stream()->depth(), 1U);
}

TEST(Simulated, FailsAsItIsTold) {
  auto engine = simulated(options_with({{"fault", "short"}, {"fault_after", 2}}));
  auto stream = engine->stream();
  for (const size_t answered : {4U, 4U, 3U, 3U}) {
    stream->enqueue({4, 10});
    stream->wait();
    EXPECT_EQ(stream->answered(), answered);
  }
  auto thrower = simulated(options_with({{"fault", "throw"}, {"fault_after", 1}}));
  auto throwing = thrower->stream();
  throwing->enqueue({1, 10});
  EXPECT_THROW(throwing->enqueue({1, 10}), std::runtime_error);
}

TEST(Simulated, RefusesTablesThatDoNotFit) {
  for (const json& changed :
       {json{{"batches", {4, 1}}}, json{{"lengths", {20, 10}}}, json{{"microseconds", {{1, 2}}}},
        json{{"microseconds", {{1, 2}, {3}}}}, json{{"batches", json::array()}},
        json{{"microseconds", {{1, 2}, {3, -4}}}}, json{{"fault", "explode"}}, json{{"at_once", 0}}}) {
    EXPECT_THROW(simulated(options_with(changed)), Error) << changed;
  }
}

// ── the systems under test ──

struct Bench {
  Bench(const std::string& scenario, int devices, int streams, double microseconds = 5) {
    json run = harness_test::usual_run(folder.path(), scenario, {});
    run["engines"] = {{{"backend", "simulated"},
                       {"folder", ""},
                       {"precision", "fp32"},
                       {"options", harness_test::table(microseconds)}}};
    run["devices"] = json::array();
    for (int i = 0; i < devices; ++i) run["devices"].push_back(harness_test::device(i, streams));
    spec = harness::parse_run_spec(run.dump(), "run.json");
    dataset = spec.dataset.open();
    lanes =
        std::make_unique<harness::Lanes>(spec, *dataset, [this](mlperf::QuerySampleResponse* responses, size_t count) {
          const std::lock_guard<std::mutex> lock(mutex);
          for (size_t i = 0; i < count; ++i) ++answered[responses[i].id];
        });
    sut = harness::make_sut(spec, {}, *lanes, *dataset);
  }

  // Issues samples with ids from `first` on, as one query.
  void issue(uintptr_t first, size_t count) {
    std::vector<mlperf::QuerySample> samples;
    for (size_t i = 0; i < count; ++i) samples.push_back({first + i, (first + i) % dataset->count()});
    sut->issue(samples.data(), samples.size());
  }

  // Ends the threads; each id from 1 to `count` was answered once.
  void end(size_t count) {
    sut->flush();
    sut->close();
    EXPECT_EQ(sut->issued(), count);
    EXPECT_EQ(sut->completed(), count);
    EXPECT_GE(sut->answers(), count);
    EXPECT_EQ(sut->longest_busy_ns(1), 0);
    ASSERT_EQ(answered.size(), count);
    for (const auto& [id, times] : answered) EXPECT_EQ(times, 1) << id;
    EXPECT_EQ(answered.rbegin()->first, count);
  }

  harness_test::Folder folder;
  harness::RunSpec spec;
  std::mutex mutex;
  std::map<uintptr_t, int> answered;
  std::unique_ptr<harness::Dataset> dataset;
  std::unique_ptr<harness::Lanes> lanes;
  std::unique_ptr<harness::Sut> sut;
};

TEST(Sut, AnswersEverySampleOnceInEveryScenario) {
  for (const char* scenario : {"Offline", "Server", "MultiStream"}) {
    for (const int devices : {1, 3}) {
      for (const int streams : {1, 2}) {
        SCOPED_TRACE(std::string(scenario) + " on " + std::to_string(devices) + " devices with " +
                     std::to_string(streams) + " streams");
        Bench bench(scenario, devices, streams);
        size_t next = 1;
        for (const size_t count : {size_t{1}, size_t{8}, size_t{100}, size_t{3}, size_t{1}}) {
          bench.issue(next, count);
          next += count;
        }
        bench.end(next - 1);
      }
    }
  }
}

TEST(Sut, TheShareOfWorkIsByLengthsAndEndsAtAll) {
  for (const char* scenario : {"Offline", "MultiStream"}) {
    Bench bench(scenario, 1, 2);
    EXPECT_EQ(bench.sut->work_share(), 0) << "nothing is issued yet";
    const size_t whole = bench.dataset->count();
    bench.issue(1, whole);
    bench.end(whole);
    EXPECT_GE(bench.sut->work(), 25U * (40 + 384 + 100 + 90)) << "padding is work, too";
    EXPECT_DOUBLE_EQ(bench.sut->work_share(), 1.0);
  }
  Bench server("Server", 1, 1);
  server.issue(1, 4);
  server.end(4);
  EXPECT_EQ(server.sut->work_share(), 0) << "queries of one sample have no share";
}

TEST(Sut, SingleStreamIsAnsweredWhenIssueReturns) {
  Bench bench("SingleStream", 2, 2);
  for (size_t id = 1; id <= 5; ++id) {
    bench.issue(id, 1);
    EXPECT_EQ(bench.sut->completed(), id);
  }
  EXPECT_GT(bench.sut->latency_ns(0.5), 0);
  EXPECT_GE(bench.sut->latency_ns(0.99), bench.sut->latency_ns(0.5));
  EXPECT_EQ(bench.lanes->lane(1).state().completed.load(), 0U) << "one query in flight uses one lane";
  bench.end(5);
}

TEST(Sut, ServerSharesItsQueriesAmongDevices) {
  Bench bench("Server", 2, 1, 2000);
  for (size_t id = 1; id <= 40; ++id) bench.issue(id, 1);
  bench.issue(41, 20);
  bench.end(60);
  for (size_t lane = 0; lane < 2; ++lane) EXPECT_GT(bench.lanes->lane(lane).state().completed.load(), 0U);
  EXPECT_GT(bench.sut->latency_ns(0.99), 0);
}

TEST(Sut, DescribesItsQueuesAndLanes) {
  Bench bench("Offline", 2, 1);
  bench.issue(1, 10);
  bench.end(10);
  const std::string words = bench.sut->describe(0);
  EXPECT_EQ(
      words,
      "10 samples issued, 10 completed; device node 0: 0 waiting, lane 0 idle; device node 1: 0 waiting, lane 1 idle");
}

// ── latencies ──

TEST(Latencies, TheEdgeOfABucketIsAboveItsValuesAndNear) {
  for (const int64_t ns :
       {int64_t{0}, int64_t{1}, int64_t{15}, int64_t{16}, int64_t{17}, int64_t{31}, int64_t{32}, int64_t{1000},
        int64_t{123'456'789}, int64_t{1} << 40, (int64_t{1} << 40) - 1, int64_t{1} << 62}) {
    harness::Latencies latencies;
    latencies.add(ns);
    std::vector<uint64_t> counts(harness::Latencies::kBuckets);
    latencies.add_to(counts);
    const double edge = harness::percentile_ns(counts, 0.5);
    EXPECT_GE(edge, static_cast<double>(ns));
    EXPECT_LE(edge, static_cast<double>(ns) * 1.0626 + 1);
    EXPECT_EQ(edge, harness::percentile_ns(counts, 1.0));
  }
}

TEST(Latencies, CountsOfSeveralAreAddedAndSharesAreOfAll) {
  harness::Latencies fast;
  harness::Latencies slow;
  for (int i = 0; i < 90; ++i) fast.add(10);
  for (int i = 0; i < 10; ++i) slow.add(1'000'000);
  slow.add(-5);  // a clock that went back counts as none
  std::vector<uint64_t> counts(harness::Latencies::kBuckets);
  fast.add_to(counts);
  slow.add_to(counts);
  EXPECT_EQ(harness::percentile_ns(counts, 0.0), 1);
  EXPECT_EQ(harness::percentile_ns(counts, 0.9), 11);
  EXPECT_GE(harness::percentile_ns(counts, 0.91), 1e6);
}

}  // namespace
