// OpenVINO's engine by itself: what its tensors are, its answers in every shape, and engines that cannot be loaded.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <openvino/core/model.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>
#include <openvino/runtime/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json_reader.h"
#include "engines/engines.h"
#include "process.h"

namespace {

using harness::DType;
using harness::Engine;
using harness::Error;
using harness::Shape;
using harness::Status;
using harness_test::Folder;

std::unique_ptr<Engine> load(const Folder& folder, const std::string& precision = "fp32", int streams = 1) {
  const nlohmann::json none = nlohmann::json::object();
  harness::Reader options(none, "run.json", "options");
  harness::EngineSpec spec;
  spec.backend = "openvino";
  spec.folder = folder.path();
  spec.precision = precision;
  spec.loader = harness::read_engine_options("openvino", options);
  harness::DeviceSpec device;
  device.streams = streams;
  device.threads = streams;
  return harness::load_engine(spec, device);
}

// An engine whose output i is twice its input i, each of [batch, length].
void write_engine(const Folder& folder, const std::vector<ov::element::Type>& types,
                  const ov::element::Type& answer = ov::element::f32) {
  ov::ParameterVector inputs;
  ov::ResultVector results;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto input = std::make_shared<ov::op::v0::Parameter>(types[i], ov::PartialShape{-1, -1});
    input->output(0).set_names({"in" + std::to_string(i)});
    const auto number = std::make_shared<ov::op::v0::Convert>(input, ov::element::f32);
    const auto two = ov::op::v0::Constant::create(ov::element::f32, ov::Shape{}, {2.0F});
    const auto twice = std::make_shared<ov::op::v1::Multiply>(number, two);
    const auto out = std::make_shared<ov::op::v0::Convert>(twice, answer);
    out->output(0).set_names({"out" + std::to_string(i)});
    inputs.push_back(input);
    results.push_back(std::make_shared<ov::op::v0::Result>(out));
  }
  ov::Core core;
  std::ofstream blob(folder.file("engine.blob"), std::ios::binary);
  core.compile_model(std::make_shared<ov::Model>(results, inputs), "CPU").export_model(blob);
}

Shape shape_of(size_t batch, size_t length) {
  Shape out;
  out.rank = 2;
  out.extents[0] = batch;
  out.extents[1] = length;
  return out;
}

void expect_refused(const Folder& folder, Status status, const std::string& words,
                    const std::string& precision = "fp32") {
  try {
    load(folder, precision);
    ADD_FAILURE() << "it was loaded: " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.text();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.text();
    EXPECT_FALSE(error.next_step().empty());
  }
}

TEST(OpenVino, SaysWhatItsTensorsAre) {
  const Folder folder;
  write_engine(folder, {ov::element::i64, ov::element::i32, ov::element::f32, ov::element::i8});
  const auto engine = load(folder);
  EXPECT_TRUE(engine->computes());
  const std::vector<DType> wanted = {DType::kInt64, DType::kInt32, DType::kFloat32, DType::kInt8};
  ASSERT_EQ(engine->inputs().size(), wanted.size());
  ASSERT_EQ(engine->outputs().size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(engine->inputs()[i].name, "in" + std::to_string(i));
    EXPECT_EQ(engine->inputs()[i].dtype, wanted[i]) << i;
    EXPECT_EQ(engine->outputs()[i].name, "out" + std::to_string(i));
    EXPECT_EQ(engine->outputs()[i].dtype, DType::kFloat32);
  }
}

TEST(OpenVino, AnswersInEveryShapeOneAfterTheOther) {
  const Folder folder;
  write_engine(folder, {ov::element::i64, ov::element::i32});
  const auto engine = load(folder);
  const auto stream = engine->stream();
  EXPECT_EQ(stream->depth(), 1U);
  const std::vector<std::pair<size_t, size_t>> shapes = {{2, 3}, {5, 70}, {1, 1}, {5, 70}};
  for (const auto& [batch, length] : shapes) {
    const Shape shape = shape_of(batch, length);
    auto* first = static_cast<int64_t*>(stream->input(0, shape));
    auto* second = static_cast<int32_t*>(stream->input(1, shape));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
    for (size_t i = 0; i < shape.items(); ++i) {
      first[i] = static_cast<int64_t>(i);
      second[i] = -static_cast<int32_t>(i);
    }
    stream->enqueue({batch, length});
    stream->wait();
    EXPECT_EQ(stream->answered(), batch);
    for (size_t output = 0; output < 2; ++output) {
      const harness::Output found = stream->output(output);
      ASSERT_EQ(found.shape.rank, 2U);
      ASSERT_EQ(found.shape.items(), shape.items());
      EXPECT_EQ(found.shape.extents[0], batch);
      const auto* values = static_cast<const float*>(found.data);
      const float factor = output == 0 ? 2.0F : -2.0F;
      for (size_t i = 0; i < shape.items(); ++i) ASSERT_EQ(values[i], factor * static_cast<float>(i)) << batch;
    }
  }
}

TEST(OpenVino, StreamsHaveMemoryOfTheirOwn) {
  const Folder folder;
  write_engine(folder, {ov::element::f32});
  const auto engine = load(folder, "fp32", 2);
  const auto one = engine->stream();
  const auto two = engine->stream();
  auto* first = static_cast<float*>(one->input(0, shape_of(1, 1)));
  auto* second = static_cast<float*>(two->input(0, shape_of(1, 1)));
  ASSERT_NE(first, second);
  *first = 3.0F;
  *second = 5.0F;
  one->enqueue({1, 1});
  two->enqueue({1, 1});
  EXPECT_EQ(*static_cast<const float*>(one->output(0).data), 6.0F);
  EXPECT_EQ(*static_cast<const float*>(two->output(0).data), 10.0F);
}

TEST(OpenVino, ComputesInEachPrecisionOfAProcessor) {
  const Folder folder;
  write_engine(folder, {ov::element::f32});
  for (const char* precision : {"fp32", "bf16", "fp16", "int8"}) {
    const auto engine = load(folder, precision);
    const auto stream = engine->stream();
    *static_cast<float*>(stream->input(0, shape_of(1, 1))) = 1.5F;
    stream->enqueue({1, 1});
    EXPECT_EQ(*static_cast<const float*>(stream->output(0).data), 3.0F) << precision;
  }
}

TEST(OpenVino, WhatCannotBeLoadedIsOneError) {
  const Folder folder;
  expect_refused(folder, Status::kMissing, "no engine at " + folder.file("engine.blob"));
  expect_refused(folder, Status::kUsage, "does not support fp8", "fp8");
  harness_test::write_text(folder.file("engine.blob"), "nothing that OpenVINO has written");
  expect_refused(folder, Status::kFailed, "cannot load the engine in " + folder.path());
  write_engine(folder, {ov::element::f32}, ov::element::boolean);
  expect_refused(folder, Status::kFailed, "'out0' is boolean");
}

}  // namespace
