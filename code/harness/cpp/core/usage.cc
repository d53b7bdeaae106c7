#include "core/usage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/traffic.h"

namespace harness {

namespace {

nlohmann::json usage_of(const Lanes& lanes, size_t device, int64_t elapsed_ns) {
  uint64_t samples = 0;
  uint64_t batches = 0;
  int64_t busy_ns = 0;
  int64_t streams = 0;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (lanes.lane(i).device() != device) continue;
    const LaneState& state = lanes.lane(i).state();
    samples += state.completed.load();
    batches += state.batches.load();
    busy_ns += state.busy_ns.load();
    ++streams;
  }
  const int64_t share = std::min(busy_ns / std::max<int64_t>(streams, 1), elapsed_ns);
  nlohmann::json out = {{"index", lanes.device(device).index},
                        {"name", lanes.device(device).name},
                        {"samples", samples},
                        {"batches", batches},
                        {"busy_s", static_cast<double>(share) / 1e9},
                        {"elapsed_s", static_cast<double>(elapsed_ns) / 1e9}};
  if (const Traffic* traffic = lanes.engine(device).traffic()) {
    out["network_s"] = static_cast<double>(traffic->network_ns() / std::max<int64_t>(streams, 1)) / 1e9;
    out["received_bytes"] = traffic->bytes();
  }
  return out;
}

}  // namespace

void write_usage(const std::string& path, const Lanes& lanes, int64_t elapsed_ns) {
  nlohmann::json out = nlohmann::json::array();
  for (size_t device = 0; device < lanes.devices(); ++device) out.push_back(usage_of(lanes, device, elapsed_ns));
  write_whole(path, out.dump(4) + "\n");
}

}  // namespace harness
