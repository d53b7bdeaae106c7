// The engine over Triton's C API. tests/e2e/test_triton_in_process.py runs the tests with a server: TRITON_OPTIONS is
// its engine's options in run.json, of a tiny BERT that takes at most 4 samples, and `broken`, a repository with a
// damaged engine; without it they are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_reader.h"
#include "engines/engines.h"
#include "process.h"

namespace harness {
namespace {

using nlohmann::json;

json usual() {
  return {{"library", "/nowhere/libtritonserver.so"},
          {"backends", "/nowhere"},
          {"repository", "/nowhere"},
          {"models", {"bert_0"}},
          {"log", ""},
          {"statistics", ""},
          {"region_prefix", "harness-triton-test-"},
          {"buffer_threads", 0}};
}

std::unique_ptr<Engine> loaded(const json& options, int index = 0) {
  Reader reader(options, "run.json", "options");
  const auto loader = read_triton(reader);
  reader.finish();
  DeviceSpec device;
  device.index = index;
  return loader->load({}, device);
}

TEST(TritonLibrary, OneThatIsNotThereIsNamedWithWhatInstallsIt) {
  try {
    loaded(usual());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kMissing);
    EXPECT_NE(error.why().find("/nowhere/libtritonserver.so"), std::string::npos);
    EXPECT_NE(error.next_step().find("make triton"), std::string::npos);
  }
}

TEST(TritonLibrary, OneWithoutTheApiIsNamed) {
  json options = usual();
  options["library"] = "libc.so.6";
  try {
    loaded(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kMissing);
    EXPECT_STREQ(error.what(), "the Triton library has no TRITONSERVER_ApiVersion");
  }
}

TEST(TritonLibrary, OptionsAreReadStrictly) {
  for (const auto& [key, value] : {std::pair<std::string, json>{"models", json::array()},
                                   {"buffer_threads", -1},
                                   {"library", ""},
                                   {"another", 1}}) {
    json options = usual();
    options[key] = value;
    try {
      loaded(options);
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUsage) << key;
    }
  }
}

// With a server in this process.
class TritonEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* given = std::getenv("TRITON_OPTIONS");
    if (given == nullptr) GTEST_SKIP() << "TRITON_OPTIONS is not set";
    options_ = json::parse(given);
    broken_ = options_.at("broken");
    options_.erase("broken");
  }

  static void call(Stream& stream, size_t rows, size_t length) {
    Shape shape{{rows, length}, 2};
    for (size_t input = 0; input < 3; ++input) {
      auto* into = static_cast<int64_t*>(stream.input(input, shape));
      for (size_t i = 0; i < rows * length; ++i) into[i] = input == 1 ? 1 : static_cast<int64_t>(5 + i % 90);
    }
    Work work;
    work.samples = rows;
    work.length = length;
    stream.enqueue(work);
    stream.wait();
  }

  static std::vector<float> answer(Stream& stream, size_t rows, size_t length) {
    call(stream, rows, length);
    EXPECT_EQ(stream.answered(), rows);
    const Output found = stream.output(0);
    std::vector<float> out(found.shape.items());
    std::memcpy(out.data(), found.data, out.size() * sizeof(float));
    return out;
  }

  json options_;
  std::string broken_;  // a repository whose engine cannot be loaded
};

TEST_F(TritonEngine, TensorsAreTheModels) {
  const auto engine = loaded(options_);
  ASSERT_EQ(engine->inputs().size(), 3U);
  for (const auto& input : engine->inputs()) EXPECT_EQ(input.dtype, DType::kInt64) << input.name;
  ASSERT_FALSE(engine->outputs().empty());
  for (const auto& output : engine->outputs()) EXPECT_EQ(output.dtype, DType::kFloat32) << output.name;
}

TEST_F(TritonEngine, AnswersAreTheSameOnEveryStreamAndInAnyOrderOfShapes) {
  const auto engine = loaded(options_);
  const auto first = engine->stream();
  const auto small = answer(*first, 1, 16);
  const auto large = answer(*first, 4, 384);
  EXPECT_EQ(small.size() * 4 * 384 / 16, large.size());
  EXPECT_EQ(answer(*first, 1, 16), small);
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(engine->stream());
  std::vector<std::thread> threads;
  for (auto& stream : streams) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 5; ++turn) {
        EXPECT_EQ(answer(*stream, 1, 16), small);
        EXPECT_EQ(answer(*stream, 4, 384), large);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(TritonEngine, ABatchThatIsTooLargeIsAnErrorInTheServersWordsAndTheNextIsAnswered) {
  const auto engine = loaded(options_);
  const auto stream = engine->stream();
  try {
    call(*stream, 9, 16);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kFailed);
    EXPECT_STREQ(error.what(), "Triton could not compute a batch of bert_0");
    EXPECT_NE(error.why().find("batch"), std::string::npos) << error.why();
  }
  EXPECT_EQ(answer(*stream, 1, 16).size() % 16, 0U);
}

TEST_F(TritonEngine, AnInputOfAnotherRankIsNamed) {
  const auto engine = loaded(options_);
  const auto stream = engine->stream();
  for (size_t input = 0; input < 3; ++input) stream->input(input, Shape{{1, 2, 8}, 3});
  try {
    stream->enqueue({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("takes another shape for"), std::string::npos);
  }
}

TEST_F(TritonEngine, AModelThatIsNotServedIsMissing) {
  options_["models"] = {"bert_0", "other_1"};
  EXPECT_NO_THROW(loaded(options_, 0));
  try {
    loaded(options_, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kMissing);
    EXPECT_STREQ(error.what(), "Triton does not serve other_1");
  }
}

TEST_F(TritonEngine, AModelThatDoesNotLoadIsNamedWithItsReason) {
  options_["repository"] = broken_;
  try {
    loaded(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kFailed);
    EXPECT_STREQ(error.what(), "the Triton server did not start");
    EXPECT_NE(error.why().find("bert_0: "), std::string::npos) << error.why();
    EXPECT_NE(error.why().find("OpenVINO cannot load the engine"), std::string::npos) << error.why();
  }
}

TEST_F(TritonEngine, StatisticsAreOfTheTest) {
  const harness_test::Folder folder;
  options_["statistics"] = folder.file("statistics.json");
  {
    const auto engine = loaded(options_);
    const auto stream = engine->stream();
    answer(*stream, 1, 16);
    stream->learn(true);
    stream->learn(false);
    answer(*stream, 2, 16);
    answer(*stream, 2, 16);
    stream->input(0, Shape{{1, 16}, 2});  // waits until the last request is counted
  }
  const json found = json::parse(harness_test::read_text(folder.file("statistics.json")));
  const auto count = [&](const char* when) {
    return found.at(when).at("model_stats").at(0).at("inference_stats").at("success").at("count").get<int>();
  };
  EXPECT_EQ(count("after") - count("before"), 2);
  EXPECT_FALSE(found.at("version").get<std::string>().empty());
}

}  // namespace
}  // namespace harness
