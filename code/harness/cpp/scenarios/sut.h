// What stands between LoadGen's queries and the lanes. One class for each way a scenario's queries arrive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/dataset.h"
#include "core/lanes.h"
#include "core/run_spec.h"
#include "core/watch.h"
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
  // The test is over; the lanes' threads end.
  virtual void close() {}

  [[nodiscard]] uint64_t issued() const override { return issued_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t completed() const override;
  [[nodiscard]] uint64_t answers() const override;
  [[nodiscard]] double latency_ns(double share) const override;
  [[nodiscard]] int64_t longest_busy_ns(int64_t now) const override;
  [[nodiscard]] std::string describe(int64_t now) const override;

 protected:
  virtual void accept(const mlperf::QuerySample* samples, size_t count) = 0;
  // Samples that wait before device `device`.
  [[nodiscard]] virtual size_t waiting(size_t device) const = 0;
  [[nodiscard]] Lanes& lanes() { return lanes_; }
  // Starts a thread for each lane from `first` on, which answers batches of that lane's source.
  void start(size_t first, const std::vector<BatchSource*>& source_of_lane);
  void join();

 private:
  Lanes& lanes_;
  std::atomic<uint64_t> issued_{0};
  std::vector<std::thread> threads_;
};

// What decides how a scenario's batches are made, besides the batch fields of run.json.
struct ServerBound {
  int64_t latency_ns = 0;  // 0: none
  double must_hold = 1;    // share of queries that must meet it
};

// The SUT of run.json's scenario. `lanes` and `dataset` outlive it.
std::unique_ptr<Sut> make_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes, const Dataset& dataset);

// SingleStream, and MultiStream on one lane: answered on LoadGen's own thread.
std::unique_ptr<Sut> make_inline_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset);
// Offline, and MultiStream on several lanes: one sorted list that lanes take batches from in turn.
std::unique_ptr<Sut> make_sorted_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset);
// Server: a queue per device, chosen by load.
std::unique_ptr<Sut> make_server_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes,
                                     const Dataset& dataset);

}  // namespace harness
