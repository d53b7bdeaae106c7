// The words that the harness is started with: what it prints without a run, and what it refuses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process.h"

namespace {

using harness_test::Ended;
using harness_test::Folder;
using harness_test::run_harness;
using harness_test::run_words;
using harness_test::usual_run;
using harness_test::write_text;
using nlohmann::json;

void expect_usage_error(const Ended& ended, const std::string& what, const std::string& why) {
  EXPECT_EQ(ended.status, 2) << ended.output;
  EXPECT_NE(ended.output.find("error: " + what), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find(why), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find("run it through `make run_harness`"), std::string::npos) << ended.output;
}

TEST(CommandLine, CapabilitiesAreOneLineOfJson) {
  const Ended ended = run_words({"--capabilities"});
  EXPECT_EQ(ended.status, 0);
  const json content = json::parse(ended.output);
  EXPECT_TRUE(content["backends"]["null"].empty());
  EXPECT_FALSE(content["backends"]["simulated"].empty());
  for (const char* kind : {"sequence", "synthetic", "volume"}) EXPECT_TRUE(content["datasets"].contains(kind)) << kind;
  EXPECT_EQ(content["schema"], usual_run(Folder().path(), "Offline", {})["schema"]);
}

TEST(CommandLine, AnOptionThatIsUnknownIsNamedWithThoseThatAreKnown) {
  const Folder folder;
  for (const char* word : {"--prob", "--", "--Explain"}) {
    const Ended ended = run_harness(usual_run(folder.path(), "Offline", {}), folder.path(), {word});
    expect_usage_error(ended, std::string("unknown option ") + word,
                       "--probe, --explain, --simulate, --serve, --check");
  }
}

TEST(CommandLine, ARunIsOneFile) {
  const Folder folder;
  const json run = usual_run(folder.path(), "Offline", {});
  expect_usage_error(run_words({}), "the harness takes exactly one run.json", "it was given 0");
  expect_usage_error(run_words({"--explain"}), "the harness takes exactly one run.json", "it was given 0");
  expect_usage_error(run_harness(run, folder.path(), {folder.file("run.json")}),
                     "the harness takes exactly one run.json", "it was given 2");
}

TEST(CommandLine, AFileThatIsNotThereIsNamed) {
  const Folder folder;
  const Ended ended = run_words({folder.file("absent.json")});
  EXPECT_NE(ended.status, 0);
  EXPECT_NE(ended.output.find(folder.file("absent.json")), std::string::npos) << ended.output;
}

TEST(CommandLine, FilesWithoutAFaultPassTheCheck) {
  const Folder folder;
  const std::string text = usual_run(folder.path(), "Offline", {}).dump();
  write_text(folder.file("first.json"), text);
  write_text(folder.file("second.json"), text);
  const Ended ended = run_words({"--check", folder.file("first.json"), folder.file("second.json")});
  EXPECT_EQ(ended.status, 0);
  for (const char* name : {"first.json", "second.json"}) {
    const std::string line = json{{"error", nullptr}, {"file", folder.file(name)}}.dump();
    EXPECT_NE(ended.output.find(line + "\n"), std::string::npos) << ended.output;
  }
}

// Only a head starts a node: it sets the variables that a node reads.
TEST(CommandLine, ANodeWithoutAHeadSaysWhatStartsIt) {
  const Folder folder;
  const Ended ended = run_harness(usual_run(folder.path(), "Offline", {}), folder.path(), {"--serve"});
  EXPECT_EQ(ended.status, 2) << ended.output;
  EXPECT_NE(ended.output.find("has no CURVE keys"), std::string::npos) << ended.output;
  EXPECT_NE(ended.output.find("--num_nodes=2"), std::string::npos) << ended.output;
}

}  // namespace
