// LoadGen's settings and the memory that they require.
#pragma once

#include <cstdint>
#include <string>

#include "core/run_spec.h"
#include "scenarios/sut.h"
#include "test_settings.h"

namespace harness {

// Test settings: LoadGen reads its built-in mlperf.conf and then user.conf; seeds and issue threads come from run.json.
// Call once per process: LoadGen marks a second reading as invalid. Throws Error.
mlperf::TestSettings read_settings(const RunSpec& spec);

// Server's latency constraint; no query may be put off unless run.json's `soft_drop` allows it.
ServerBound server_bound(const RunSpec& spec, const mlperf::TestSettings& settings);

// LogSettings from run.json's `log`.
mlperf::LogSettings read_log_settings(const RunSpec& spec);

// Samples for which LoadGen allocates records before the test starts. Source: LoadGen's TestSettingsInternal and
// GenerateQueries.
double expected_samples(const RunSpec& spec, const mlperf::TestSettings& settings);

// LoadGen's record size per sample, bytes: measured 0.3 kB (Offline) to 0.45 kB (one query per sample).
constexpr double kBytesPerSample = 450;

// MemAvailable from /proc/meminfo, in bytes; 0 when it cannot be read.
double available_memory(const std::string& meminfo = "/proc/meminfo");

// Throws Error (kUsage) when `samples` records need more than `available` bytes; warns on stderr when more than half.
void check_memory(double samples, double available);

}  // namespace harness
