#include "core/run_spec.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "core/dataset.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/json_reader.h"

namespace harness {

namespace {

using nlohmann::json;

constexpr Bounds kShare = {0, 1};
constexpr Bounds kDay = {0, 86'400};
constexpr size_t kDeepest = 64;

EngineSpec read_engine(Reader in) {
  EngineSpec out;
  out.backend = in.text("backend");
  out.folder = in.text("folder", 0);
  out.precision = in.text("precision");
  Reader options = in.object("options");
  out.loader = read_engine_options(out.backend, options);
  options.finish();
  in.finish();
  return out;
}

DeviceSpec read_device(Reader in, const RunSpec& run) {
  DeviceSpec out;
  out.index = static_cast<int>(in.whole("index", 0, 4095));
  out.name = in.text("name");
  out.pci = in.text("pci", 0);
  out.engine = static_cast<size_t>(in.whole("engine", 0, 4095));
  for (const int64_t core : in.wholes("cores", 0, 65535, {})) out.cores.push_back(static_cast<int>(core));
  out.streams = static_cast<int>(in.whole("streams", 1, 4096));
  out.threads = static_cast<int>(in.whole("threads", 0, 65536));
  in.finish();
  in.require(out.engine < run.engines.size(), "engine", "is " + std::to_string(out.engine),
             "engines has " + std::to_string(run.engines.size()) + " entries; indices start at 0");
  const bool taken = std::any_of(run.devices.begin(), run.devices.end(),
                                 [&](const DeviceSpec& other) { return other.index == out.index; });
  in.require(!taken, "index", "is " + std::to_string(out.index), "another device has the same index");
  return out;
}

BatchSpec read_batch(Reader in) {
  BatchSpec out;
  out.max_samples = static_cast<size_t>(in.whole("max_samples", 1, 1 << 20));
  out.timeout_us = in.number("timeout_us", {0, 1e9});
  out.padding = in.number("padding", kShare);
  in.finish();
  return out;
}

LogSpec read_log(Reader in) {
  LogSpec out;
  out.enable_trace = in.flag("enable_trace");
  out.copy_summary_to_stdout = in.flag("copy_summary_to_stdout");
  out.copy_detail_to_stdout = in.flag("copy_detail_to_stdout");
  out.mode = in.one_of("mode", {"AsyncPoll", "EndOfTestOnly", "Synchronous"});
  out.async_poll_interval_ms = static_cast<uint64_t>(in.whole("async_poll_interval_ms", 1, 3'600'000));
  in.finish();
  return out;
}

void read_server(Reader in, RunSpec& out) {
  out.issue_threads = static_cast<int>(in.whole("issue_threads", 0, 1024));
  out.soft_drop = in.number("soft_drop", kShare);
  in.finish();
}

void read_expects(Reader in, RunSpec& out) {
  static_cast<void>(in.number("min_duration_ms", {0, 1e12}));  // read by the launcher only
  out.samples_per_query = static_cast<double>(in.whole("samples_per_query", 1, 1 << 20));
  in.finish();
}

// Levels of nesting in a JSON text, whether it is valid or not. nlohmann::json parses any depth, but prints, compares
// and copies values recursively.
size_t depth_of(const std::string& text) {
  size_t depth = 0;
  size_t deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

json parse_json(const std::string& text, const std::string& path) {
  if (depth_of(text) > kDeepest) {
    throw Error(Status::kUsage, path + " is nested too deeply",
                "at most " + std::to_string(kDeepest) + " levels are read",
                "run the harness through `make run_harness`");
  }
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw Error(Status::kUsage, path + " is not valid JSON", error.what(),
                "run the harness through `make run_harness`");
  }
}

}  // namespace

size_t RunSpec::lanes() const {
  size_t out = 0;
  for (const auto& device : devices) out += static_cast<size_t>(device.streams);
  return out;
}

RunSpec parse_run_spec(const std::string& text, const std::string& path) {
  const json content = parse_json(text, path);
  const json schema = content.is_object() ? content.value("schema", json()) : json();
  if (!schema.is_number_integer() || schema != kSchema) {
    throw Error(Status::kUsage, path + " has schema " + schema.dump(),
                "this harness reads schema " + std::to_string(kSchema),
                "run `make run_harness` again to write a new one");
  }
  Reader in(content, path, "");
  static_cast<void>(in.whole("schema", kSchema, kSchema));
  RunSpec out;
  out.benchmark = in.text("benchmark");
  out.scenario = in.one_of("scenario", {"Offline", "Server", "SingleStream", "MultiStream"});
  out.test_mode = in.one_of("test_mode", {"PerformanceOnly", "AccuracyOnly"});
  out.output_dir = in.text("output_dir");
  out.user_conf = in.text("user_conf");
  out.audit_conf = in.text("audit_conf", 0);
  for (auto& engine : in.objects("engines")) out.engines.push_back(read_engine(std::move(engine)));
  for (auto& device : in.objects("devices")) out.devices.push_back(read_device(std::move(device), out));
  out.batch = read_batch(in.object("batch"));
  out.dataset = read_dataset(in.object("dataset"));
  out.seeds = in.unsigned_map("seeds", {"qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed"});
  out.log = read_log(in.object("log"));
  read_server(in.object("server"), out);
  out.warmup_s = in.number("warmup_s", kDay);
  out.watchdog_s = in.number("watchdog_s", {0, 1e6});
  read_expects(in.object("expects"), out);
  in.ignore_object("record");
  in.finish();
  return out;
}

RunSpec read_run_spec(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) {
    throw Error(Status::kMissing, "cannot open " + path, std::strerror(errno),
                "run the harness through `make run_harness`");
  }
  return parse_run_spec(text.str(), path);
}

}  // namespace harness
