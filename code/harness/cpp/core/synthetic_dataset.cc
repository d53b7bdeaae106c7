#include "core/synthetic_dataset.h"

#include <algorithm>

#include "core/error.h"
#include "core/json_reader.h"

namespace harness {

OpenDataset read_synthetic(size_t count, Reader& in) {
  SyntheticSpec spec;
  spec.count = count;
  for (const int64_t length : in.wholes("lengths", 1, 1'000'000'000, {1})) {
    spec.lengths.push_back(static_cast<int32_t>(length));
  }
  spec.outputs = in.texts("outputs", {1});
  return [spec] { return std::make_unique<SyntheticDataset>(spec); };
}

void answer_zeros(const Batch& batch, const std::vector<int32_t>& lengths, size_t outputs, size_t rows,
                  Answers& answers) {
  const size_t most = static_cast<size_t>(batch.longest) * outputs;
  if (answers.memory.size() < most) answers.memory.resize(most, 0.0F);
  answers.responses.clear();
  for (size_t i = 0; i < std::min(rows, batch.size()); ++i) {
    const size_t bytes = static_cast<size_t>(lengths[batch.samples[i]]) * outputs * sizeof(float);
    answers.responses.emplace_back(batch.ids[i], reinterpret_cast<uintptr_t>(answers.memory.data()), bytes);
  }
}

SyntheticDataset::SyntheticDataset(const SyntheticSpec& spec) : lengths_(spec.count), outputs_(spec.outputs.size()) {
  for (size_t i = 0; i < spec.count; ++i) lengths_[i] = spec.lengths[i % spec.lengths.size()];
}

void SyntheticDataset::bind(Engine& engine) {
  if (!engine.computes()) return;
  throw Error(Status::kUsage, "the data set kind 'synthetic' has no inputs to compute on",
              "only the backends 'null' and 'simulated' accept it", "use another kind of data set");
}

void SyntheticDataset::enqueue(const Batch& batch, Stream& stream) const {
  stream.gate().enter();
  stream.enqueue({batch.size(), static_cast<size_t>(batch.longest)});
  stream.gate().submitted();
}

void SyntheticDataset::collect(const Batch& batch, Stream& stream, Answers& answers) const {
  stream.gate().await();
  stream.wait();
  answer_zeros(batch, lengths_, outputs_, stream.answered(), answers);
  stream.gate().leave();
}

}  // namespace harness
