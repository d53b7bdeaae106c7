// What a data set is: samples by index, how they are walked through an engine, and how its outputs become responses.
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

// One batch's responses and the memory behind them, used again for the next batch: LoadGen copies what it needs before
// QuerySamplesComplete returns.
struct Answers {
  std::vector<mlperf::QuerySampleResponse> responses;
  std::vector<float> memory;
  std::vector<std::vector<uint8_t>> bytes;  // where a sample's response is of its own size
  WindowSum sums;
  std::function<void()> alive;  // to be called when the engine answered and the batch goes on
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
  // The length that a batch is computed with whose longest sample has this one.
  [[nodiscard]] virtual size_t computed(int32_t longest) const { return static_cast<size_t>(longest); }
  // Whether a sample takes time in proportion to its length, so that some samples tell how long all would take.
  [[nodiscard]] virtual bool proportional() const { return false; }
  // LoadGen wants these samples in memory.
  virtual void load(const std::vector<size_t>& samples) = 0;
  // Finds its inputs and outputs in the engine, and offers it the arrays; throws Error (kFailed) when the engine lacks
  // one. Once for each device's engine, before any other thread starts.
  virtual void bind(Engine& engine) = 0;
  // Starts computing a batch. Thread-safe for different streams.
  virtual void enqueue(const Batch& batch, Stream& stream) const = 0;
  // How it uses an engine, for --explain: whole lines, or nothing.
  [[nodiscard]] virtual std::string explain() const { return ""; }
  // Waits for the oldest batch under way on `stream`, which is `batch`, and makes its responses, in its order.
  virtual void collect(const Batch& batch, Stream& stream, Answers& answers) const = 0;
};

// Opens a data set whose part of run.json was read. Throws Error (kMissing) for files that are absent or broken.
using OpenDataset = std::function<std::unique_ptr<Dataset>()>;

class Reader;  // core/json_reader.h

// Reads `dataset` of run.json, each kind its own keys. Throws Error (kUsage).
DatasetSpec read_dataset(Reader in);

// The kinds in this binary, each with the keys that it reads.
std::map<std::string, std::vector<std::string>> dataset_keys();

}  // namespace harness
