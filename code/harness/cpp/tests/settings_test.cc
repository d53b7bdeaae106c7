#include "settings.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "process.h"

namespace {

harness::RunSpec spec_of(const std::string& scenario, const std::string& mode) {
  harness::RunSpec spec;
  spec.scenario = scenario;
  spec.test_mode = mode;
  spec.dataset.count = 10833;
  return spec;
}

TEST(Settings, ExpectedSamplesFollowLoadGen) {
  mlperf::TestSettings settings;
  settings.min_duration_ms = 10'000;
  settings.min_query_count = 100;
  settings.scenario = mlperf::TestScenario::Offline;
  settings.offline_expected_qps = 1000;
  EXPECT_DOUBLE_EQ(harness::expected_samples(spec_of("Offline", "PerformanceOnly"), settings), 11'000);
  EXPECT_DOUBLE_EQ(harness::expected_samples(spec_of("Offline", "AccuracyOnly"), settings), 10'833);
  settings.scenario = mlperf::TestScenario::Server;
  settings.server_target_qps = 2;
  EXPECT_DOUBLE_EQ(harness::expected_samples(spec_of("Server", "PerformanceOnly"), settings), 100);
  settings.scenario = mlperf::TestScenario::SingleStream;
  settings.single_stream_expected_latency_ns = 1e6;
  EXPECT_DOUBLE_EQ(harness::expected_samples(spec_of("SingleStream", "PerformanceOnly"), settings), 20'000);
  settings.scenario = mlperf::TestScenario::MultiStream;
  settings.multi_stream_expected_latency_ns = 8e6;
  EXPECT_DOUBLE_EQ(harness::expected_samples(spec_of("MultiStream", "PerformanceOnly"), settings), 20'000);
}

TEST(Settings, LogSettingsAreLoadGens) {
  harness::RunSpec spec = spec_of("Offline", "PerformanceOnly");
  spec.log = {true, false, true, "EndOfTestOnly", 20};
  const mlperf::LogSettings log = harness::read_log_settings(spec);
  EXPECT_TRUE(log.enable_trace);
  EXPECT_FALSE(log.log_output.copy_summary_to_stdout);
  EXPECT_TRUE(log.log_output.copy_detail_to_stdout);
  EXPECT_EQ(log.log_mode, mlperf::LoggingMode::EndOfTestOnly);
  EXPECT_EQ(log.log_mode_async_poll_interval_ms, 20U);
}

TEST(Settings, MemoryIsRefusedOnlyWhenItIsNotThere) {
  EXPECT_THROW(harness::check_memory(1e9, 1e9), harness::Error);
  EXPECT_NO_THROW(harness::check_memory(1e9, 0));
  EXPECT_NO_THROW(harness::check_memory(1000, 1e9));
  EXPECT_NO_THROW(harness::check_memory(2e6, 1e9));
}

TEST(Settings, AvailableMemoryIsReadFromTheSystem) {
  const harness_test::Folder folder;
  harness_test::write_text(folder.file("meminfo"),
                           "MemTotal:       2000 kB\nMemFree: 10 kB\nMemAvailable:   1000 kB\n");
  EXPECT_DOUBLE_EQ(harness::available_memory(folder.file("meminfo")), 1024'000);
  EXPECT_DOUBLE_EQ(harness::available_memory(folder.file("absent")), 0);
}

}  // namespace
