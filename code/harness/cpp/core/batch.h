// Samples that are computed together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace harness {

// A batch's memory is used again for the next one, so that none is allocated while a test runs.
struct Batch {
  std::vector<uintptr_t> ids;     // LoadGen's response ids
  std::vector<uint32_t> samples;  // indices into the data set
  std::vector<int64_t> arrived;   // when each was issued, ns; empty where nobody asks
  int32_t longest = 0;            // greatest length among them

  [[nodiscard]] size_t size() const { return ids.size(); }

  void clear() {
    ids.clear();
    samples.clear();
    arrived.clear();
    longest = 0;
  }

  void add(uintptr_t id, uint32_t sample, int32_t length) {
    ids.push_back(id);
    samples.push_back(sample);
    longest = std::max(longest, length);
  }
};

// What asking for a batch gave: one, nothing for now, or the news that no more will come.
enum class Taken { kBatch, kNothing, kClosed };

// Where a lane gets its batches from.
class BatchSource {
 public:
  BatchSource() = default;
  virtual ~BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  BatchSource(BatchSource&&) = delete;
  BatchSource& operator=(BatchSource&&) = delete;

  // Fills `batch`. With `wait`, blocks until there is one or no more will come. Thread-safe.
  virtual Taken take(Batch& batch, bool wait) = 0;
  // A batch that was taken has been answered; `service_ns` is how long it was being computed.
  virtual void answered(const Batch& /*batch*/, int64_t /*service_ns*/) {}
};

}  // namespace harness
