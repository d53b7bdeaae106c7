// Watchdog thread of a run: progress reports, signals, a stuck engine, a removed log folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace harness {

// Interface of an object that a Watch observes.
class Watched {
 public:
  Watched() = default;
  virtual ~Watched() = default;
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  Watched(Watched&&) = delete;
  Watched& operator=(Watched&&) = delete;

  [[nodiscard]] virtual uint64_t issued() const = 0;
  [[nodiscard]] virtual uint64_t completed() const = 0;
  // The share of the issued work that is done, 0 to 1; 0 where it is not known. Long samples are answered first, so
  // that a share of the samples says little about the time that is left.
  [[nodiscard]] virtual double work_share() const { return 0; }
  // A count that grows with every engine answer, including those in the middle of a sample.
  [[nodiscard]] virtual uint64_t answers() const = 0;
  // The latency percentile at `share` (0 to 1), in ns; 0 where unknown.
  [[nodiscard]] virtual double latency_ns(double share) const = 0;
  // The longest time any lane has been in its current engine call, ns.
  [[nodiscard]] virtual int64_t longest_busy_ns(int64_t now) const = 0;
  // State of each queue and lane as text, for the error message.
  [[nodiscard]] virtual std::string describe(int64_t now) const = 0;
};

// Has the kernel kill this process when the launcher ends, however that ends. The launcher gives its process ID in
// HARNESS_PARENT_PID; without it nothing happens. See code/common/parent.py.
void end_with_launcher();

// Blocks SIGINT and SIGTERM for this thread and all it starts, so that only a Watch receives them. Call it before
// starting any thread.
void block_signals();

class Watch {
 public:
  static constexpr int kPatience = 10;

  // `output_dir`: the run fails when this folder disappears; "": not checked. `stuck_s`: the run fails after this many
  // seconds without an answer, and after kPatience times as many while it loads, or while LoadGen neither asks nor logs
  // anything; 0: never. The Python harness has the same rule: code/harness/python/watch.py.
  Watch(std::string output_dir, double stuck_s);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  Watch(Watch&&) = delete;
  Watch& operator=(Watch&&) = delete;

  // Enters `phase` ("load", "probe", "warmup", "run", "end") and observes `watched`; call `forget` before destroying
  // it.
  void enter(const std::string& phase, const Watched* watched);
  // Stops observing.
  void forget();

 private:
  void work();
  void look();
  void look_at_engine(int64_t now);
  void look_at_loadgen(int64_t now);
  void report(int64_t now);

  std::string output_dir_;
  double stuck_s_;
  std::mutex mutex_;
  std::string phase_;
  const Watched* watched_ = nullptr;
  int64_t phase_began_ = 0;   // phase "end" keeps the start of "run"
  int64_t first_issued_ = 0;  // when issued samples were first seen
  uint64_t last_answers_ = 0;
  int64_t last_moved_ = 0;
  uint64_t last_progress_ = 0;  // of LoadGen: samples and bytes of its logs; 0 while an answer is due
  int64_t rests_since_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Calls Watch::forget on scope exit. Declare it after the observed object.
class Forgets {
 public:
  explicit Forgets(Watch& watch) : watch_(watch) {}
  ~Forgets() { watch_.forget(); }
  Forgets(const Forgets&) = delete;
  Forgets& operator=(const Forgets&) = delete;
  Forgets(Forgets&&) = delete;
  Forgets& operator=(Forgets&&) = delete;

 private:
  Watch& watch_;
};

}  // namespace harness
