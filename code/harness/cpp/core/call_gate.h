// Flow control of a stream that one thread submits calls to while another completes them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace harness {

// Closed, where one thread does both and nothing waits, until `open`. A call goes through enter, submitted, await and
// leave, in that order.
class CallGate {
 public:
  // From here on at most `most` calls are in flight. Call while none is.
  void open(size_t most) {
    const std::lock_guard<std::mutex> lock(mutex_);
    most_ = most;
  }
  [[nodiscard]] bool is_open() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return most_ > 0;
  }
  // Submitter, before a call's first input: waits until a slot is free.
  void enter() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (most_ == 0) return;
    changed_.wait(lock, [&] { return in_flight_ < most_; });
    ++in_flight_;
  }
  // Submitter, after `enqueue`.
  void submitted() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (most_ == 0) return;
    ++ready_;
    changed_.notify_all();
  }
  // Completer: waits until there is a call to wait for.
  void await() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (most_ == 0) return;
    changed_.wait(lock, [&] { return ready_ > 0; });
    --ready_;
  }
  // Completer, after it has read the call's outputs: its slot may be used again.
  void leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (most_ == 0) return;
    --in_flight_;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t most_ = 0;
  size_t in_flight_ = 0;  // calls that entered and have not left
  size_t ready_ = 0;      // of these, submitted and not awaited
};

}  // namespace harness
