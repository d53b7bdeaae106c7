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

TEST(RunSpec, ReadsEveryKey) {
  json run = usual();
  run["seeds"]["qsl_rng_seed"] = 18446744073709551615ULL;
  run["fields"] = {{"soft_drop", 0.99}, {"use_graphs", true}, {"note", "text"}};
  const auto spec = parse_run_spec(run.dump(), "run.json");
  EXPECT_EQ(spec.scenario, "Offline");
  EXPECT_EQ(spec.engine.streams, 2);
  ASSERT_EQ(spec.engine.devices.size(), 1U);
  EXPECT_EQ(spec.batch.max_samples, 16U);
  EXPECT_EQ(spec.seeds.at("qsl_rng_seed"), 18446744073709551615ULL);
  EXPECT_DOUBLE_EQ(spec.field("soft_drop", 1), 0.99);
  EXPECT_DOUBLE_EQ(spec.field("use_graphs", 0), 1);
  EXPECT_DOUBLE_EQ(spec.field("note", 5), 5);
  EXPECT_DOUBLE_EQ(spec.field("absent", 6), 6);
}

TEST(RunSpec, WindowsAreOnTheDeviceUnlessSomebodySaysOtherwise) {
  json run = usual();
  EXPECT_TRUE(parse_run_spec(run.dump(), "run.json").engine.windows_on_device);
  EXPECT_FALSE(parse_run_spec(run.dump(), "run.json").engine.windows_must_be_there);
  run["fields"]["sliding_window_on_device"] = true;
  EXPECT_TRUE(parse_run_spec(run.dump(), "run.json").engine.windows_must_be_there);
  run["fields"]["sliding_window_on_device"] = false;
  EXPECT_FALSE(parse_run_spec(run.dump(), "run.json").engine.windows_on_device);
  EXPECT_FALSE(parse_run_spec(run.dump(), "run.json").engine.windows_must_be_there);
}

TEST(RunSpec, RefusesEveryMissingKey) {
  const json run = usual();
  for (const auto& item : run.items()) {
    json less = run;
    less.erase(item.key());
    EXPECT_NE(complaint(less).find("missing: " + item.key()), std::string::npos) << item.key();
    if (!item.value().is_object()) continue;
    for (const auto& inner : item.value().items()) {
      if (inner.key() == "usual_count") continue;
      json within = run;
      within[item.key()].erase(inner.key());
      EXPECT_NE(complaint(within).find("missing: " + item.key() + "." + inner.key()), std::string::npos) << inner.key();
    }
  }
}

TEST(RunSpec, RefusesAnUnknownKeyAndNamesTheNearest) {
  json run = usual();
  run["batch"]["max_sample"] = 3;
  EXPECT_NE(complaint(run).find("the nearest known one is batch.max_samples"), std::string::npos);
  run = usual();
  run.erase("scenario");
  run["scenari"] = "Offline";
  EXPECT_NE(complaint(run).find("the nearest one there is scenari"), std::string::npos);
}

TEST(RunSpec, RefusesOtherTypesAndValues) {
  const std::vector<std::pair<json::json_pointer, json>> changes = {
      {json::json_pointer("/schema"), 99},
      {json::json_pointer("/scenario"), "Ofline"},
      {json::json_pointer("/engine/streams"), "2"},
      {json::json_pointer("/engine/streams"), 0},
      {json::json_pointer("/engine/devices"), {{{"index", 0}}}},
      {json::json_pointer("/batch/padding"), -1},
      {json::json_pointer("/batch/max_samples"), 1.5},
      {json::json_pointer("/log/enable_trace"), 1},
      {json::json_pointer("/seeds/other_seed"), 1},
      {json::json_pointer("/fields"), json::array()},
      {json::json_pointer("/dataset/kind"), "sequenc"},
      {json::json_pointer("/dataset/lengths"), json::array()},
      {json::json_pointer("/engine/simulated"), {{"batches", {1}}, {"lengths", {2, 1}}, {"microseconds", {{1, 1}}}}},
  };
  for (const auto& [where, value] : changes) {
    json run = usual();
    run[where] = value;
    EXPECT_NE(complaint(run), "") << where.to_string();
  }
}

TEST(RunSpec, SaysWhereTextIsNoJson) {
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
