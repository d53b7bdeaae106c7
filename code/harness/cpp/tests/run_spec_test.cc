#include "core/run_spec.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "process.h"

namespace {

using harness::Error;
using harness::parse_run_spec;
using harness::Status;
using nlohmann::json;

json usual() {
  const harness_test::Folder folder;
  return harness_test::usual_run(folder.path(), "Offline", {});
}

// What parsing says; "" when it does not throw. Every error of the schema is the user's.
std::string complaint(const json& run) {
  try {
    parse_run_spec(run.dump(), "run.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    EXPECT_FALSE(error.next_step().empty());
    return std::string(error.what()) + " | " + error.why();
  }
  return "";
}

TEST(RunSpec, RefusesWhatIsNestedTooDeeply) {
  std::string deep(200'000, '[');
  for (const std::string& text : {deep, "{\"schema\": " + deep, std::string(200'000, '{'),
                                  "{\"schema\": " + deep + std::string(200'000, ']') + "}"}) {
    try {
      parse_run_spec(text, "run.json");
      ADD_FAILURE() << "it was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage);
      EXPECT_NE(std::string(error.what()).find("nested too deeply"), std::string::npos) << error.what();
    }
  }
  json run = usual();
  run["record"] = {{"note", std::string(1000, '[') + "\\\"" + std::string(1000, '{')}};
  EXPECT_EQ(complaint(run), "") << "brackets in text are no levels";
}

TEST(RunSpec, ReadsEveryKey) {
  json run = usual();
  run["seeds"]["qsl_rng_seed"] = 18446744073709551615ULL;
  run["engines"].push_back(
      {{"backend", "simulated"}, {"folder", "/b"}, {"precision", "int8"}, {"options", harness_test::table(5)}});
  run["devices"].push_back(harness_test::device(5, 3, {2, 4}));
  run["devices"][1]["engine"] = 1;
  run["server"] = {{"issue_threads", 2}, {"soft_drop", 0.99}};
  run["log"]["mode"] = "Synchronous";
  run["expects"]["samples_per_query"] = 4;
  run["record"] = {{"use_graphs", true}, {"note", {1, "text"}}};
  const auto spec = parse_run_spec(run.dump(), "run.json");
  EXPECT_EQ(spec.scenario, "Offline");
  ASSERT_EQ(spec.engines.size(), 2U);
  EXPECT_NE(spec.engines[1].loader, nullptr);
  ASSERT_EQ(spec.devices.size(), 2U);
  EXPECT_EQ(spec.devices[1].index, 5);
  EXPECT_EQ(spec.devices[1].name, "node 5");
  EXPECT_EQ(spec.devices[1].engine, 1U);
  EXPECT_EQ(spec.devices[1].cores, (std::vector<int>{2, 4}));
  EXPECT_EQ(spec.lanes(), 5U);
  EXPECT_EQ(spec.batch.max_samples, 16U);
  EXPECT_EQ(spec.seeds.at("qsl_rng_seed"), 18446744073709551615ULL);
  EXPECT_EQ(spec.issue_threads, 2);
  EXPECT_DOUBLE_EQ(spec.soft_drop, 0.99);
  EXPECT_EQ(spec.log.mode, "Synchronous");
  EXPECT_DOUBLE_EQ(spec.samples_per_query, 4);
}

// Drops every key of every object in turn, `at` being its path.
void refuse_less(const json& whole, const json::json_pointer& at, const std::string& path) {
  for (const auto& item : whole.at(at).items()) {
    json less = whole;
    const std::string key = path.empty() ? item.key() : path + "." + item.key();
    less.at(at).erase(item.key());
    const std::string found = complaint(less);
    EXPECT_NE(found.find(" has no key " + key), std::string::npos) << key << ": " << found;
  }
}

TEST(RunSpec, RefusesEveryMissingKeyAtEveryDepth) {
  json run = usual();
  run["engines"][0]["backend"] = "simulated";
  run["engines"][0]["options"] = harness_test::table(5);
  refuse_less(run, json::json_pointer("/engines/0"), "engines[0]");
  refuse_less(run, json::json_pointer("/engines/0/options"), "engines[0].options");
  refuse_less(run, json::json_pointer("/devices/0"), "devices[0]");
  for (const char* part : {"batch", "dataset", "log", "server", "expects"}) {
    refuse_less(run, json::json_pointer(std::string("/") + part), part);
  }
  run.erase("schema");
  EXPECT_NE(complaint(run).find("has schema null"), std::string::npos);
}

TEST(RunSpec, RefusesAnUnknownKeyAndNamesTheNearest) {
  json run = usual();
  run["batch"]["max_sample"] = 3;
  EXPECT_NE(complaint(run).find("the nearest known key is batch.max_samples"), std::string::npos);
  run = usual();
  run.erase("scenario");
  run["scenari"] = "Offline";
  EXPECT_NE(complaint(run).find("the nearest key present is scenari"), std::string::npos);
  run = usual();
  run["engines"][0]["options"]["use_graphs"] = true;
  EXPECT_NE(complaint(run).find("unknown key engines[0].options.use_graphs | known here: none"), std::string::npos);
}

TEST(RunSpec, RefusesOtherTypesAndValues) {
  const std::vector<std::pair<json::json_pointer, json>> changes = {
      {json::json_pointer("/schema"), 2},
      {json::json_pointer("/schema"), "4"},
      {json::json_pointer("/scenario"), "Ofline"},
      {json::json_pointer("/engines"), json::array()},
      {json::json_pointer("/engines/0/options"), nullptr},
      {json::json_pointer("/devices"), json::array()},
      {json::json_pointer("/devices/0/streams"), "2"},
      {json::json_pointer("/devices/0/streams"), 0},
      {json::json_pointer("/devices/0/engine"), 1},
      {json::json_pointer("/devices/0/name"), ""},
      {json::json_pointer("/devices/0/cores"), {-1}},
      {json::json_pointer("/devices/1"), harness_test::device(0, 1)},
      {json::json_pointer("/batch/padding"), -1},
      {json::json_pointer("/batch/max_samples"), 1.5},
      {json::json_pointer("/batch/max_samples"), 18446744073709551615ULL},
      {json::json_pointer("/log/enable_trace"), 1},
      {json::json_pointer("/log/mode"), ""},
      {json::json_pointer("/seeds/other_seed"), 1},
      {json::json_pointer("/seeds/qsl_rng_seed"), -1},
      {json::json_pointer("/record"), json::array()},
      {json::json_pointer("/dataset/kind"), "sequenc"},
      {json::json_pointer("/dataset/lengths"), json::array()},
      {json::json_pointer("/dataset/lengths"), {1.5}},
  };
  for (const auto& [where, value] : changes) {
    json run = usual();
    run[where] = value;
    EXPECT_NE(complaint(run), "") << where.to_string() << " = " << value;
  }
}

TEST(RunSpec, RefusesASimulatedEngineWithoutATable) {
  json run = usual();
  run["engines"][0]["backend"] = "simulated";
  run["engines"][0]["options"] = harness_test::table(5);
  EXPECT_EQ(complaint(run), "");
  run["engines"][0]["options"]["lengths"] = {384, 1};
  EXPECT_NE(complaint(run).find("engines[0].options is inconsistent"), std::string::npos) << complaint(run);
}

TEST(RunSpec, RefusesNumbersThatAreNone) {
  const std::string text = usual().dump();
  const std::string from = "\"padding\":0.25";
  for (const char* to : {"NaN", "1e999", "-1e999", "Infinity"}) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), std::string("\"padding\":") + to);
    EXPECT_THROW(parse_run_spec(changed, "run.json"), Error) << to;
  }
}

TEST(RunSpec, SaysWhereTextIsNotJson) {
  try {
    parse_run_spec("{\"schema\": 1,\n oops}", "run.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.why().find("line 2"), std::string::npos);
  }
}

TEST(RunSpec, AnAbsentFileIsMissing) {
  try {
    harness::read_run_spec("/nowhere/run.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kMissing);
  }
}

TEST(Nearest, IgnoresCaseAndRefusesWhatIsNotNear) {
  EXPECT_EQ(harness::nearest("OPENVNO", {"null", "openvino"}), "openvino");
  EXPECT_EQ(harness::nearest("xyz", {"null", "openvino"}), "");
  EXPECT_EQ(harness::last_line("first\n  cause  \n\n"), "cause  ");
}

}  // namespace
