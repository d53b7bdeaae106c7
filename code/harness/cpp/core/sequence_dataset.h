// Token sequences, stored padded to a common length; a batch uses only the length of its longest sample.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/dataset.h"
#include "core/npy.h"

namespace harness {

// run.json's `dataset` for this kind.
struct SequenceSpec {
  std::string folder;
  size_t count = 0;
  std::vector<std::pair<std::string, std::string>> arrays;  // engine input → file
  std::string lengths;
  std::vector<std::string> outputs;
  size_t pad_to_multiple_of = 1;  // tokens; a batch's length is rounded up to a multiple
};

// Kind "sequence": one engine call per batch with inputs [n, longest]. A response is float32 [length, number of
// outputs], the outputs interleaved, without padding.
class SequenceDataset : public Dataset {
 public:
  explicit SequenceDataset(const SequenceSpec& spec);

  [[nodiscard]] size_t count() const override { return lengths_.size(); }
  [[nodiscard]] const std::vector<int32_t>& lengths() const override { return lengths_; }
  [[nodiscard]] size_t computed(int32_t longest) const override;
  void load(const std::vector<size_t>& samples) override;
  void bind(Engine& engine) override;
  void enqueue(const Batch& batch, Stream& stream) const override;
  void collect(const Batch& batch, Stream& stream, Answers& answers) const override;

 private:
  struct Input {
    std::string name;
    NpyArray array;
    size_t port = 0;
    bool wide = false;  // the engine's input is int64
  };

  static void offer(const Input& input, Engine& engine);
  void fill(const Input& input, const Batch& batch, void* into) const;
  void interleave(const Batch& batch, Stream& stream, Answers& answers) const;

  std::string folder_;
  std::vector<Input> inputs_;
  std::vector<int32_t> lengths_;
  size_t multiple_;
  size_t width_ = 0;  // tokens per stored row
  std::vector<std::string> output_names_;
  std::vector<size_t> output_ports_;
  bool computes_ = true;
};

SequenceSpec read_sequence_spec(size_t count, Reader& in);
OpenDataset read_sequences(size_t count, Reader& in);

}  // namespace harness
