// The thread that watches a run: progress, signals, a stuck engine, a log folder that went away.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace harness {

// What can be watched.
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
  // A count that grows whenever an engine answers, also in the middle of a sample.
  [[nodiscard]] virtual uint64_t answers() const = 0;
  // The latency in ns below which `share` of the answers lie; 0 where it is not known.
  [[nodiscard]] virtual double latency_ns(double share) const = 0;
  // The longest time a lane has been inside its engine, ns.
  [[nodiscard]] virtual int64_t longest_busy_ns(int64_t now) const = 0;
  // Each queue and lane in words.
  [[nodiscard]] virtual std::string describe(int64_t now) const = 0;
};

// Blocks SIGINT and SIGTERM for this thread and all it starts, so that only a Watch gets them. Call it before any
// thread is started.
void block_signals();

class Watch {
 public:
  // `output_dir`: the folder that must stay; "" for none. `stuck_s`: seconds without an answer after which the run is
  // given up; 0: never.
  Watch(std::string output_dir, double stuck_s);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  Watch(Watch&&) = delete;
  Watch& operator=(Watch&&) = delete;

  // The run enters `phase` ("load", "warmup", "run", "end"). What is watched is taken back with `forget` before it
  // goes.
  void enter(const std::string& phase, const Watched* watched);
  // Watches nothing any more.
  void forget();

 private:
  void work();
  void look();
  void report(int64_t now);

  std::string output_dir_;
  double stuck_s_;
  std::mutex mutex_;
  std::string phase_;
  const Watched* watched_ = nullptr;
  int64_t phase_began_ = 0;   // the phase "end" counts from the start of the run
  int64_t first_issued_ = 0;  // when samples were first seen issued
  uint64_t last_answers_ = 0;
  int64_t last_moved_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Lets a Watch forget what it watched, however a scope is left. Declare it after what is watched.
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
