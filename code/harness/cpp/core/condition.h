// A condition variable of threads, or in virtual time of fibers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/clock.h"
#include "core/virtual_time.h"

namespace harness {

// As std::condition_variable, with times in ns of core/clock.h.
class Condition {
 public:
  void wait(std::unique_lock<std::mutex>& lock) {
    if (VirtualTime* time = VirtualTime::current()) {
      in_virtual(*time, lock, VirtualTime::kNever);
    } else {
      changed_.wait(lock);
    }
  }

  template <typename Predicate>
  void wait(std::unique_lock<std::mutex>& lock, Predicate holds) {
    while (!holds()) wait(lock);
  }

  void wait_until(std::unique_lock<std::mutex>& lock, int64_t ns) {
    if (VirtualTime* time = VirtualTime::current()) {
      in_virtual(*time, lock, ns);
    } else {
      changed_.wait_until(lock, at_ns(ns));
    }
  }

  void notify_one() {
    if (VirtualTime* time = VirtualTime::current()) {
      time->wake_one(waiters_);
    } else {
      changed_.notify_one();
    }
  }

  void notify_all() {
    if (VirtualTime* time = VirtualTime::current()) {
      time->wake_all(waiters_);
    } else {
      changed_.notify_all();
    }
  }

 private:
  void in_virtual(VirtualTime& time, std::unique_lock<std::mutex>& lock, int64_t until) {
    lock.unlock();
    time.wait(waiters_, until);
    lock.lock();
  }

  std::condition_variable changed_;
  VirtualTime::Waiters waiters_;
};

}  // namespace harness
