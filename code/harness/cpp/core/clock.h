// One clock for arrivals, deadlines and progress: the machine's, or virtual time where a simulation runs in it.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/virtual_time.h"

namespace harness {

// Nanoseconds on the monotonic clock, or of virtual time.
inline int64_t now_ns() {
  if (const VirtualTime* time = VirtualTime::current()) return time->now();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline std::chrono::steady_clock::time_point at_ns(int64_t ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
}

// Returns at that time of the same clock, or at once where it has passed.
void sleep_until_ns(int64_t ns);

// In virtual time, the caller has computed for `ns`; computing takes its own time on the machine's clock.
inline void computed_ns(int64_t ns) {
  if (VirtualTime* time = VirtualTime::current()) time->spend(ns);
}

}  // namespace harness
