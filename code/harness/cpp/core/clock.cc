#include "core/clock.h"

#include <ctime>

namespace harness {

void sleep_until_ns(int64_t ns) {
  if (VirtualTime* time = VirtualTime::current()) {
    time->sleep_until(ns);
    return;
  }
  timespec until{};
  until.tv_sec = ns / 1'000'000'000;
  until.tv_nsec = ns % 1'000'000'000;
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

}  // namespace harness
