// One worker on one stream of an engine: batch in, responses out.
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

// LoadGen's QuerySamplesComplete; it copies what it needs before it returns.
using Complete = std::function<void(mlperf::QuerySampleResponse*, size_t)>;

// What a lane is doing, for whoever watches. The lane's thread writes, any thread reads.
struct alignas(64) LaneState {
  std::atomic<uint64_t> completed{0};
  std::atomic<uint64_t> batches{0};
  std::atomic<uint64_t> calls{0};      // into the engine, beyond one for each batch
  std::atomic<int64_t> busy_ns{0};     // with batches under way in the engine, warm-up not counted
  std::atomic<int64_t> busy_since{0};  // when the call into the engine began, ns; 0 when in none
  std::atomic<uint32_t> in_flight{0};  // samples
  Latencies latencies;                 // of batches whose arrivals are known
};

class Lane {
 public:
  // The data set and the engine behind `stream` outlive the lane.
  Lane(const Dataset& dataset, std::unique_ptr<Stream> stream, size_t device, Complete complete);

  // Computes one batch on the calling thread and completes it. Throws what the engine throws, and Error (kFailed) for a
  // batch that it did not answer whole.
  void answer(const Batch& batch);
  // Computes a batch and tells nobody.
  void warm_up(const Batch& batch);
  // Answers batches of `source` until it is closed, as many at a time as the stream takes.
  void serve(BatchSource& source);

  [[nodiscard]] const LaneState& state() const { return state_; }
  [[nodiscard]] size_t device() const { return device_; }
  // The batches it answered. Only for when its thread has ended.
  [[nodiscard]] const BatchLog& log() const { return log_; }

 private:
  // When it started, and when it was completed, ns.
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
  int64_t engaged_ = 0;   // when the first of them was handed over, ns
  BatchLog log_;
  LaneState state_;
};

// The error for a batch that threw, on the device of that name.
Error batch_error(const std::exception& error, const std::string& device);

// The same error, naming the device that it is of.
Error on_device(const Error& error, const std::string& device);

}  // namespace harness
