// A lane: one stream on one device plus what drives it: one thread, or, where the stream splits, one that submits
// batches and one that completes their samples, so that a batch which fills while another computes is sent at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/batch_log.h"
#include "core/condition.h"
#include "core/dataset.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/intervals.h"
#include "core/latencies.h"
#include "query_sample.h"

namespace harness {

// LoadGen's QuerySamplesComplete, which copies the responses before it returns.
using Complete = std::function<void(mlperf::QuerySampleResponse*, size_t)>;

// Counters of one lane for progress reports. Each has one writer at a time; any thread may read.
struct alignas(64) LaneState {
  std::atomic<uint64_t> completed{0};
  std::atomic<uint64_t> batches{0};
  std::atomic<uint64_t> work{0};       // samples times the longest sample of their batch
  std::atomic<uint64_t> calls{0};      // engine calls beyond one per batch
  std::atomic<int64_t> busy_ns{0};     // time with batches in the engine, without warm-up
  std::atomic<int64_t> busy_since{0};  // start of the current engine call, ns; 0: none
  std::atomic<uint32_t> in_flight{0};  // samples
  Latencies latencies;                 // of batches with arrival times
};

class Lane {
 public:
  // The data set and the engine behind `stream` must outlive the lane.
  Lane(const Dataset& dataset, std::unique_ptr<Stream> stream, size_t device, Complete complete);

  // Computes one batch on the calling thread and completes it. Throws what the engine throws, and Error (kFailed) for a
  // batch that was answered only in part.
  void answer(const Batch& batch);
  // Computes a batch without completing it, as often as calls may be in flight: each has buffers of its own.
  void warm_up(const Batch& batch);
  // Whether the stream may prepare for the shapes that it meets. Returns what it has learned so far.
  std::string learn(bool on);
  // Answers batches of `source` until it closes, with as many in flight as the stream allows.
  void serve(BatchSource& source);
  // The same on two threads where the stream splits: one submits, one completes. Both return when the source closes.
  [[nodiscard]] bool splits() const { return splits_; }
  void submit(BatchSource& source);
  void complete(BatchSource& source);

  [[nodiscard]] const LaneState& state() const { return state_; }
  [[nodiscard]] size_t device() const { return device_; }
  // The batches it answered. Call only after its thread has ended.
  [[nodiscard]] const BatchLog& log() const { return log_; }
  // When its samples arrived and were answered, where batches have arrival times. Call only after its thread has ended.
  [[nodiscard]] const Intervals& intervals() const { return intervals_; }

 private:
  // The lock of what two threads share; not taken where one thread drives the lane.
  [[nodiscard]] std::unique_lock<std::mutex> shared();
  // Accounts for a batch that starts now; returns the time, ns.
  int64_t begin(const Batch& batch);
  // Computes it, and completes its samples. Returns the time, ns.
  int64_t start(const Batch& batch);
  int64_t finish(const Batch& batch, int64_t started);
  // Frees the slot of a batch that was finished at `now`. Returns whether no batch is in flight.
  bool release(const Batch& batch, int64_t now);
  // Gives the batches in flight, from the oldest on, back to the source: the device is lost.
  void give_back(BatchSource& source, size_t oldest, size_t count);
  // Time in the engine of the batch that was finished at `now`, without waiting for earlier ones.
  int64_t service(int64_t started, int64_t now);

  const Dataset& dataset_;
  std::unique_ptr<Stream> stream_;
  bool splits_;  // as the stream
  size_t device_;
  Complete complete_;
  Answers answers_;
  std::vector<Batch> slots_;
  std::vector<int64_t> started_;
  // Guards what two threads change, where two drive the lane: `under_way_` and all until `finished_`, and samples in
  // flight.
  std::mutex mutex_;
  Condition changed_;
  std::atomic<size_t> under_way_{0};  // batches
  int64_t engaged_ = 0;               // when the oldest of them was enqueued, ns
  bool closed_ = false;               // the source has no more batches
  int64_t finished_ = 0;              // when the last batch was, ns; of the completing thread
  BatchLog log_;
  Intervals intervals_;
  LaneState state_;
};

// The error for a batch that threw on the named device.
Error batch_error(const std::exception& error, const std::string& device);

// The same error with the device's name prepended.
Error on_device(const Error& error, const std::string& device);

}  // namespace harness
