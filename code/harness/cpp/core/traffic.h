// What batches to a node cost besides the node's own time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace harness {

// Sums over the answers of a device. Any thread may add.
class Traffic {
 public:
  // `whole_ns` from the request's sending, or from the lane's last answer where that came later, to the answer's
  // arrival; `held_ns` of that the node computed.
  void add(int64_t whole_ns, int64_t held_ns, uint64_t bytes) {
    answers_.fetch_add(1, std::memory_order_relaxed);
    network_ns_.fetch_add(std::max<int64_t>(0, whole_ns - held_ns), std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }

  [[nodiscard]] uint64_t answers() const { return answers_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] int64_t network_ns() const { return network_ns_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> answers_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<int64_t> network_ns_{0};
};

}  // namespace harness
