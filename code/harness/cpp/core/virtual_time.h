// Virtual time: the code of many threads as fibers of one, on a clock that jumps to the next event when all of them
// wait. A run of ten minutes then takes as long as its computations, and every run of it is the same.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <queue>
#include <random>
#include <vector>

namespace harness {

// While `run` is active, `current` is set: clocks, conditions and workers of this process (core/clock.h,
// core/condition.h, core/workers.h) then belong to its fibers. Only the thread that called `run` may use them.
class VirtualTime {
 public:
  class Fiber;
  // Fibers that wait for one condition, the longest-waiting first.
  using Waiters = std::deque<Fiber*>;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Args: waking_ns: how late a waiting thread wakes up on average, which is drawn each time. Without it devices that
  // take the same times over and over stay in step, as no real ones do.
  explicit VirtualTime(double waking_ns = 0);
  ~VirtualTime();
  VirtualTime(const VirtualTime&) = delete;
  VirtualTime& operator=(const VirtualTime&) = delete;
  VirtualTime(VirtualTime&&) = delete;
  VirtualTime& operator=(VirtualTime&&) = delete;

  // The time that runs at present, nullptr where the machine's does.
  static VirtualTime* current() { return current_; }

  // Runs `body` and every fiber started meanwhile until all have ended, from 1 ns on. Rethrows what `body` throws.
  // Throws Error (kFailed) where all of them wait for one another. Not to be called from a fiber.
  void run(std::function<void()> body);

  [[nodiscard]] int64_t now() const { return now_; }
  // A new fiber, which starts when the caller waits.
  void start(std::function<void()> body);
  void sleep_until(int64_t until);
  // The caller computes for `ns`; others may run meanwhile.
  void spend(int64_t ns);
  // Waits among `waiters` until woken, or until that time.
  void wait(Waiters& waiters, int64_t until = kNever);
  void wake_one(Waiters& waiters);
  void wake_all(Waiters& waiters);

 private:
  struct Timer {
    int64_t at;
    uint64_t order;   // of timers with the same time
    uint64_t ticket;  // of the fiber's wait; another one by now: it was woken before
    Fiber* fiber;
    bool operator>(const Timer& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  static void enter();
  void ended();
  // Gives the processor to the next fiber that may run.
  void yield();
  Fiber* next();
  bool drop_stale();
  void pass_until(int64_t ns);
  // How late the next one to wake up does, ns.
  int64_t late();

  static VirtualTime* current_;

  int64_t now_ = 1;  // 0 stands for "never" in many places
  double waking_ns_;
  // A simulation always gives the same answer.
  // NOLINTNEXTLINE(bugprone-random-generator-seed,cert-msc32-c,cert-msc51-cpp)
  std::mt19937_64 draws_{1};
  uint64_t orders_ = 0;
  size_t alive_ = 0;
  bool stuck_ = false;
  Fiber* running_ = nullptr;
  std::unique_ptr<Fiber> outside_;  // the caller of `run`
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::deque<Fiber*> ready_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace harness
