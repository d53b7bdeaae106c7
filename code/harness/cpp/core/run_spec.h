// run.json, the harness's only input. This file reads its common keys; engines and data sets read their own sections
// (engines/registry.cc, core/dataset_kinds.cc). The C++ counterpart of code/harness/schema/run_spec.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace harness {

constexpr int kSchema = 4;

class Dataset;       // core/dataset.h
class EngineLoader;  // core/engine.h

struct EngineSpec {
  std::string backend;
  std::string folder;
  std::string precision;
  std::shared_ptr<const EngineLoader> loader;  // holds the options; nullptr where this binary lacks the backend
};

// One device. Its threads are bound to `cores`; empty: the device's NUMA node where the machine reports it, else any.
struct DeviceSpec {
  int index = 0;  // unique within the process
  std::string name;
  std::string pci;    // a GPU's address, such as "0000:3b:00.0"; "": not known
  size_t engine = 0;  // index into `engines`
  std::vector<int> cores;
  int streams = 1;
  int threads = 0;  // total runtime threads; 0: the runtime decides
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

// The content of run.json; code/harness/schema/run_spec.py documents each key.
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

  // Total number of streams, which is the number of lanes.
  [[nodiscard]] size_t lanes() const;
};

// Reads and validates a run.json. Throws Error: kMissing when the file is absent, kUsage when it violates the schema.
RunSpec read_run_spec(const std::string& path);

// The same from text; `path` appears in messages.
RunSpec parse_run_spec(const std::string& text, const std::string& path);

}  // namespace harness
