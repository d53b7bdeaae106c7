// What goes wrong: each fault ends with a clear line, the right status, no core dump, and no result that looks valid.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "process.h"

namespace {

using harness_test::Ended;
using harness_test::Folder;
using harness_test::read_text;
using harness_test::run_harness;
using harness_test::table;
using harness_test::usual_run;
using harness_test::write_npy;
using nlohmann::json;

void expect_failed(const Ended& ended, const Folder& folder, int status, const std::string& words) {
  EXPECT_EQ(ended.status, status) << ended.output;
  ASSERT_FALSE(ended.error().is_null()) << ended.output;
  EXPECT_EQ(ended.error()["status"], status);
  const std::string text = ended.error().dump(-1, ' ', false, json::error_handler_t::replace);
  EXPECT_NE(text.find(words), std::string::npos) << text;
  EXPECT_NE(ended.output.find("error: "), std::string::npos);
  EXPECT_EQ(read_text(folder.file("mlperf_log_summary.txt")).find("Result is"), std::string::npos);
}

json faulty(const Folder& folder, const std::string& scenario, const std::string& fault) {
  json run =
      usual_run(folder.path(), scenario,
                {{"target_qps", 200}, {"target_latency", 20}, {"min_duration", 60000}, {"min_query_count", 5000}});
  run["engines"][0]["backend"] = "simulated";
  run["engines"][0]["options"] = table(1000);
  run["engines"][0]["options"]["fault"] = fault;
  run["engines"][0]["options"]["fault_after"] = 5;
  return run;
}

class EveryScenario : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Faults, EveryScenario, testing::Values("Offline", "Server", "SingleStream", "MultiStream"),
                         [](const auto& given) { return std::string(given.param); });

TEST_P(EveryScenario, AnEngineThatThrows) {
  const Folder folder;
  const Ended ended = run_harness(faulty(folder, GetParam(), "throw"), folder.path());
  expect_failed(ended, folder, 4, "fault is 'throw'");
  EXPECT_EQ(ended.error()["what"], "device node 0: a batch could not be computed");
}

TEST_P(EveryScenario, AnEngineThatAnswersTooFew) {
  const Folder folder;
  expect_failed(run_harness(faulty(folder, GetParam(), "short"), folder.path()), folder, 4, "the engine answered");
}

TEST_P(EveryScenario, AnEngineThatHangsIsReportedWithItsQueues) {
  const Folder folder;
  json run = faulty(folder, GetParam(), "hang");
  run["watchdog_s"] = 1.0;
  const Ended ended = run_harness(run, folder.path());
  expect_failed(ended, folder, 4, "the engine is stuck");
  EXPECT_NE(ended.error()["why"].get<std::string>().find("waiting, lane 0"), std::string::npos);
}

TEST(Fault, AnEngineThatHangsInAProbeIsReported) {
  const Folder folder;
  json run = faulty(folder, "Offline", "hang");
  run["watchdog_s"] = 0.5;
  const Ended ended = run_harness(run, folder.path(), {"--probe"});
  expect_failed(ended, folder, 4, "the engine is stuck");
  EXPECT_NE(ended.error()["what"].get<std::string>().find("phase probe"), std::string::npos);
}

TEST(Fault, AnEngineThatDoesNotLoadIsReported) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, std::vector<std::string>{"--probe"}}) {
    const Folder folder;
    json run = faulty(folder, "Offline", "");
    run["engines"][0]["options"]["load_s"] = 60;
    run["watchdog_s"] = 0.05;
    expect_failed(run_harness(run, folder.path(), arguments), folder, 4, "not loaded after");
  }
}

TEST(Fault, AProcessWhoseLauncherHasGoneEndsAtOnce) {
  const Folder folder;
  json run = faulty(folder, "Offline", "");
  run["engines"][0]["options"]["load_s"] = 60;
  ASSERT_EQ(::setenv("HARNESS_PARENT_PID", "1", 1), 0);  // not the parent: it ends at once
  const Ended ended = run_harness(run, folder.path());
  ASSERT_EQ(::unsetenv("HARNESS_PARENT_PID"), 0);
  EXPECT_EQ(ended.status, 130);
}

TEST_P(EveryScenario, SigtermInEachPhase) {
  for (const char* phase : {"load", "warmup", "run"}) {
    const Folder folder;
    json run = faulty(folder, GetParam(), "");
    run["engines"][0]["options"]["load_s"] = 0.6;
    run["warmup_s"] = 0.6;
    bool sent = false;
    const Ended ended = run_harness(run, folder.path(), {}, [&](const json& line, pid_t child) {
      if (!sent && line.value("phase", "") == phase) sent = ::kill(child, SIGTERM) == 0;
    });
    expect_failed(ended, folder, 130, "stopped by SIGTERM");
  }
}

TEST(Fault, SigintStopsAProbe) {
  const Folder folder;
  const Ended ended = run_harness(faulty(folder, "Offline", ""), folder.path(), {"--probe"},
                                  [&](const json& /*line*/, pid_t child) { ::kill(child, SIGINT); });
  expect_failed(ended, folder, 130, "stopped by SIGINT");
}

TEST(Fault, SigtermAtTheEndKeepsTheLogsWhole) {
  const Folder folder;
  const json run = usual_run(folder.path(), "SingleStream", {{"target_latency", 0.1}, {"min_duration", 100}});
  const Ended ended = run_harness(run, folder.path(), {}, [&](const json& line, pid_t child) {
    if (line.value("phase", "") == "end") ::kill(child, SIGTERM);
  });
  EXPECT_TRUE(ended.status == 0 || ended.status == 130) << ended.status;
  EXPECT_NE(read_text(folder.file("mlperf_log_summary.txt")).find("Result is"), std::string::npos);
}

TEST(Fault, TheLogFolderVanishes) {
  const Folder folder;
  const Folder logs;
  json run = faulty(folder, "Offline", "");
  run["output_dir"] = logs.path();
  const Ended ended = run_harness(run, folder.path(), {}, [&](const json& line, pid_t /*child*/) {
    // Samples are issued only when LoadGen has opened its files, so that it creates none while the folder is being
    // removed.
    if (line.value("issued", 0) > 0) std::filesystem::remove_all(logs.path());
  });
  expect_failed(ended, logs, 4, "the log folder was removed");
}

TEST(Fault, TheLogFolderIsNotThere) {
  const Folder folder;
  json run = faulty(folder, "Offline", "");
  run["output_dir"] = folder.file("nowhere");
  expect_failed(run_harness(run, folder.path()), folder, 4, "cannot write to");
}

TEST(Fault, MoreMemoryThanThereIs) {
  const Folder folder;
  const json run = usual_run(folder.path(), "Offline", {{"target_qps", 1e9}, {"min_duration", 600000}});
  expect_failed(run_harness(run, folder.path()), folder, 2, "does not fit in memory");
}

TEST(Fault, AnUnknownKey) {
  const Folder folder;
  json run = faulty(folder, "Offline", "");
  run["devices"][0]["steams"] = 1;
  expect_failed(run_harness(run, folder.path()), folder, 2, "the nearest known key is devices[0].streams");
}

TEST(Fault, AnUnknownBackend) {
  const Folder folder;
  json run = faulty(folder, "Offline", "");
  run["engines"][0]["backend"] = "openvno";
  expect_failed(run_harness(run, folder.path()), folder, 2, "'openvino'");
}

json sequences(const Folder& folder) {
  json run = usual_run(folder.path(), "Offline", {{"target_qps", 200}, {"min_duration", 0}});
  write_npy(folder.file("input_ids.npy"), {100, 384}, std::vector<int32_t>(38400, 7));
  write_npy(folder.file("lengths.npy"), {100}, std::vector<int32_t>(100, 50));
  run["dataset"] = {{"kind", "sequence"},
                    {"folder", folder.path()},
                    {"count", 100},
                    {"arrays", {{"input_ids", "input_ids.npy"}}},
                    {"lengths", "lengths.npy"},
                    {"outputs", {"a", "b"}},
                    {"input_dtype", "int64"},
                    {"pad_to_multiple_of", 1}};
  return run;
}

TEST(Fault, ADataSetFileThatIsCutOff) {
  const Folder folder;
  const json run = sequences(folder);
  EXPECT_EQ(run_harness(run, folder.path()).status, 0);
  std::filesystem::remove(folder.file("mlperf_log_summary.txt"));
  std::filesystem::resize_file(folder.file("input_ids.npy"), 100000);
  expect_failed(run_harness(run, folder.path()), folder, 3, "make preprocess_data");
}

TEST(Fault, ADataSetFileThatIsNotThere) {
  const Folder folder;
  const json run = sequences(folder);
  std::filesystem::remove(folder.file("lengths.npy"));
  expect_failed(run_harness(run, folder.path()), folder, 3, "lengths.npy cannot be read as an array");
}

TEST(Fault, LengthsBeyondTheRows) {
  const Folder folder;
  const json run = sequences(folder);
  write_npy(folder.file("lengths.npy"), {100}, std::vector<int32_t>(100, 385));
  expect_failed(run_harness(run, folder.path()), folder, 3, "does not match the sequences");
}

}  // namespace
