// LoadGen's settings, and the memory that they will cost.
#pragma once

#include <cstdint>
#include <string>

#include "core/run_spec.h"
#include "test_settings.h"

namespace harness {

// run.json's settings: user.conf read by LoadGen itself (which reads its own mlperf.conf first), then seeds and issue
// threads. Once per process: LoadGen notes a second reading as invalid. Throws Error.
mlperf::TestSettings read_settings(const RunSpec& spec);

// run.json's log: where LoadGen logs and how.
mlperf::LogSettings read_log_settings(const RunSpec& spec);

// Samples LoadGen will have records of, all made before the test begins. Source: LoadGen's TestSettingsInternal and
// GenerateQueries.
double expected_samples(const RunSpec& spec, const mlperf::TestSettings& settings);

// Bytes of LoadGen's records for each sample: measured 0.3 kB (Offline) to 0.45 kB (one query per sample).
constexpr double kBytesPerSample = 450;

// Bytes this process may still take, from /proc/meminfo; 0 where it cannot be told.
double available_memory(const std::string& meminfo = "/proc/meminfo");

// Throws Error (kUsage) when `samples` records need more than `available` bytes; warns on stderr when more than half.
void check_memory(double samples, double available);

}  // namespace harness
