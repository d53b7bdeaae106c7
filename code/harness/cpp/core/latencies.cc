#include "core/latencies.h"

#include <algorithm>
#include <cmath>

#include "core/npy.h"

namespace harness {

size_t Latencies::bucket(int64_t ns) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  if (value < kSteps) return static_cast<size_t>(value);
  const int top = 63 - __builtin_clzll(value);  // value has its highest bit here, at least 4
  const uint64_t step = (value >> (top - 4)) & (kSteps - 1);
  return std::min<size_t>(static_cast<size_t>(top - 3) * kSteps + static_cast<size_t>(step), kBuckets - 1);
}

double upper_edge_ns(size_t bucket) {
  if (bucket < Latencies::kSteps) return static_cast<double>(bucket + 1);
  const auto exponent = static_cast<int>(bucket / Latencies::kSteps) + 3;
  return std::ldexp(1.0 + static_cast<double>(bucket % Latencies::kSteps + 1) / Latencies::kSteps, exponent);
}

double percentile_ns(const std::vector<uint64_t>& counts, double share) {
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  if (total == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(total) * share));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    seen += counts[i];
    if (seen >= wanted && counts[i] != 0) return upper_edge_ns(i);
  }
  return 0;
}

void write_latencies(const std::string& path, const std::vector<uint64_t>& counts) {
  std::vector<double> rows;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    rows.push_back(upper_edge_ns(i));
    rows.push_back(static_cast<double>(counts[i]));
  }
  if (!rows.empty()) write_npy(path, rows, 2);
}

}  // namespace harness
