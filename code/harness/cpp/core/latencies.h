// Running latency percentiles: a histogram with logarithmic buckets.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

// One thread adds, any thread reads. Buckets are 1/16 of a power of two wide: percentiles are accurate to about 6 %.
class Latencies {
 public:
  void add(int64_t ns) {
    auto& count = counts_.at(bucket(ns));
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Adds this object's counts to `total`, which has kBuckets entries.
  void add_to(std::vector<uint64_t>& total) const {
    for (size_t i = 0; i < kBuckets; ++i) total[i] += counts_.at(i).load(std::memory_order_relaxed);
  }

  static constexpr size_t kSteps = 16;
  static constexpr size_t kBuckets = 64 * kSteps;

 private:
  static size_t bucket(int64_t ns);

  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
};

// The upper edge of a bucket, in ns.
double upper_edge_ns(size_t bucket);

// The percentile at `share` (0 to 1), in ns: the upper edge of its bucket; 0 when nothing was counted.
double percentile_ns(const std::vector<uint64_t>& counts, double share);

// Writes the buckets that counted something as a float64 array [buckets, 2]: upper edge in ns, count. Nothing where
// none did. Throws Error (kFailed).
void write_latencies(const std::string& path, const std::vector<uint64_t>& counts);

}  // namespace harness
