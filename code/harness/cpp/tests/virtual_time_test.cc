// Virtual time by itself, and LoadGen's schedule, rules and verdict in it against the real LoadGen.
#include "core/virtual_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/condition.h"
#include "core/error.h"
#include "core/workers.h"
#include "loadgen.h"
#include "loadgen_schedule.h"
#include "process.h"
#include "query_sample_library.h"
#include "system_under_test.h"

namespace {

using harness::computed_ns;
using harness::Condition;
using harness::LoadgenSchedule;
using harness::now_ns;
using harness::sleep_until_ns;
using harness::VirtualTime;
using harness::Workers;
using harness_test::Ended;
using harness_test::Folder;
using harness_test::read_text;
using harness_test::run_harness;
using harness_test::usual_run;
using nlohmann::json;

TEST(VirtualTime, JumpsToTheNextEvent) {
  std::vector<std::pair<int, int64_t>> seen;
  VirtualTime time;
  time.run([&] {
    Workers workers;
    for (const int who : {3, 1, 2}) {
      workers.start([&seen, who] {
        for (int i = 1; i <= 2; ++i) {
          sleep_until_ns(int64_t{1'000'000'000} * who * i);
          seen.emplace_back(who, now_ns() / 1'000'000'000);
        }
      });
    }
    workers.join();
    EXPECT_EQ(now_ns(), 6'000'000'000);
  });
  const std::vector<std::pair<int, int64_t>> expected = {{1, 1}, {1, 2}, {2, 2}, {3, 3}, {2, 4}, {3, 6}};
  std::sort(seen.begin(), seen.end(),
            [](auto a, auto b) { return std::tie(a.second, a.first) < std::tie(b.second, b.first); });
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(VirtualTime::current(), nullptr);
}

TEST(VirtualTime, ConditionsWakeOneAllOrAtTheirTime) {
  std::mutex mutex;
  Condition condition;
  int awake = 0;
  VirtualTime time;
  time.run([&] {
    Workers workers;
    for (int i = 0; i < 3; ++i) {
      workers.start([&] {
        std::unique_lock<std::mutex> lock(mutex);
        condition.wait(lock);
        ++awake;
      });
    }
    workers.start([&] {
      std::unique_lock<std::mutex> lock(mutex);
      condition.wait_until(lock, 500);
      EXPECT_EQ(now_ns(), 500);
    });
    sleep_until_ns(100);
    condition.notify_one();
    sleep_until_ns(200);
    EXPECT_EQ(awake, 1);
    sleep_until_ns(600);  // the one with a time has left the queue by itself
    condition.notify_all();
    workers.join();
    EXPECT_EQ(awake, 3);
  });
}

TEST(VirtualTime, OthersRunWhileOneComputes) {
  std::vector<std::string> seen;
  VirtualTime time;
  time.run([&] {
    Workers workers;
    workers.start([&] {
      sleep_until_ns(1'000);
      computed_ns(2'000);
      EXPECT_EQ(now_ns(), 3'000);
      seen.emplace_back("computed");
    });
    workers.start([&] {
      sleep_until_ns(2'000);
      seen.emplace_back("arrived");
    });
    workers.join();
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"arrived", "computed"}));
  computed_ns(int64_t{1} << 60);  // without virtual time it returns at once
}

TEST(VirtualTime, ThreadsWakeUpLateHoweverTheyWait) {
  constexpr int kTimes = 4000;
  double slept = 0;
  double woken = 0;
  VirtualTime time(50'000);
  time.run([&] {
    std::mutex mutex;
    Condition changed;
    int64_t notified = 0;
    Workers workers;
    workers.start([&] {
      for (int i = 0; i < kTimes; ++i) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock);
        woken += static_cast<double>(now_ns() - notified) / kTimes;
      }
    });
    for (int i = 0; i < kTimes; ++i) {
      const int64_t until = now_ns() + 10'000'000;
      sleep_until_ns(until);
      slept += static_cast<double>(now_ns() - until) / kTimes;
      notified = now_ns();
      changed.notify_one();
    }
    workers.join();
  });
  EXPECT_NEAR(slept, 50'000, 5'000);
  EXPECT_NEAR(woken, 50'000, 5'000);
}

TEST(VirtualTime, SaysThatNothingCanHappenAnyMore) {
  std::mutex mutex;
  Condition condition;
  VirtualTime time;
  EXPECT_THROW(time.run([&] {
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock);
  }),
               harness::Error);
  EXPECT_EQ(VirtualTime::current(), nullptr);
}

TEST(VirtualTime, RethrowsWhatItsBodyThrows) {
  VirtualTime time;
  EXPECT_THROW(time.run([] { throw std::runtime_error("no"); }), std::runtime_error);
}

// ── the schedule, against the real LoadGen ──

struct Issued {
  int64_t at_ns;
  std::vector<uint32_t> samples;
};

// Answers at once, and keeps what it was asked.
class Recorder : public mlperf::SystemUnderTest {
 public:
  const std::string& Name() override { return name_; }
  void IssueQuery(const std::vector<mlperf::QuerySample>& samples) override {
    Issued one{now_ns(), {}};
    std::vector<mlperf::QuerySampleResponse> responses;
    for (const auto& sample : samples) {
      one.samples.push_back(static_cast<uint32_t>(sample.index));
      responses.push_back({sample.id, 0, 0});
    }
    issued.push_back(std::move(one));
    mlperf::QuerySamplesComplete(responses.data(), responses.size());
  }
  void FlushQueries() override {}

  std::vector<Issued> issued;

 private:
  std::string name_ = "recorder";
};

class Samples : public mlperf::QuerySampleLibrary {
 public:
  Samples(size_t total, size_t resident) : total_(total), resident_(resident) {}
  const std::string& Name() override { return name_; }
  size_t TotalSampleCount() override { return total_; }
  size_t PerformanceSampleCount() override { return resident_; }
  void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex>&) override {}
  void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex>&) override {}

 private:
  size_t total_;
  size_t resident_;
  std::string name_ = "samples";
};

mlperf::TestSettings settings_of(mlperf::TestScenario scenario) {
  mlperf::TestSettings out;
  out.scenario = scenario;
  out.mode = mlperf::TestMode::PerformanceOnly;
  out.min_duration_ms = 300;
  out.min_query_count = 150;
  out.qsl_rng_seed = 2'085'463'073'848'966'840U;
  out.sample_index_rng_seed = 2'747'215'439'041'700'203U;
  out.schedule_rng_seed = 16'159'082'839'903'944'936U;
  out.server_target_qps = 700;
  out.offline_expected_qps = 1'000;
  out.single_stream_expected_latency_ns = 3'000'000;
  out.multi_stream_expected_latency_ns = 3'000'000;
  return out;
}

void expect_the_real_schedule(const mlperf::TestSettings& settings, size_t total, size_t resident) {
  const Folder folder;
  Recorder recorder;
  Samples samples(total, resident);
  mlperf::LogSettings log;
  log.log_output.outdir = folder.path();
  log.log_output.copy_summary_to_stdout = false;
  mlperf::StartTest(&recorder, &samples, settings, log, "");
  const mlperf::loadgen::TestSettingsInternal internal(settings, resident, total);
  LoadgenSchedule schedule(internal, total);
  LoadgenSchedule::Query query;
  const int64_t start = recorder.issued.front().at_ns;
  size_t early = 0;
  for (const Issued& issued : recorder.issued) {
    ASSERT_TRUE(schedule.next(query));
    ASSERT_EQ(query.samples, issued.samples);
    if (settings.scenario == mlperf::TestScenario::Server)
      early += issued.at_ns - start < query.at_ns - 1'000'000 ? 1 : 0;
  }
  EXPECT_EQ(early, 0U);
  while (schedule.next(query)) {
  }
  const std::string detail = read_text(folder.file("mlperf_log_detail.txt"));
  const auto logged = [&](const std::string& key) {
    const size_t at = detail.find("\"" + key + "\", \"value\": ");
    return at == std::string::npos ? int64_t{-1} : std::stoll(detail.substr(at + key.size() + 13));
  };
  EXPECT_EQ(static_cast<int64_t>(schedule.made()), logged("generated_query_count"));
  EXPECT_EQ(schedule.until_ns(), logged("generated_query_duration"));
}

TEST(Schedule, IsLoadGensOwnInEveryScenario) {
  for (const auto scenario : {mlperf::TestScenario::Server, mlperf::TestScenario::Offline,
                              mlperf::TestScenario::SingleStream, mlperf::TestScenario::MultiStream}) {
    expect_the_real_schedule(settings_of(scenario), 1000, 1000);
    expect_the_real_schedule(settings_of(scenario), 1000, 120);
  }
}

TEST(Schedule, IsLoadGensOwnWithWholePasses) {
  for (const auto scenario : {mlperf::TestScenario::Server, mlperf::TestScenario::Offline}) {
    mlperf::TestSettings settings = settings_of(scenario);
    settings.sample_concatenate_permutation = true;
    expect_the_real_schedule(settings, 43, 43);
  }
}

TEST(Schedule, IsLoadGensOwnForTheSameSampleAgainAndAgain) {
  mlperf::TestSettings settings = settings_of(mlperf::TestScenario::Server);
  settings.performance_issue_same = true;
  settings.performance_issue_same_index = 3;
  expect_the_real_schedule(settings, 1000, 1000);
}

// ── whole tests, both ways ──

json simulated(json run, double base_us, double per_sample_us) {
  run["engines"][0]["backend"] = "simulated";
  run["engines"][0]["options"] = harness_test::table(1);
  run["engines"][0]["options"]["batches"] = {1, 16};
  run["engines"][0]["options"]["lengths"] = {1};
  run["engines"][0]["options"]["microseconds"] = {{base_us + per_sample_us}, {base_us + 16 * per_sample_us}};
  return run;
}

json in_virtual(const json& run, const Folder& folder) {
  const Ended ended = run_harness(run, folder.path(), {"--simulate"});
  EXPECT_EQ(ended.status, 0) << ended.output;
  return json::parse(read_text(folder.file("simulation.json")));
}

bool is_valid(const json& run, const Folder& folder) {
  EXPECT_EQ(run_harness(run, folder.path()).status, 0);
  return read_text(folder.file("mlperf_log_summary.txt")).find("Result is : VALID") != std::string::npos;
}

struct Case {
  const char* name;
  const char* scenario;
  std::vector<std::pair<std::string, double>> conf;
  bool valid;
  std::vector<std::string> reasons;
};

class Verdict : public testing::TestWithParam<Case> {};

TEST_P(Verdict, IsLoadGens) {
  const Folder folder;
  const json run = simulated(usual_run(folder.path(), GetParam().scenario, GetParam().conf), 2000, 500);
  const json found = in_virtual(run, folder);
  EXPECT_EQ(found["valid"], GetParam().valid);
  EXPECT_EQ(found["reasons"].get<std::vector<std::string>>(), GetParam().reasons);
  EXPECT_EQ(is_valid(run, folder), GetParam().valid);
}

INSTANTIATE_TEST_SUITE_P(
    OfATest, Verdict,
    testing::Values(
        Case{"server", "Server", {{"target_qps", 600}, {"min_duration", 1500}, {"target_latency", 100}}, true, {}},
        Case{"overload",
             "Server",
             {{"target_qps", 4000}, {"min_duration", 1000}, {"target_latency", 100}},
             false,
             {"target_latency", "early_stopping"}},
        Case{"few_queries",
             "Server",
             {{"target_qps", 200}, {"min_duration", 1000}, {"min_query_count", 10}, {"target_latency", 100}},
             false,
             {"early_stopping"}},
        Case{"cut_short",
             "Server",
             {{"target_qps", 600}, {"min_duration", 2000}, {"max_query_count", 600}, {"target_latency", 100}},
             false,
             {"min_duration"}},
        Case{"offline", "Offline", {{"target_qps", 1600}, {"min_duration", 600}, {"min_query_count", 100}}, true, {}},
        Case{"short_offline",
             "Offline",
             {{"target_qps", 500}, {"min_duration", 600}, {"min_query_count", 100}},
             false,
             {"min_duration"}},
        Case{"single", "SingleStream", {{"target_latency", 2.6}, {"min_duration", 600}}, true, {}},
        Case{"slow_single",
             "SingleStream",
             {{"target_latency", 20}, {"min_duration", 1000}, {"min_query_count", 20}},
             false,
             {"min_duration"}}),
    [](const auto& info) { return info.param.name; });

TEST(Simulation, IsTheSameEveryTime) {
  const Folder folder;
  const json run =
      simulated(usual_run(folder.path(), "Server", {{"target_qps", 1200}, {"min_duration", 60'000}}), 2000, 500);
  EXPECT_EQ(in_virtual(run, folder), in_virtual(run, folder));
}

TEST(Simulation, LeavesNothingThatCouldBeStaged) {
  const Folder folder;
  in_virtual(simulated(usual_run(folder.path(), "Server", {{"target_qps", 100}, {"min_duration", 1000}}), 1, 1),
             folder);
  EXPECT_TRUE(read_text(folder.file("mlperf_log_summary.txt")).empty());
  EXPECT_TRUE(read_text(folder.file("mlperf_log_detail.txt")).empty());
}

TEST(Simulation, RefusesWhatItCannotSimulate) {
  const Folder folder;
  json run = usual_run(folder.path(), "Offline", {{"target_qps", 10}});
  EXPECT_EQ(run_harness(run, folder.path(), {"--simulate"}).status, 2);
  run = simulated(run, 1, 1);
  run["test_mode"] = "AccuracyOnly";
  EXPECT_EQ(run_harness(run, folder.path(), {"--simulate"}).status, 2);
}

}  // namespace
