// How many samples arrived and were answered in each interval of a test: the load and the queue over time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

// Counts of one lane. Intervals are 2^27 ns (134 ms) wide at first; past kMost of them neighbours are joined, so that
// its memory is bounded. They begin at multiples of their width, and so those of several lanes can be added.
class Intervals {
 public:
  struct Count {
    uint64_t arrived;
    uint64_t answered;
  };

  void arrived(int64_t ns) { ++at(ns).arrived; }
  void answered(int64_t ns, uint64_t samples) { at(ns).answered += samples; }

  // Adds the counts of `other`.
  void add(const Intervals& other);

  [[nodiscard]] const std::vector<Count>& counts() const { return counts_; }
  // When an interval begins, ns.
  [[nodiscard]] int64_t begin_ns(size_t interval) const {
    return static_cast<int64_t>(static_cast<uint64_t>(first_ + static_cast<int64_t>(interval)) << shift_);
  }

  static constexpr size_t kMost = 4096;
  static constexpr int kShift = 27;

 private:
  Count& at(int64_t ns) {
    const int64_t place = (ns >> shift_) - first_;
    if (place >= 0 && static_cast<size_t>(place) < counts_.size()) return counts_[static_cast<size_t>(place)];
    return beyond(ns);
  }
  Count& beyond(int64_t ns);
  void join();

  std::vector<Count> counts_;
  int64_t first_ = 0;  // number of the first interval
  int shift_ = kShift;
};

// Writes the sum of logs as a float64 array [intervals, 4]: begin and end in seconds after `start_ns`, samples that
// arrived, samples that were answered. Nothing where no sample had an arrival time. Throws Error (kFailed).
void write_intervals(const std::string& path, int64_t start_ns, const std::vector<const Intervals*>& logs);

}  // namespace harness
