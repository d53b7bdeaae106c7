// Whole runs on the null and the simulated engine: every scenario, every way of asking.
#include "process.h"

#include <gtest/gtest.h>

namespace {

using harness_test::device;
using harness_test::Ended;
using harness_test::Folder;
using harness_test::read_text;
using harness_test::run_harness;
using harness_test::table;
using harness_test::usual_run;
using nlohmann::json;

// Whether the result is VALID depends on the machine; that there is one, and that every sample was answered, does not.
void expect_whole_logs(const Ended& ended, const Folder& folder) {
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_TRUE(ended.error().is_null());
  EXPECT_NE(read_text(folder.file("mlperf_log_summary.txt")).find("Result is : "), std::string::npos);
  ASSERT_FALSE(ended.lines.empty());
  const json& last = ended.lines.back();
  EXPECT_EQ(last["phase"], "end");
  EXPECT_EQ(last["issued"], last["completed"]);
  EXPECT_GT(last["completed"], 0);
}

// What devices.json says of these devices: whole, and of possible times.
json expect_usage(const Folder& folder, const json& devices) {
  json usage = json::parse(read_text(folder.file("devices.json")));
  EXPECT_EQ(usage.size(), devices.size());
  for (size_t i = 0; i < usage.size(); ++i) {
    EXPECT_EQ(usage[i]["index"], devices[i]["index"]);
    EXPECT_EQ(usage[i]["name"], devices[i]["name"]);
    EXPECT_GE(usage[i]["samples"], usage[i]["batches"]);
    EXPECT_LE(usage[i]["busy_s"], usage[i]["elapsed_s"]);
  }
  return usage;
}

json simulated(json run, double microseconds_per_sample) {
  run["engines"][0]["backend"] = "simulated";
  run["engines"][0]["options"] = table(microseconds_per_sample);
  return run;
}

// How many shapes the lanes of node 0 met in their warm-up, by its own words.
int shapes_that_were_met(const Ended& ended) {
  const std::string before = "node 0 met ";
  const size_t at = ended.output.find(before);
  if (at == std::string::npos) throw std::runtime_error(ended.output);
  return std::stoi(ended.output.substr(at + before.size()));
}

TEST(Process, OfflineAnswersEverySample) {
  const Folder folder;
  const json run =
      usual_run(folder.path(), "Offline", {{"target_qps", 200}, {"min_duration", 0}, {"min_query_count", 5000}});
  expect_whole_logs(run_harness(simulated(run, 20), folder.path()), folder);
}

TEST(Process, OfflineQueryLargerThanAWindow) {
  const Folder folder;
  const json run =
      usual_run(folder.path(), "Offline", {{"target_qps", 10}, {"min_duration", 0}, {"min_query_count", 700000}});
  const Ended ended = run_harness(run, folder.path());
  expect_whole_logs(ended, folder);
  EXPECT_EQ(ended.lines.back()["completed"], 700000);
}

TEST(Process, ServerWithOneDevice) {
  const Folder folder;
  json run = usual_run(folder.path(), "Server", {{"target_qps", 500}, {"min_duration", 500}, {"min_query_count", 200}});
  run["batch"]["timeout_us"] = 1000;
  expect_whole_logs(run_harness(simulated(run, 20), folder.path()), folder);
}

TEST(Process, ServerOnDevicesOfDifferentSpeed) {
  const Folder folder;
  json run = simulated(
      usual_run(folder.path(), "Server", {{"target_qps", 800}, {"min_duration", 500}, {"min_query_count", 200}}), 500);
  run["devices"] = {device(0, 2), device(1, 2, {0}), device(2, 1)};
  run["engines"][0]["options"]["slowdown"] = {1.0, 4.0, 1.0};
  expect_whole_logs(run_harness(run, folder.path()), folder);
  expect_usage(folder, run["devices"]);
}

TEST(Process, OfflineIsSharedOutAmongDevicesByTheirSpeed) {
  const Folder folder;
  json run = simulated(
      usual_run(folder.path(), "Offline", {{"target_qps", 200}, {"min_duration", 0}, {"min_query_count", 3000}}), 100);
  run["devices"] = {device(0, 1), device(1, 2)};
  run["engines"][0]["options"]["slowdown"] = {1.0, 3.0};
  expect_whole_logs(run_harness(run, folder.path()), folder);
  const json usage = expect_usage(folder, run["devices"]);
  EXPECT_GT(usage[0]["samples"], usage[1]["samples"]);
  // Far from its whole time only where a sanitizer, or other work on the processors, delays every batch.
  EXPECT_GT(usage[0]["busy_s"], 0.5 * usage[0]["elapsed_s"].get<double>());
}

TEST(Process, ADeviceThatIsNotUsedWasNotBusy) {
  const Folder folder;
  json run = usual_run(folder.path(), "SingleStream", {{"target_latency", 0.1}, {"min_duration", 200}});
  run["devices"] = {device(0, 1), device(1, 1)};
  run["warmup_s"] = 0.1;
  expect_whole_logs(run_harness(simulated(run, 100), folder.path()), folder);
  const json usage = expect_usage(folder, run["devices"]);
  EXPECT_EQ(usage[1]["samples"], 0);
  EXPECT_EQ(usage[1]["busy_s"], 0.0);
}

TEST(Process, WarmUpBeginsWithWhatTheScenarioMeetsMost) {
  // One sample takes 20 ms, a full batch longer than the whole warm-up.
  const auto shapes_met = [](const char* scenario) {
    const Folder folder;
    json run = simulated(
        usual_run(folder.path(), scenario, {{"target_qps", 20}, {"min_duration", 100}, {"min_query_count", 2}}),
        20'000);
    run["engines"][0]["options"]["at_once"] = 2;
    run["warmup_s"] = 0.3;
    const Ended ended = run_harness(run, folder.path());
    expect_whole_logs(ended, folder);
    EXPECT_NE(ended.output.find("of 32 shapes"), std::string::npos) << ended.output;
    return shapes_that_were_met(ended);
  };
  EXPECT_EQ(shapes_met("Offline"), 1);
  EXPECT_GE(shapes_met("Server"), 2);
}

TEST(Process, WarmUpOutsideServerBeginsWithTheLengthsOfMostSamples) {
  // A batch of the long length takes longer than the whole warm-up, one of the short length a hundredth of it.
  const auto shapes_met = [](const char* scenario, const json& lengths) {
    const Folder folder;
    json run = simulated(
        usual_run(folder.path(), scenario, {{"target_qps", 20}, {"min_duration", 100}, {"min_query_count", 2}}), 1);
    run["engines"][0]["options"]["microseconds"] = {{3'000, 350'000}, {3'000, 350'000}};
    run["dataset"]["lengths"] = lengths;
    run["warmup_s"] = 0.3;
    const Ended ended = run_harness(run, folder.path());
    expect_whole_logs(ended, folder);
    return shapes_that_were_met(ended);
  };
  EXPECT_EQ(shapes_met("Offline", {1, 1, 384}), 2);
  EXPECT_EQ(shapes_met("Offline", {1, 384, 384}), 1);
  EXPECT_EQ(shapes_met("Server", {1, 1, 384}), 1);
}

TEST(Process, LoadGensLogSettingsAct) {
  const Folder folder;
  json run = usual_run(folder.path(), "Offline", {{"target_qps", 10}, {"min_duration", 0}, {"min_query_count", 100}});
  run["log"] = {{"enable_trace", true},
                {"copy_summary_to_stdout", false},
                {"copy_detail_to_stdout", true},
                {"mode", "EndOfTestOnly"},
                {"async_poll_interval_ms", 7}};
  const Ended ended = run_harness(run, folder.path());
  expect_whole_logs(ended, folder);
  EXPECT_NE(ended.output.find(":::MLLOG"), std::string::npos);
  EXPECT_EQ(ended.output.find("MLPerf Results Summary"), std::string::npos);
  EXPECT_FALSE(read_text(folder.file("mlperf_log_trace.json")).empty());
}

TEST(Process, CheckGivesAVerdictOfEachFile) {
  const Folder folder;
  json run = usual_run(folder.path(), "Offline", {});
  harness_test::write_text(folder.file("good.json"), run.dump());
  run["log"]["mode"] = "Async";
  const Ended ended = run_harness(run, folder.path(), {"--check", folder.file("good.json")});
  EXPECT_EQ(ended.status, 2);
  EXPECT_NE(ended.output.find(R"({"error":null,"file":")" + folder.file("good.json")), std::string::npos)
      << ended.output;
  EXPECT_NE(ended.output.find("log.mode is 'Async'"), std::string::npos) << ended.output;
}

TEST(Process, ServerWithIssueThreadsAndCoalescedQueries) {
  const Folder folder;
  json run =
      usual_run(folder.path(), "Server",
                {{"target_qps", 2000}, {"min_duration", 500}, {"min_query_count", 200}, {"coalesce_queries", 1}});
  run["server"]["issue_threads"] = 2;
  expect_whole_logs(run_harness(simulated(run, 20), folder.path()), folder);
}

TEST(Process, SingleStream) {
  const Folder folder;
  const json run = usual_run(folder.path(), "SingleStream", {{"target_latency", 0.1}, {"min_duration", 300}});
  expect_whole_logs(run_harness(simulated(run, 100), folder.path()), folder);
}

TEST(Process, MultiStreamOnOneLaneAndOnSeveral) {
  for (const int streams : {1, 3}) {
    const Folder folder;
    json run = usual_run(folder.path(), "MultiStream",
                         {{"target_latency", 2}, {"min_duration", 300}, {"min_query_count", 100}});
    run["devices"][0]["streams"] = streams;
    run["batch"]["max_samples"] = 3;
    expect_whole_logs(run_harness(simulated(run, 20), folder.path()), folder);
  }
}

TEST(Process, AccuracyModeLogsEverySampleOnceWithItsUnpaddedLength) {
  for (const char* scenario : {"Offline", "Server", "SingleStream", "MultiStream"}) {
    const Folder folder;
    json run = usual_run(folder.path(), scenario, {{"target_qps", 5000}});
    run["test_mode"] = "AccuracyOnly";
    run["dataset"]["count"] = 1000;
    ASSERT_EQ(run_harness(run, folder.path()).status, 0);
    const json log = json::parse(read_text(folder.file("mlperf_log_accuracy.json")));
    ASSERT_EQ(log.size(), 1000U) << scenario;
    const std::vector<size_t> lengths = {40, 384, 100, 90};
    std::vector<bool> seen(1000);
    for (const auto& entry : log) {
      const size_t index = entry["qsl_idx"];
      EXPECT_FALSE(seen.at(index));
      seen[index] = true;
      EXPECT_EQ(entry["data"].get<std::string>().size(), lengths[index % 4] * 2 * sizeof(float) * 2);
    }
  }
}

TEST(Process, ProbeAnswersOnThePipe) {
  const Folder folder;
  json run = simulated(usual_run(folder.path(), "Offline", {}), 100);
  run["devices"][0]["streams"] = 1;
  const Ended ended = run_harness(run, folder.path(), {"--probe"});
  ASSERT_EQ(ended.status, 0) << ended.output;
  const json answer = ended.lines.back()["probe"];
  EXPECT_GT(answer["samples_per_second"], 0.0);
  EXPECT_GE(answer["latency_ns"], 100'000.0);
  EXPECT_DOUBLE_EQ(answer["query_latency_ns"], 8 / answer["samples_per_second"].get<double>() * 1e9);
}

TEST(Process, ProbeOfCasesMeasuresAFewAndScalesByTheirLengths) {
  const Folder folder;
  json run = simulated(usual_run(folder.path(), "Offline", {}), 100'000);
  json cases = json::array();
  for (size_t i = 0; i < 20; ++i) {  // of one window and of three
    const size_t depth = i % 2 == 0 ? 4 : 8;
    cases.push_back("case_" + std::to_string(i));
    harness_test::write_npy_floats(folder.file(cases.back().get<std::string>() + ".npy"), {depth, 4, 4},
                                   std::vector<float>(depth * 16));
  }
  run["dataset"] = {{"kind", "volume"}, {"folder", folder.path()}, {"count", 20},    {"cases", cases},
                    {"roi", {4, 4, 4}}, {"overlap", 0.5},          {"sigma", 0.125}, {"windows_per_batch", 1},
                    {"input", "input"}, {"output", "output"}};
  run["batch"]["max_samples"] = 1;
  run["devices"][0]["streams"] = 1;
  run["engines"][0]["options"]["fault"] = "throw";
  run["engines"][0]["options"]["fault_after"] = 60;  // windows; two passes over all cases are 80
  const Ended ended = run_harness(run, folder.path(), {"--probe"});
  ASSERT_EQ(ended.status, 0) << ended.output;
  const json answer = ended.lines.back()["probe"];
  EXPECT_GT(answer["samples_per_second"], 0.0);
  EXPECT_LE(answer["samples_per_second"], 5.0);  // two windows of 0.1 s in the mean
  EXPECT_GE(answer["latency_ns"], 0.2e9);
}

TEST(Process, ExplainRunsNothing) {
  const Folder folder;
  const json run = usual_run(folder.path(), "Server", {{"target_qps", 1000}, {"target_latency", 50}});
  const Ended ended = run_harness(run, folder.path(), {"--explain"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_NE(ended.output.find("closes in time for 50 ms"), std::string::npos) << ended.output;
  EXPECT_EQ(read_text(folder.file("mlperf_log_detail.txt")), "");
}

TEST(Process, ExplainSaysHowManyWindowsGoTogether) {
  const Folder folder;
  harness_test::write_npy_floats(folder.file("case_0.npy"), {4, 4, 6}, std::vector<float>(96));
  json run = usual_run(folder.path(), "Offline", {});
  run["dataset"] = {{"kind", "volume"}, {"folder", folder.path()}, {"count", 1},     {"cases", {"case_0"}},
                    {"roi", {4, 4, 4}}, {"overlap", 0.5},          {"sigma", 0.125}, {"windows_per_batch", 3},
                    {"input", "input"}, {"output", "output"}};
  const Ended ended = run_harness(run, folder.path(), {"--explain"});
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_NE(ended.output.find("windows:   at most 3 per engine call"), std::string::npos) << ended.output;
}

TEST(Process, ProgressTellsRateAndPercentiles) {
  const Folder folder;
  const json run =
      simulated(usual_run(folder.path(), "SingleStream", {{"target_latency", 1}, {"min_duration", 1200}}), 1000);
  const Ended ended = run_harness(run, folder.path());
  EXPECT_EQ(ended.lines.front()["phase"], "load");
  const json& last = ended.lines.back();
  EXPECT_GT(last["rate"], 0.0);
  EXPECT_GE(last["p50_ms"], 1.0);
  EXPECT_LE(last["p50_ms"], last["p99_ms"]);
}

}  // namespace
