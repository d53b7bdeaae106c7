#include "core/run_spec.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace harness {

namespace {

using nlohmann::json;

constexpr const char* kAfresh = "run `make run_harness` again, which writes it afresh";

// One JSON object, read key by key. `finish` refuses what was not asked for.
class Reader {
 public:
  Reader(const json& object, std::string file, std::string at) : file_(std::move(file)), at_(std::move(at)) {
    if (!object.is_object()) throw_type(at_.empty() ? "it" : at_, object, "an object");
    object_ = &object;
  }

  const json& get(const std::string& key) {
    known_.push_back(key);
    const auto found = object_->find(key);
    if (found == object_->end()) {
      std::vector<std::string> there;
      for (const auto& item : object_->items()) there.push_back(item.key());
      const std::string hit = nearest(key, there);
      const std::string like = hit.empty() ? "" : "; the nearest one there is " + name(hit);
      throw Error(Status::kUsage, file_ + " does not fit the schema", "missing: " + name(key) + like, kAfresh);
    }
    return *found;
  }

  const json* find(const std::string& key) {
    known_.push_back(key);
    const auto found = object_->find(key);
    return found == object_->end() ? nullptr : &*found;
  }

  std::string text(const std::string& key) {
    const json& value = get(key);
    if (!value.is_string()) throw_type(name(key), value, "text");
    return value.get<std::string>();
  }

  bool flag(const std::string& key) {
    const json& value = get(key);
    if (!value.is_boolean()) throw_type(name(key), value, "true or false");
    return value.get<bool>();
  }

  double number(const std::string& key, double least = 0) { return as_number(get(key), name(key), least); }

  int64_t whole(const std::string& key, int64_t least, int64_t most) {
    const json& value = get(key);
    if (!value.is_number_integer()) throw_type(name(key), value, "a whole number");
    const auto number = value.get<int64_t>();
    if (number < least || number > most) {
      throw Error(Status::kUsage, file_ + ": " + name(key) + " is " + value.dump(),
                  "it must be from " + std::to_string(least) + " to " + std::to_string(most), kAfresh);
    }
    return number;
  }

  std::vector<double> numbers(const json& value, const std::string& key) {
    if (!value.is_array()) throw_type(name(key), value, "a list of numbers");
    std::vector<double> out;
    for (const auto& item : value) out.push_back(as_number(item, name(key), 0));
    return out;
  }

  std::vector<std::string> texts(const std::string& key) {
    const json& value = get(key);
    std::vector<std::string> out;
    if (!value.is_array()) throw_type(name(key), value, "a list of text");
    for (const auto& item : value) {
      if (!item.is_string()) throw_type(name(key), item, "text");
      out.push_back(item.get<std::string>());
    }
    return out;
  }

  Reader object(const std::string& key) { return {get(key), file_, name(key)}; }

  void finish() const {
    for (const auto& item : object_->items()) {
      if (std::find(known_.begin(), known_.end(), item.key()) != known_.end()) continue;
      const std::string hit = nearest(item.key(), known_);
      throw Error(Status::kUsage, file_ + " has an unknown key " + name(item.key()),
                  hit.empty() ? "known here: " + joined(known_) : "the nearest known one is " + name(hit), kAfresh);
    }
  }

  [[nodiscard]] std::string name(const std::string& key) const { return at_.empty() ? key : at_ + "." + key; }

  [[noreturn]] void throw_type(const std::string& key, const json& value, const std::string& wanted) const {
    throw Error(Status::kUsage, file_ + ": " + key + " is " + value.type_name(), "the schema says " + wanted, kAfresh);
  }

 private:
  [[nodiscard]] double as_number(const json& value, const std::string& key, double least) const {
    if (!value.is_number()) throw_type(key, value, "a number");
    const auto number = value.get<double>();
    if (!std::isfinite(number) || number < least) {
      throw Error(Status::kUsage, file_ + ": " + key + " is " + value.dump(),
                  "it must be at least " + std::to_string(least), kAfresh);
    }
    return number;
  }

  const json* object_ = nullptr;
  std::string file_;
  std::string at_;
  std::vector<std::string> known_;
};

std::string one_of(const std::string& value, const std::vector<std::string>& known, const std::string& what,
                   const std::string& path) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  const std::string hit = nearest(value, known);
  throw Error(Status::kUsage, path + ": unknown " + what + " '" + value + "'",
              hit.empty() ? "known: " + joined(known) : "the nearest known one is '" + hit + "'", kAfresh);
}

SimulatedSpec read_simulated(Reader in, const std::string& path) {
  SimulatedSpec out;
  out.batches = in.numbers(in.get("batches"), "batches");
  out.lengths = in.numbers(in.get("lengths"), "lengths");
  const json& rows = in.get("microseconds");
  if (!rows.is_array()) in.throw_type(in.name("microseconds"), rows, "a list of lists of numbers");
  for (const auto& row : rows) out.microseconds.push_back(in.numbers(row, "microseconds"));
  if (const json* slowdown = in.find("slowdown")) out.slowdown = in.numbers(*slowdown, "slowdown");
  if (in.find("fault") != nullptr) out.fault = one_of(in.text("fault"), {"", "throw", "short", "hang"}, "fault", path);
  if (in.find("fault_after") != nullptr)
    out.fault_after = in.whole("fault_after", 0, std::numeric_limits<int64_t>::max());
  if (in.find("load_s") != nullptr) out.load_s = in.number("load_s");
  in.finish();
  const auto ascending = [](const std::vector<double>& values) {
    return !values.empty() && std::is_sorted(values.begin(), values.end());
  };
  const bool right_rows = std::all_of(out.microseconds.begin(), out.microseconds.end(),
                                      [&](const auto& row) { return row.size() == out.lengths.size(); });
  if (!ascending(out.batches) || !ascending(out.lengths) || out.microseconds.size() != out.batches.size() ||
      !right_rows) {
    throw Error(Status::kUsage, path + ": engine.simulated is no table",
                "batches and lengths ascend, and microseconds has a row for each batch with a number for each length",
                kAfresh);
  }
  return out;
}

EngineSpec read_engine(Reader in, const std::string& path) {
  EngineSpec out;
  out.backend = in.text("backend");
  out.folder = in.text("folder");
  out.precision = in.text("precision");
  out.streams = static_cast<int>(in.whole("streams", 1, 4096));
  out.threads = static_cast<int>(in.whole("threads", 0, 65536));
  const json& devices = in.get("devices");
  if (!devices.is_array()) in.throw_type(in.name("devices"), devices, "a list");
  for (const auto& item : devices) {
    Reader device(item, path, "engine.devices[]");
    DeviceSpec spec;
    spec.index = static_cast<int>(device.whole("index", 0, 4096));
    for (const double core : device.numbers(device.get("cores"), "cores")) spec.cores.push_back(static_cast<int>(core));
    device.finish();
    out.devices.push_back(std::move(spec));
  }
  if (out.devices.empty()) out.devices.emplace_back();
  if (in.find("simulated") != nullptr) out.simulated = read_simulated(in.object("simulated"), path);
  in.finish();
  return out;
}

BatchSpec read_batch(Reader in) {
  BatchSpec out;
  out.max_samples = static_cast<size_t>(in.whole("max_samples", 1, 1 << 20));
  out.timeout_us = in.number("timeout_us");
  out.padding = in.number("padding");
  in.finish();
  return out;
}

void read_volumes(Reader& in, DatasetSpec& out, const std::string& path) {
  out.folder = in.text("folder");
  out.cases = in.texts("cases");
  if (out.cases.size() != out.count) {
    throw Error(Status::kUsage, path + ": dataset.cases has " + std::to_string(out.cases.size()) + " names",
                "dataset.count is " + std::to_string(out.count), kAfresh);
  }
  for (const double extent : in.numbers(in.get("roi"), "roi")) out.roi.push_back(static_cast<size_t>(extent));
  if (out.roi.size() != 3 || *std::min_element(out.roi.begin(), out.roi.end()) < 1) {
    in.throw_type("dataset.roi", in.get("roi"), "three extents of at least 1");
  }
  out.overlap = in.number("overlap");
  out.sigma = in.number("sigma");
  if (out.overlap >= 1 || out.sigma <= 0) {
    throw Error(Status::kUsage, path + ": dataset.overlap or dataset.sigma is out of range",
                "overlap is from 0 to below 1, sigma above 0", kAfresh);
  }
  out.windows_per_batch = static_cast<size_t>(in.whole("windows_per_batch", 1, 1 << 16));
  out.input = in.text("input");
  out.outputs = {in.text("output")};
}

DatasetSpec read_dataset(Reader in, const std::string& path) {
  DatasetSpec out;
  out.kind = one_of(in.text("kind"), {"sequence", "synthetic", "volume"}, "kind of data set", path);
  out.count = static_cast<size_t>(in.whole("count", 1, std::numeric_limits<int32_t>::max()));
  static_cast<void>(in.find("usual_count"));  // the caller's: LoadGen's settings were made with it
  if (out.kind == "sequence") {
    out.folder = in.text("folder");
    const json& arrays = in.get("arrays");
    if (!arrays.is_object()) in.throw_type(in.name("arrays"), arrays, "an object");
    for (const auto& item : arrays.items()) {
      if (!item.value().is_string()) in.throw_type(in.name("arrays"), item.value(), "text");
      out.arrays.emplace_back(item.key(), item.value().get<std::string>());
    }
    out.lengths = in.text("lengths");
    out.outputs = in.texts("outputs");
    out.input_dtype = one_of(in.text("input_dtype"), {"int32", "int64"}, "input_dtype", path);
    if (in.find("pad_to_multiple_of") != nullptr)
      out.pad_to_multiple_of = static_cast<size_t>(in.whole("pad_to_multiple_of", 1, 65536));
  } else if (out.kind == "volume") {
    read_volumes(in, out, path);
  } else {
    for (const double length : in.numbers(in.get("lengths"), "lengths")) {
      out.synthetic_lengths.push_back(static_cast<int32_t>(std::clamp(length, 1.0, 1e9)));
    }
    if (out.synthetic_lengths.empty()) in.throw_type(in.name("lengths"), in.get("lengths"), "at least one length");
    out.outputs = in.texts("outputs");
  }
  in.finish();
  return out;
}

std::map<std::string, uint64_t> read_seeds(const Reader& in, const json& seeds) {
  std::map<std::string, uint64_t> out;
  const std::vector<std::string> known = {"qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed"};
  for (const auto& item : seeds.items()) {
    one_of(item.key(), known, "seed", "run.json");
    if (!item.value().is_number_integer()) in.throw_type("seeds." + item.key(), item.value(), "a whole number");
    out[item.key()] = item.value().get<uint64_t>();
  }
  return out;
}

void read_fields(const json& fields, RunSpec& out) {
  for (const auto& item : fields.items()) {
    const json& value = item.value();
    if (value.is_boolean()) out.number_fields[item.key()] = value.get<bool>() ? 1 : 0;
    if (value.is_number()) out.number_fields[item.key()] = value.get<double>();
    if (value.is_string()) out.text_fields[item.key()] = value.get<std::string>();
  }
  const auto text = [&](const char* name) {
    const auto found = out.text_fields.find(name);
    return found == out.text_fields.end() ? std::string() : found->second;
  };
  out.engine.use_graphs = out.field("use_graphs", 0) != 0;
  out.engine.graph_specs = text("graph_specs");
  out.engine.graphs_max_length = static_cast<int>(out.field("graphs_max_seqlen", 0));
  out.engine.start_from_device = out.field("start_from_device", 0) != 0;
  out.engine.windows_on_device = out.field("sliding_window_on_device", 1) != 0;
  out.engine.windows_must_be_there = out.field("sliding_window_on_device", 0) != 0;
  out.engine.version_compatible = out.field("version_compatible", 0) != 0;
  out.engine.max_samples = out.batch.max_samples;
}

}  // namespace

double RunSpec::field(const std::string& name, double otherwise) const {
  const auto found = number_fields.find(name);
  return found == number_fields.end() ? otherwise : found->second;
}

RunSpec parse_run_spec(const std::string& text, const std::string& path) {
  json content;
  try {
    content = json::parse(text);
  } catch (const json::parse_error& error) {
    throw Error(Status::kUsage, path + " is no JSON", error.what(), kAfresh);
  }
  Reader in(content, path, "");
  const json& schema = in.get("schema");
  if (!schema.is_number_integer() || schema.get<int>() != kSchema) {
    throw Error(Status::kUsage, path + " has schema " + schema.dump(),
                "this harness reads schema " + std::to_string(kSchema), kAfresh);
  }
  RunSpec out;
  out.benchmark = in.text("benchmark");
  out.scenario = one_of(in.text("scenario"), {"Offline", "Server", "SingleStream", "MultiStream"}, "scenario", path);
  out.test_mode = one_of(in.text("test_mode"), {"PerformanceOnly", "AccuracyOnly"}, "test_mode", path);
  out.output_dir = in.text("output_dir");
  out.user_conf = in.text("user_conf");
  out.audit_conf = in.text("audit_conf");
  out.engine = read_engine(in.object("engine"), path);
  out.batch = read_batch(in.object("batch"));
  out.dataset = read_dataset(in.object("dataset"), path);
  const json& seeds = in.get("seeds");
  if (!seeds.is_object()) in.throw_type("seeds", seeds, "an object");
  out.seeds = read_seeds(in, seeds);
  Reader log = in.object("log");
  out.enable_trace = log.flag("enable_trace");
  out.copy_summary_to_stdout = log.flag("copy_summary_to_stdout");
  log.finish();
  out.issue_threads = static_cast<int>(in.whole("issue_threads", 0, 1024));
  out.warmup_s = in.number("warmup_s");
  out.watchdog_s = in.number("watchdog_s");
  const json& fields = in.get("fields");
  if (!fields.is_object()) in.throw_type("fields", fields, "an object");
  read_fields(fields, out);
  in.finish();
  return out;
}

RunSpec read_run_spec(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) {
    throw Error(Status::kMissing, "no " + path, std::strerror(errno), "run the harness through `make run_harness`");
  }
  return parse_run_spec(text.str(), path);
}

}  // namespace harness
