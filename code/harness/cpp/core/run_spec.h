// run.json: the one file a harness gets. The C++ side of code/harness/schema/run_spec.py, whose schema it reads and whose
// strictness it keeps: an unknown or missing key is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace harness {

constexpr int kSchema = 2;

// One device of an engine. `cores` are the processors its threads are bound to; empty: those of the device's NUMA node
// where the machine tells it, else any.
struct DeviceSpec {
  int index = 0;
  std::vector<int> cores;
};

// The simulated engine: how long a batch takes, and which fault it shows.
struct SimulatedSpec {
  std::vector<double> batches;                    // batch sizes of the table's rows, ascending
  std::vector<double> lengths;                    // lengths of the table's columns, ascending
  std::vector<std::vector<double>> microseconds;  // [batch][length]
  std::vector<double> slowdown;                   // factor for each device; missing ones are 1
  std::string fault;                              // "", "throw", "short" (too few answers) or "hang"
  int64_t fault_after = 0;                        // batches a stream computes before the fault
  double load_s = 0;                              // how long loading takes
};

struct EngineSpec {
  std::string backend;
  std::string folder;
  std::string precision;
  int streams = 1;  // per device
  int threads = 0;  // of all streams of a CPU; 0: as many as the runtime likes
  std::vector<DeviceSpec> devices;
  SimulatedSpec simulated;
  bool use_graphs = false;  // the fields of the same names, which engines on a GPU act on
  std::string graph_specs;
  int graphs_max_length = 0;
  bool start_from_device = false;
  bool windows_on_device = true;       // field sliding_window_on_device, on where nobody sets it
  bool windows_must_be_there = false;  // somebody set it to true
  bool version_compatible = false;
  size_t max_samples = 1;  // batch.max_samples
};

struct BatchSpec {
  size_t max_samples = 1;
  double timeout_us = 0;
  double padding = 0;
};

struct DatasetSpec {
  std::string kind;
  std::string folder;
  size_t count = 0;
  std::vector<std::pair<std::string, std::string>> arrays;  // engine input → file
  std::string lengths;
  std::vector<std::string> outputs;
  std::string input_dtype;
  size_t pad_to_multiple_of = 1;           // what a batch's length is rounded up to
  std::vector<int32_t> synthetic_lengths;  // kind "synthetic": repeated over the data set
  std::vector<std::string> cases;          // kind "volume", as what follows: each is <case>.npy in the folder
  std::vector<size_t> roi;                 // depth, height, width of a window
  double overlap = 0;                      // of two windows, in [0, 1)
  double sigma = 0;                        // of the weights' Gaussian, as a share of the ROI
  size_t windows_per_batch = 1;
  std::string input;
};

// Everything a harness needs; see code/harness/schema/run_spec.py for each key.
struct RunSpec {
  std::string benchmark;
  std::string scenario;
  std::string test_mode;
  std::string output_dir;
  std::string user_conf;
  std::string audit_conf;
  EngineSpec engine;
  BatchSpec batch;
  DatasetSpec dataset;
  std::map<std::string, uint64_t> seeds;
  bool enable_trace = false;
  bool copy_summary_to_stdout = true;
  int issue_threads = 0;
  double warmup_s = 0;
  double watchdog_s = 0;
  std::map<std::string, double> number_fields;     // resolved fields that are numbers; true is 1
  std::map<std::string, std::string> text_fields;  // and those that are text

  // A resolved field as a number; `otherwise` where it is not set.
  [[nodiscard]] double field(const std::string& name, double otherwise) const;
};

// Reads and checks a run.json. Throws Error: kMissing without the file, kUsage for anything that is not of the schema.
RunSpec read_run_spec(const std::string& path);

// The same from text; `path` is for messages.
RunSpec parse_run_spec(const std::string& text, const std::string& path);

}  // namespace harness
