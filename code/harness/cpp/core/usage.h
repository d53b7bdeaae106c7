// What each device did: the C++ side of devices.json (code/harness/python/devices.py).
#pragma once

#include <cstdint>
#include <string>

#include "core/lanes.h"

namespace harness {

// Writes [{"index", "name", "samples", "batches", "busy_s", "elapsed_s"}], where busy_s is the time that the device's
// streams were inside the engine, summed and divided by the streams. Only for when the lanes' threads have ended.
void write_usage(const std::string& path, const Lanes& lanes, int64_t elapsed_ns);

}  // namespace harness
