// Work per device: the C++ counterpart of devices.json (code/harness/python/devices.py).
#pragma once

#include <cstdint>
#include <string>

#include "core/lanes.h"

namespace harness {

// Writes [{"index", "name", "samples", "batches", "busy_s", "elapsed_s"}]; busy_s is the time spent in the engine,
// averaged over the device's streams. Call only after the lanes' threads have ended.
void write_usage(const std::string& path, const Lanes& lanes, int64_t elapsed_ns);

}  // namespace harness
