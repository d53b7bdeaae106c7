// Interface of a data set: samples by index, how they pass through an engine, and how outputs become responses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/engine.h"
#include "core/run_spec.h"
#include "core/sliding_window.h"
#include "query_sample.h"

namespace harness {

// One batch's responses and the memory behind them. Reused for the next batch: LoadGen copies what it needs before
// QuerySamplesComplete returns.
struct Answers {
  std::vector<mlperf::QuerySampleResponse> responses;
  std::vector<float> memory;
  std::vector<std::vector<uint8_t>> bytes;  // where responses differ in size
  WindowSum sums;
  std::function<void()> alive;  // call when the engine answered but the batch is not complete
};

class Dataset {
 public:
  Dataset() = default;
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  Dataset(Dataset&&) = delete;
  Dataset& operator=(Dataset&&) = delete;

  [[nodiscard]] virtual size_t count() const = 0;
  // Cost of every sample in the data set's own unit (tokens, voxels); batches are grouped by it.
  [[nodiscard]] virtual const std::vector<int32_t>& lengths() const = 0;
  // The length at which a batch is computed, given its longest sample: padding included.
  [[nodiscard]] virtual size_t computed(int32_t longest) const { return static_cast<size_t>(longest); }
  // Whether time is proportional to length, so that a few samples predict the time of all.
  [[nodiscard]] virtual bool proportional() const { return false; }
  // LoadGen's LoadSamplesToRam.
  virtual void load(const std::vector<size_t>& samples) = 0;
  // Binds its inputs and outputs to the engine's and offers it the arrays; throws Error (kFailed) when the engine lacks
  // one. Called once for each device's engine, before any other thread starts.
  virtual void bind(Engine& engine) = 0;
  // Starts computing a batch. Thread-safe for different streams.
  virtual void enqueue(const Batch& batch, Stream& stream) const = 0;
  // How it uses an engine, for --explain: complete lines, or "".
  [[nodiscard]] virtual std::string explain() const { return ""; }
  // Waits for the oldest batch in flight on `stream`, which is `batch`, and writes its responses in the batch's order.
  virtual void collect(const Batch& batch, Stream& stream, Answers& answers) const = 0;
};

// Opens the data set that run.json describes. Throws Error (kMissing) for absent or corrupt files.
using OpenDataset = std::function<std::unique_ptr<Dataset>()>;

class Reader;  // core/json_reader.h

// Reads run.json's `dataset`; each kind reads its own keys. Throws Error (kUsage).
DatasetSpec read_dataset(Reader in);

// The kinds in this binary, each with the keys that it reads.
std::map<std::string, std::vector<std::string>> dataset_keys();

}  // namespace harness
