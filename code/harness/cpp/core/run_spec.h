// run.json: the one file a harness gets. This is its envelope; each engine and each data set reads its own part where
// it is registered (engines/registry.cc, core/dataset_kinds.cc). The C++ side of code/harness/schema/run_spec.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace harness {

constexpr int kSchema = 3;

class Dataset;       // core/dataset.h
class EngineLoader;  // core/engine.h

struct EngineSpec {
  std::string backend;
  std::string folder;
  std::string precision;
  std::shared_ptr<const EngineLoader> loader;  // with its options; nullptr where this binary lacks the backend
};

// One device. `cores` are the processors its threads are bound to; empty: those of the device's NUMA node where the
// machine tells it, else any.
struct DeviceSpec {
  int index = 0;  // in the process
  std::string name;
  size_t engine = 0;  // which of the engines it loads
  std::vector<int> cores;
  int streams = 1;
  int threads = 0;  // of its runtime in all; 0: as many as the runtime likes
};

struct BatchSpec {
  size_t max_samples = 1;
  double timeout_us = 0;
  double padding = 0;
};

struct DatasetSpec {
  std::string kind;
  size_t count = 0;
  std::function<std::unique_ptr<Dataset>()> open;
};

struct LogSpec {
  bool enable_trace = false;
  bool copy_summary_to_stdout = true;
  bool copy_detail_to_stdout = false;
  std::string mode = "AsyncPoll";
  uint64_t async_poll_interval_ms = 1000;
};

// Everything a harness needs; see code/harness/schema/run_spec.py for each key.
struct RunSpec {
  std::string benchmark;
  std::string scenario;
  std::string test_mode;
  std::string output_dir;
  std::string user_conf;
  std::string audit_conf;
  std::vector<EngineSpec> engines;
  std::vector<DeviceSpec> devices;
  BatchSpec batch;
  DatasetSpec dataset;
  std::map<std::string, uint64_t> seeds;
  LogSpec log;
  int issue_threads = 0;
  double soft_drop = 1;
  double warmup_s = 0;
  double watchdog_s = 0;
  double samples_per_query = 8;

  // Streams of all devices.
  [[nodiscard]] size_t lanes() const;
};

// Reads and checks a run.json. Throws Error: kMissing without the file, kUsage for anything that is not of the schema.
RunSpec read_run_spec(const std::string& path);

// The same from text; `path` is for messages.
RunSpec parse_run_spec(const std::string& text, const std::string& path);

}  // namespace harness
