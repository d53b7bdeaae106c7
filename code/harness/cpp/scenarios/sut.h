// System under test: receives LoadGen's queries and feeds the lanes. One class per arrival pattern.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/lanes.h"
#include "core/run_spec.h"
#include "core/watch.h"
#include "core/workers.h"
#include "query_sample.h"

namespace harness {

class Sut : public Watched {
 public:
  explicit Sut(Lanes& lanes) : lanes_(lanes) {}

  // LoadGen's IssueQuery and FlushQueries.
  void issue(const mlperf::QuerySample* samples, size_t count) {
    issued_.fetch_add(count, std::memory_order_relaxed);
    accept(samples, count);
  }
  virtual void flush() {}
  // Ends the lanes' threads after the test.
  virtual void close() {}

  [[nodiscard]] uint64_t issued() const override { return issued_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t completed() const override;
  [[nodiscard]] uint64_t answers() const override;
  // Samples times the longest sample of their batch, of all answered batches.
  [[nodiscard]] uint64_t work() const;
  [[nodiscard]] double latency_ns(double share) const override;
  [[nodiscard]] int64_t longest_busy_ns(int64_t now) const override;
  [[nodiscard]] std::string describe(int64_t now) const override;

 protected:
  virtual void accept(const mlperf::QuerySample* samples, size_t count) = 0;
  // Samples queued for `device`.
  [[nodiscard]] virtual size_t waiting(size_t device) const = 0;
  [[nodiscard]] Lanes& lanes() { return lanes_; }
  // Starts the threads of each lane from index `first` on; each answers batches of its source.
  void start(size_t first, const std::vector<BatchSource*>& source_of_lane);
  void join() { workers_.join(); }

 private:
  Lanes& lanes_;
  std::atomic<uint64_t> issued_{0};
  Workers workers_;
};

// Server's latency constraint.
struct ServerBound {
  int64_t latency_ns = 0;  // 0: none
  double must_hold = 1;    // share of queries that must meet it, 0 to 1
};

// The SUT for run.json's scenario. `lanes` and `dataset` must outlive it.
std::unique_ptr<Sut> make_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes, const Dataset& dataset);

// SingleStream, and MultiStream on one lane: answered on LoadGen's own thread.
std::unique_ptr<Sut> make_inline_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset);
// Offline, and MultiStream on several lanes: one sorted list that lanes take batches from in turn.
std::unique_ptr<Sut> make_sorted_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset);
// Server: a queue per device, chosen by load.
std::unique_ptr<Sut> make_server_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes,
                                     const Dataset& dataset);

}  // namespace harness
