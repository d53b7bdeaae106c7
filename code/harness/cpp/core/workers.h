// Threads that end by themselves, or in virtual time fibers.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "core/virtual_time.h"

namespace harness {

class Workers {
 public:
  void start(std::function<void()> work) {
    VirtualTime* time = VirtualTime::current();
    if (time == nullptr) {
      threads_.emplace_back(std::move(work));
      return;
    }
    ++fibers_;
    time->start([this, time, work = std::move(work)] {
      work();
      if (--fibers_ == 0) time->wake_all(joining_);
    });
  }

  // Returns when each has ended.
  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    while (fibers_ > 0) VirtualTime::current()->wait(joining_);
  }

 private:
  std::vector<std::thread> threads_;
  size_t fibers_ = 0;
  VirtualTime::Waiters joining_;
};

}  // namespace harness
