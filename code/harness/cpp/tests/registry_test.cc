// What is in this binary: engines with their options, kinds of data sets with their keys.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/error.h"
#include "core/json_reader.h"
#include "core/run_spec.h"
#include "engines/engines.h"

namespace {

using harness::DType;
using harness::Error;
using harness::Reader;
using harness::Status;
using nlohmann::json;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

TEST(Registry, EnginesWithoutAnSdkAreAlwaysHere) {
  const auto names = harness::engine_names();
  for (const char* name : {"null", "simulated", "remote"}) EXPECT_TRUE(has(names, name)) << name;
  const auto options = harness::engine_options();
  EXPECT_EQ(options.size(), names.size());
  for (const auto& name : names) EXPECT_EQ(options.count(name), 1U) << name;
  EXPECT_TRUE(options.at("null").empty());
  for (const char* key : {"batches", "lengths", "microseconds", "slowdown", "fault", "fault_after", "load_s"}) {
    EXPECT_TRUE(has(options.at("simulated"), key)) << key;
  }
}

TEST(Registry, ABackendThatIsUnknownNamesTheNearest) {
  const json none = json::object();
  Reader reader(none, "run.json", "options");
  try {
    harness::read_engine_options("simulatd", reader);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUsage);
    EXPECT_NE(std::string(error.what()).find("no backend 'simulatd'"), std::string::npos) << error.what();
    EXPECT_NE(error.why().find("did you mean 'simulated'?"), std::string::npos) << error.why();
    EXPECT_NE(error.why().find("tensorrt_rtx"), std::string::npos) << "all that there can be";
    EXPECT_FALSE(error.next_step().empty());
  }
  try {
    harness::read_engine_options("q", reader);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.why().find("did you mean"), std::string::npos) << error.why();
  }
}

// Of TensorRT and TensorRT for RTX a binary has one at most.
TEST(Registry, AnEngineThatWasNotBuiltInSaysHowToGetIt) {
  size_t absent = 0;
  for (const char* name : {"tensorrt", "tensorrt_rtx"}) {
    if (has(harness::engine_names(), name)) continue;
    ++absent;
    harness::EngineSpec spec;
    spec.backend = name;
    try {
      harness::load_engine(spec, {});
      ADD_FAILURE() << name << " was loaded";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kMissing);
      EXPECT_NE(std::string(error.what()).find(std::string("without the backend ") + name), std::string::npos);
      EXPECT_NE(error.why().find("simulated"), std::string::npos);
      EXPECT_NE(error.next_step().find("TENSORRT_ROOT"), std::string::npos);
    }
  }
  EXPECT_GE(absent, 1U);
}

// So that a mistyped option is found on a machine without the SDK.
TEST(Registry, OptionsOfAnEngineThatWasNotBuiltInAreReadAllTheSame) {
  json options = {{"use_graphs", true},          {"graphs_max_seqlen", 0},       {"graphs_max_memory", 0},
                  {"gpu_copy_streams", 1},       {"use_spin_wait", false},       {"start_from_device", false},
                  {"version_compatible", false}, {"plugin_libs", json::array()}, {"sliding_window_on_device", nullptr}};
  for (const char* name : {"tensorrt", "tensorrt_rtx"}) {
    if (has(harness::engine_names(), name)) continue;
    Reader good(options, "run.json", "engines[0].options");
    EXPECT_EQ(harness::read_engine_options(name, good), nullptr);
    EXPECT_NO_THROW(good.finish());
    json other = options;
    other["gpu_copy_streams"] = 0;
    Reader bad(other, "run.json", "engines[0].options");
    EXPECT_THROW(harness::read_engine_options(name, bad), Error);
  }
}

// The harness's own overhead is what it measures: it takes nothing in, gives nothing out and answers at once.
TEST(NullEngine, HasNoTensorsAndAnswersEverySample) {
  const json none = json::object();
  Reader reader(none, "run.json", "engines[0].options");
  harness::EngineSpec spec;
  spec.backend = "null";
  spec.loader = harness::read_engine_options("null", reader);
  const auto engine = harness::load_engine(spec, {});
  EXPECT_FALSE(engine->computes());
  EXPECT_TRUE(engine->inputs().empty() && engine->outputs().empty());
  const auto stream = engine->stream();
  const auto other = engine->stream();
  EXPECT_EQ(stream->answered(), 0U);
  EXPECT_EQ(stream->input(0, {{7, 384}, 2}), nullptr);
  stream->enqueue({7, 384});
  other->enqueue({2, 1});
  stream->wait();
  EXPECT_EQ(stream->answered(), 7U);
  EXPECT_EQ(other->answered(), 2U) << "streams are apart";
  EXPECT_EQ(stream->output(0).data, nullptr);
}

TEST(Registry, BytesOfElements) {
  EXPECT_EQ(harness::size_of(DType::kInt64), 8U);
  EXPECT_EQ(harness::size_of(DType::kInt32), 4U);
  EXPECT_EQ(harness::size_of(DType::kFloat32), 4U);
  EXPECT_EQ(harness::size_of(DType::kFloat16), 2U);
  EXPECT_EQ(harness::size_of(DType::kInt8), 1U);
}

TEST(DatasetKinds, EachHasItsKeysAndThoseOfAll) {
  const auto keys = harness::dataset_keys();
  ASSERT_EQ(keys.size(), 3U);
  for (const char* kind : {"sequence", "synthetic", "volume"}) {
    EXPECT_TRUE(has(keys.at(kind), "kind") && has(keys.at(kind), "count")) << kind;
  }
  EXPECT_TRUE(has(keys.at("sequence"), "folder") && has(keys.at("sequence"), "lengths"));
  EXPECT_FALSE(has(keys.at("synthetic"), "folder"));
}

TEST(DatasetKinds, ACountIsAtLeastOneAndFitsAnIndex) {
  for (const json& count : {json(0), json(-1), json(2147483648LL), json(1.5), json("8")}) {
    const json content = {{"kind", "synthetic"}, {"count", count}, {"length", 4}};
    EXPECT_THROW(harness::read_dataset(Reader(content, "run.json", "dataset")), Error) << count;
  }
  const json unknown = {{"kind", "sequences"}, {"count", 1}};
  EXPECT_THROW(harness::read_dataset(Reader(unknown, "run.json", "dataset")), Error);
}

}  // namespace
