// The Server scenario's queue: queries wait in length classes until a batch closes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "core/condition.h"
#include "core/cost_model.h"

namespace harness {

// When batches close and which queries may wait.
struct QueuePolicy {
  size_t limit = 1;        // most samples in a batch
  double padding = 0;      // as in `cut_batches`
  int64_t timeout_ns = 0;  // how long a lane lets a batch fill; 0: it takes what is queued
  int64_t bound_ns = 0;    // target latency; 0: no target
  double must_hold =
      1;  // share of queries that must meet the bound; late queries beyond it wait until the queue is otherwise empty
};

// One device's queue. A batch closes when it is full, after the timeout, or at the latest time at which the oldest
// query can still meet its target latency, whichever is first. Without a timeout, a lane that computes nothing takes
// what is queued, and one that computes waits for a full batch. A batch holds the oldest query and others of similar
// length. Where full batches take a large share of the target latency, it holds as many as save time on the device, by
// what its batches have cost so far, and let the oldest one meet its target latency.
class ArrivalQueue : public BatchSource {
 public:
  // `lengths` must outlive the object.
  ArrivalQueue(const std::vector<int32_t>& lengths, QueuePolicy policy);

  // Queries have arrived at `now`. Thread-safe.
  void put(const uintptr_t* ids, const uint32_t* samples, size_t count, int64_t now);
  // LoadGen has issued all queries (FlushQueries): batches close at once from here on.
  void flush();
  // Nothing more will arrive; `take` returns kClosed once the queue is empty.
  void close();

  Taken take(Batch& batch, const Asks& asks) override;
  void answered(const Batch& batch, int64_t service_ns) override;
  void idle() override;

  // Sum of the lengths of all queries that are queued or being computed; the load balancer's measure.
  [[nodiscard]] int64_t load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // Queries deferred because they can no longer meet the bound.
  [[nodiscard]] uint64_t put_off() const { return put_off_.load(std::memory_order_relaxed); }

 private:
  struct Query {
    uintptr_t id;
    int64_t arrived;
    uint32_t sample;
  };

  // First in, first out; memory is reused.
  class Fifo {
   public:
    [[nodiscard]] bool empty() const { return head_ == items_.size(); }
    [[nodiscard]] size_t size() const { return items_.size() - head_; }
    [[nodiscard]] const Query& at(size_t place) const { return items_[head_ + place]; }
    [[nodiscard]] const Query& front() const { return items_[head_]; }
    void push(const Query& query) { items_.push_back(query); }
    void pop();

   private:
    std::vector<Query> items_;
    size_t head_ = 0;
  };

  void classify();
  [[nodiscard]] size_t oldest_class() const;
  [[nodiscard]] int64_t close_at(const Query& oldest) const;
  // The latest time at which a batch with this query can start and still meet the target latency.
  [[nodiscard]] int64_t deadline(const Query& oldest) const;
  // Whether a lane that computes keeps waiting for a full batch; sleeps if so.
  bool waits_for_more(std::unique_lock<std::mutex>& lock, const Asks& asks);
  // Calls `use(class, place)` for the queries that may be in a batch with the oldest of class `first`: those of the
  // class itself, then of its neighbours, nearest first, while their oldest are within the padding.
  template <typename Use>
  void candidates(size_t first, const Use& use) const;
  // How many of them make a batch.
  [[nodiscard]] size_t size_for(size_t first, int64_t now);
  void put_off_hopeless(int64_t now);
  void cut(Batch& batch, size_t first, int64_t now);
  void add(Batch& batch, Fifo& from);
  [[nodiscard]] bool hurried() const { return closed_ || flushed_; }
  void sleep(std::unique_lock<std::mutex>& lock, int64_t until_ns);

  const std::vector<int32_t>& lengths_;
  QueuePolicy policy_;
  std::vector<uint16_t> class_of_length_;
  std::vector<Fifo> classes_;  // shortest first; each spans lengths within `padding` of one another
  std::vector<int32_t> tops_;  // greatest length of each class
  Fifo late_;
  size_t late_count_ = 0;
  uint64_t arrived_count_ = 0;
  mutable std::mutex mutex_;
  Condition changed_;
  Condition busy_changed_;
  size_t busy_ = 0;      // lanes asleep that compute and want a full batch
  size_t idle_ = 0;      // lanes asleep because the queue is empty
  size_t filling_ = 0;   // lanes asleep while a batch fills
  bool polled_ = false;  // a lane polls, so arrivals need not wake one
  bool closed_ = false;
  bool flushed_ = false;
  CostModel costs_;
  std::vector<int32_t> candidates_;                // lengths
  std::vector<std::pair<size_t, size_t>> chosen_;  // class, and how many of it
  std::atomic<int64_t> load_{0};
  std::atomic<size_t> waiting_{0};
  std::atomic<uint64_t> put_off_{0};
};

}  // namespace harness
