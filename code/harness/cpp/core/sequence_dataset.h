// Token sequences padded to a common length on disk, of which a batch takes as much as its longest sample needs.
#pragma once

#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/npy.h"

namespace harness {

// Kind "sequence": one engine call per batch with inputs [n, longest]. A response is float32 [length, number of
// outputs], the outputs side by side, without padding.
class SequenceDataset : public Dataset {
 public:
  explicit SequenceDataset(const DatasetSpec& spec);

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
    bool wide = false;  // the engine wants int64
  };

  static void offer(const Input& input, Engine& engine);
  void fill(const Input& input, const Batch& batch, void* into) const;
  void interleave(const Batch& batch, Stream& stream, Answers& answers) const;

  std::string folder_;
  std::vector<Input> inputs_;
  std::vector<int32_t> lengths_;
  size_t multiple_;
  size_t width_ = 0;  // tokens of a row
  std::vector<std::string> output_names_;
  std::vector<size_t> output_ports_;
  bool computes_ = true;
};

// Kind "synthetic": lengths and nothing else, for the null and the simulated engine.
class SyntheticDataset : public Dataset {
 public:
  explicit SyntheticDataset(const DatasetSpec& spec);

  [[nodiscard]] size_t count() const override { return lengths_.size(); }
  [[nodiscard]] const std::vector<int32_t>& lengths() const override { return lengths_; }
  void load(const std::vector<size_t>& /*samples*/) override {}
  void bind(Engine& engine) override;
  void enqueue(const Batch& batch, Stream& stream) const override;
  void collect(const Batch& batch, Stream& stream, Answers& answers) const override;

 private:
  std::vector<int32_t> lengths_;
  size_t outputs_ = 0;
};

}  // namespace harness
