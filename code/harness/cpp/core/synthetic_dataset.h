// Kind "synthetic" of run.json: lengths only, for the null and the simulated engine.
#pragma once

#include <string>
#include <vector>

#include "core/dataset.h"

namespace harness {

struct SyntheticSpec {
  size_t count = 0;
  std::vector<int32_t> lengths;  // repeated until every sample has one
  std::vector<std::string> outputs;
};

// A response is float32 [length, number of outputs], all zeros.
class SyntheticDataset : public Dataset {
 public:
  explicit SyntheticDataset(const SyntheticSpec& spec);

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

OpenDataset read_synthetic(size_t count, Reader& in);

// All-zero responses, float32 [length, outputs] for each row, for engines that do not compute.
void answer_zeros(const Batch& batch, const std::vector<int32_t>& lengths, size_t outputs, size_t rows,
                  Answers& answers);

}  // namespace harness
