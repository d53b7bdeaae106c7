// When batches were computed, for the report page: the C++ side of batches.npy (code/harness/python/recordings.py).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

// The batches one lane answered. Past kMost it keeps every second, fourth, … one, so that its memory is bounded.
class BatchLog {
 public:
  // Begin and end (ns on the monotonic clock), samples, longest sample.
  struct Entry {
    int64_t begin;
    int64_t end;
    uint32_t samples;
    int32_t longest;
  };

  void add(const Entry& entry) {
    if (seen_++ % stride_ != 0) return;
    if (entries_.size() == kMost) thin();
    entries_.push_back(entry);
  }

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  static constexpr size_t kMost = size_t{1} << 16;

 private:
  void thin();

  std::vector<Entry> entries_;
  uint64_t seen_ = 0;
  uint64_t stride_ = 1;
};

// A lane's log, and its device's index in run.json.
struct DeviceLog {
  const BatchLog* log;
  int64_t device;
};

// Writes logs as one .npy, float64 [batches, 5]: begin and end in seconds after `start_ns`, samples, longest sample,
// device; ordered by end. Written to a temporary file and renamed. Throws Error (kFailed).
void write_batches(const std::string& path, int64_t start_ns, const std::vector<DeviceLog>& logs);

}  // namespace harness
