// Samples that are computed together.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.h"

namespace harness {

// A batch's memory is reused for the next one: nothing is allocated while a test runs.
struct Batch {
  std::vector<uintptr_t> ids;     // LoadGen's response ids
  std::vector<uint32_t> samples;  // indices into the data set
  std::vector<int64_t> arrived;   // issue time of each, ns; empty unless latencies are tracked
  int32_t longest = 0;            // greatest length among them
  int64_t length = 0;             // of all together; set by `add`
  size_t turn = 0;                // tells batches apart that are in flight on a lane: below the stream's depth

  [[nodiscard]] size_t size() const { return ids.size(); }

  void clear() {
    ids.clear();
    samples.clear();
    arrived.clear();
    longest = 0;
    length = 0;
  }

  void add(uintptr_t id, uint32_t sample, int32_t its_length) {
    ids.push_back(id);
    samples.push_back(sample);
    longest = std::max(longest, its_length);
    length += its_length;
  }
};

// Result of asking for a batch: a batch, nothing at the moment, or closed for the rest of the run.
enum class Taken { kBatch, kNothing, kClosed };

// How a lane asks for a batch.
struct Asks {
  // NOLINTNEXTLINE(google-explicit-constructor): `true` and `false` say whether it waits
  Asks(bool waiting, const std::atomic<size_t>* calls = nullptr) : waits(waiting), in_flight(calls) {}
  bool waits;          // until there is a batch or the source closes
  bool ahead = false;  // the lane has batches already: one more would wait there
  // Batches that the lane is computing: while there are any, one more need not start until it is full. nullptr: none.
  const std::atomic<size_t>* in_flight;

  [[nodiscard]] bool is_busy() const { return in_flight != nullptr && in_flight->load(std::memory_order_acquire) > 0; }
};

// Source of a lane's batches.
class BatchSource {
 public:
  BatchSource() = default;
  virtual ~BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  BatchSource(BatchSource&&) = delete;
  BatchSource& operator=(BatchSource&&) = delete;

  // Fills `batch`. Thread-safe.
  virtual Taken take(Batch& batch, const Asks& asks) = 0;
  // Reports that a batch taken from here was answered; `service_ns` is its time in the engine.
  virtual void answered(const Batch& /*batch*/, int64_t /*service_ns*/) {}
  // Takes back a batch whose device was lost before it was answered. Thread-safe.
  virtual void give_back(const Batch& /*batch*/) {
    throw Error(Status::kFailed, "a device was lost", "its batches cannot be given to another in this scenario",
                "run again without it");
  }
  // Reports that a lane which may be asking for a batch computes nothing any more.
  virtual void idle() {}
};

}  // namespace harness
