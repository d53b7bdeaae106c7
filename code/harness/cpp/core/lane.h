// A lane: one stream on one device plus the thread that drives it. Takes batches, completes their samples.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/batch_log.h"
#include "core/dataset.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/latencies.h"
#include "query_sample.h"

namespace harness {

// LoadGen's QuerySamplesComplete, which copies the responses before it returns.
using Complete = std::function<void(mlperf::QuerySampleResponse*, size_t)>;

// Counters of one lane for progress reports. Written by the lane's thread, read by any.
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
  // Computes a batch without completing it.
  void warm_up(const Batch& batch);
  // Answers batches of `source` until it closes, with as many in flight as the stream allows.
  void serve(BatchSource& source);

  [[nodiscard]] const LaneState& state() const { return state_; }
  [[nodiscard]] size_t device() const { return device_; }
  // The batches it answered. Call only after its thread has ended.
  [[nodiscard]] const BatchLog& log() const { return log_; }

 private:
  // Start and completion of the batch, ns.
  int64_t start(const Batch& batch);
  int64_t finish(const Batch& batch, int64_t started);

  const Dataset& dataset_;
  std::unique_ptr<Stream> stream_;
  size_t device_;
  Complete complete_;
  Answers answers_;
  std::vector<Batch> slots_;
  std::vector<int64_t> started_;
  size_t under_way_ = 0;  // batches
  int64_t engaged_ = 0;   // when the oldest of them was enqueued, ns
  BatchLog log_;
  LaneState state_;
};

// The error for a batch that threw on the named device.
Error batch_error(const std::exception& error, const std::string& device);

// The same error with the device's name prepended.
Error on_device(const Error& error, const std::string& device);

}  // namespace harness
