#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/sequence_dataset.h"
#include "process.h"

namespace {

using harness::Answers;
using harness::Batch;
using harness::DType;
using harness::Output;
using harness::SequenceDataset;
using harness::SequenceSpec;
using harness::Shape;
using harness::TensorInfo;
using harness::Work;
using harness_test::Folder;
using harness_test::write_npy;

// Answers with its own inputs: output 0 is the first input as float, output 1 its negative.
class EchoStream : public harness::Stream {
 public:
  explicit EchoStream(bool wide) : wide_(wide) {}
  void* input(size_t index, const Shape& shape) override {
    shape_ = shape;
    memory_.at(index).assign(shape.items() * 8, 0);
    return memory_.at(index).data();
  }
  void enqueue(const Work& work) override { samples_ = work.samples; }
  void wait() override {}
  Output output(size_t index) override {
    values_.at(index).resize(shape_.items());
    for (size_t i = 0; i < shape_.items(); ++i) {
      const void* at = memory_[0].data() + i * (wide_ ? 8 : 4);
      const auto value =
          static_cast<float>(wide_ ? *static_cast<const int64_t*>(at) : *static_cast<const int32_t*>(at));
      values_.at(index)[i] = index == 0 ? value : -value;
    }
    return {values_.at(index).data(), shape_};
  }
  [[nodiscard]] size_t answered() const override { return samples_; }

 private:
  bool wide_;
  Shape shape_;
  size_t samples_ = 0;
  std::array<std::vector<unsigned char>, 2> memory_;
  std::array<std::vector<float>, 2> values_;
};

class EchoEngine : public harness::Engine {
 public:
  explicit EchoEngine(bool wide) : EchoEngine(wide ? DType::kInt64 : DType::kInt32) {}
  explicit EchoEngine(DType type) : wide_(type == DType::kInt64) {
    inputs_ = {{"mask", type}, {"ids", type}};
    std::swap(inputs_[0], inputs_[1]);
  }
  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<harness::Stream> stream() override { return std::make_unique<EchoStream>(wide_); }
  [[nodiscard]] bool keeps() const override { return true; }
  void keep(size_t input, const void* data, size_t rows, size_t row_bytes) override {
    const auto* bytes = static_cast<const unsigned char*>(data);
    kept[inputs_[input].name].assign(bytes, bytes + rows * row_bytes);
  }

  std::map<std::string, std::vector<unsigned char>> kept;

 private:
  bool wide_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_ = {{"start", DType::kFloat32}, {"end", DType::kFloat32}};
};

SequenceSpec sequences(const Folder& folder) {
  std::vector<int32_t> ids(3 * 8);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  write_npy(folder.file("ids.npy"), {3, 8}, ids);
  write_npy(folder.file("mask.npy"), {3, 8}, std::vector<int32_t>(24, 1));
  write_npy(folder.file("lengths.npy"), {3}, {5, 2, 8});
  SequenceSpec spec;
  spec.folder = folder.path();
  spec.count = 3;
  spec.arrays = {{"ids", "ids.npy"}, {"mask", "mask.npy"}};
  spec.lengths = "lengths.npy";
  spec.outputs = {"start", "end"};
  return spec;
}

// A batch of the first two samples comes back without padding, whatever it was computed with.
void expect_own_lengths(const harness::Dataset& dataset, EchoEngine& engine) {
  const auto stream = engine.stream();
  Batch batch;
  batch.add(70, 0, 5);
  batch.add(71, 1, 2);
  dataset.enqueue(batch, *stream);
  Answers answers;
  dataset.collect(batch, *stream, answers);
  ASSERT_EQ(answers.responses.size(), 2U);
  EXPECT_EQ(answers.responses[0].id, 70U);
  EXPECT_EQ(answers.responses[0].size, 5 * 2 * sizeof(float));
  EXPECT_EQ(answers.responses[1].size, 2 * 2 * sizeof(float));
  std::vector<float> second(4);
  std::memcpy(second.data(), reinterpret_cast<const void*>(answers.responses[1].data), 16);
  EXPECT_EQ(second, (std::vector<float>{8, -8, 9, -9}));
}

TEST(SequenceDataset, ResponsesAreEachSamplesOwnLengthWithTheOutputsSideBySide) {
  for (const bool wide : {false, true}) {
    const Folder folder;
    SequenceDataset dataset(sequences(folder));
    EchoEngine engine(wide);
    dataset.bind(engine);
    dataset.load({0, 1, 2});
    expect_own_lengths(dataset, engine);
  }
}

TEST(SequenceDataset, ABatchIsComputedToTheNextMultipleAndNoFurtherThanItsRows) {
  const Folder folder;
  auto spec = sequences(folder);
  spec.pad_to_multiple_of = 3;
  SequenceDataset dataset(spec);
  EXPECT_EQ(dataset.computed(5), 6U);
  EXPECT_EQ(dataset.computed(6), 6U);
  EXPECT_EQ(dataset.computed(8), 8U);
  EchoEngine engine(false);
  dataset.bind(engine);
  expect_own_lengths(dataset, engine);
}

TEST(SequenceDataset, GivesAnEngineItsOwnType) {
  const Folder folder;
  for (const DType type : {DType::kInt32, DType::kInt64}) {
    SequenceDataset dataset(sequences(folder));
    EchoEngine engine(type);
    dataset.bind(engine);
    const auto& ids = engine.kept.at("ids");
    ASSERT_EQ(ids.size(), 24 * harness::size_of(type));
    const void* last = ids.data() + 23 * harness::size_of(type);
    EXPECT_EQ(type == DType::kInt64 ? *static_cast<const int64_t*>(last) : *static_cast<const int32_t*>(last), 23);
  }
}

TEST(SequenceDataset, RefusesAnEngineWithOtherTensors) {
  const Folder folder;
  auto spec = sequences(folder);
  EchoEngine real(DType::kFloat32);
  EXPECT_THROW(SequenceDataset(spec).bind(real), harness::Error);
  EchoEngine engine(false);
  spec.outputs = {"stat"};
  EXPECT_THROW(SequenceDataset(spec).bind(engine), harness::Error);
  spec = sequences(folder);
  spec.arrays.pop_back();
  EXPECT_THROW(SequenceDataset(spec).bind(engine), harness::Error);
}

TEST(SequenceDataset, RefusesArraysThatDoNotBelongTogether) {
  const Folder folder;
  auto spec = sequences(folder);
  spec.count = 4;
  EXPECT_THROW(SequenceDataset{spec}, harness::Error);
  spec.count = 3;
  write_npy(folder.file("mask.npy"), {2, 8}, std::vector<int32_t>(16, 1));
  EXPECT_THROW(SequenceDataset{spec}, harness::Error);
}

// A .npy file with this header's text and 64 bytes of elements, which begin at `begin` bytes modulo 64.
void write_header(const std::string& path, std::string header, size_t begin = 0) {
  while ((10 + header.size()) % 64 != begin) header += ' ';
  std::string text = "\x93NUMPY";
  text += '\x01';
  text += '\0';
  text += static_cast<char>(header.size() & 0xFF);
  text += static_cast<char>(header.size() >> 8);
  harness_test::write_text(path, text + header + std::string(64, '\0'));
}

std::string header_of(const std::string& shape, const std::string& dtype = "<i4") {
  return "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

TEST(NpyArray, RefusesHeadersThatCannotBeRight) {
  const Folder folder;
  const std::string path = folder.file("a.npy");
  write_header(path, header_of("(4, 4)"));
  EXPECT_EQ(harness::NpyArray(path).rows(), 4U);
  write_header(path, header_of("(0, 4)"));
  EXPECT_EQ(harness::NpyArray(path).rows(), 0U);
  for (const std::string& header : {
           header_of("(4611686018427387905, 4)"),                    // 2^62 + 1: the bytes wrap around to 16
           header_of("(2, 9223372036854775808)"),                    // 2 * 2^63 wraps around to 0
           header_of("(4294967296, 4294967296, 4294967296)"),        // 2^96
           header_of("(0, 4294967296, 4294967296, 4294967296)"),     // rows of 2^96 elements, none of them there
           header_of("(99999999999999999999999, 1)"),                // beyond 64 bits
           header_of("(18446744073709551615,)"),                     //
           header_of("(-1, 4)"),                                     //
           header_of("(+1, 4)"),                                     //
           header_of("(4, x)"),                                      //
           header_of("(4, 4"),                                       // not closed
           header_of("()"),                                          //
           header_of("4"),                                           //
           header_of("[4, 4]"),                                      //
           header_of("(4, 4)", "<i18446744073709551615"),            //
           header_of("(4, 4)", "<i99"),                              //
           header_of("(4, 4)", "<i0"),                               //
           header_of("(4, 4)", "<i"),                                //
           header_of("(4, 4)", ">i4"),                               //
           std::string("{'descr': '<i4', 'fortran_order': False}"),  // no shape
           std::string("{'descr': '"),                               // nothing at all
           std::string(),
       }) {
    write_header(path, header);
    EXPECT_THROW(harness::NpyArray{path}, harness::Error) << header;
  }
}

TEST(NpyArray, RefusesElementsThatAreNotAligned) {
  const Folder folder;
  const std::string path = folder.file("a.npy");
  for (const auto& [dtype, begin] : {std::pair{"<i4", 2}, std::pair{"<i8", 4}, std::pair{"<f2", 1}}) {
    write_header(path, header_of("(2, 4)", dtype), static_cast<size_t>(begin));
    EXPECT_THROW(harness::NpyArray{path}, harness::Error) << dtype;
  }
  write_header(path, header_of("(2, 4)", "<i4"), 4);
  EXPECT_EQ(harness::NpyArray(path).row<int32_t>(1)[3], 0);
}

TEST(NpyArray, RefusesWhatIsNoArray) {
  const Folder folder;
  harness_test::write_text(folder.file("a.npy"), "this is not a .npy file, although it is longer than a header");
  EXPECT_THROW(harness::NpyArray(folder.file("a.npy")), harness::Error);
  harness_test::write_text(folder.file("a.npy"), "");
  EXPECT_THROW(harness::NpyArray(folder.file("a.npy")), harness::Error);
  write_npy(folder.file("a.npy"), {4, 4}, std::vector<int32_t>(15, 1));
  EXPECT_THROW(harness::NpyArray(folder.file("a.npy")), harness::Error);
  write_npy(folder.file("a.npy"), {4, 4}, std::vector<int32_t>(16, 1));
  const harness::NpyArray array(folder.file("a.npy"));
  EXPECT_EQ(array.shape(), (std::vector<size_t>{4, 4}));
  EXPECT_EQ(array.row<int32_t>(3)[3], 1);
}

}  // namespace
