// Server's queue: queries wait here, by length, until a batch closes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/batch.h"

namespace harness {

// When batches close and which queries may wait.
struct QueuePolicy {
  size_t limit = 1;        // most samples in a batch
  double padding = 0;      // as in `cut_batches`
  int64_t timeout_ns = 0;  // how long a lane lets a batch fill; 0: it takes what is there
  int64_t bound_ns = 0;    // target latency; 0: none
  double must_hold =
      1;  // share of queries that must meet the bound; hopelessly late ones beyond it wait until nothing else does
};

// One device's queue. A batch closes when it is full, or at the deadline that the oldest query's target latency leaves
// after the time the batch is expected to take, or after the timeout, whichever is first. The oldest query is always in
// it, with others near its length.
class ArrivalQueue : public BatchSource {
 public:
  // `lengths` of the data set's samples outlive the object.
  ArrivalQueue(const std::vector<int32_t>& lengths, QueuePolicy policy);

  // Queries have arrived at `now`. Thread-safe.
  void put(const uintptr_t* ids, const uint32_t* samples, size_t count, int64_t now);
  // No more will arrive soon: batches close at once from here on.
  void flush();
  // No more will ever arrive; lanes are let go once the queue is empty.
  void close();

  Taken take(Batch& batch, bool wait) override;
  void answered(const Batch& batch, int64_t service_ns) override;

  // Lengths of all queries that are waiting or being computed, added up. What work is shared out by.
  [[nodiscard]] int64_t load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // Queries that were put off as hopelessly late.
  [[nodiscard]] uint64_t put_off() const { return put_off_.load(std::memory_order_relaxed); }

 private:
  struct Query {
    uintptr_t id;
    int64_t arrived;
    uint32_t sample;
  };

  // First in, first out, in memory that is used again.
  class Fifo {
   public:
    [[nodiscard]] bool empty() const { return head_ == items_.size(); }
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
  [[nodiscard]] int64_t expected_ns(size_t samples, int32_t longest) const;
  void put_off_hopeless(int64_t now);
  void cut(Batch& batch, size_t first);
  void add(Batch& batch, Fifo& from);
  [[nodiscard]] bool hurried() const { return closed_ || flushed_; }
  void sleep(std::unique_lock<std::mutex>& lock, int64_t until_ns);

  const std::vector<int32_t>& lengths_;
  QueuePolicy policy_;
  std::vector<uint16_t> class_of_length_;
  std::vector<Fifo> classes_;  // shortest first; each spans lengths within `padding` of one another
  Fifo late_;
  size_t late_count_ = 0;
  uint64_t arrived_count_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t idle_ = 0;      // lanes asleep because nothing is there
  size_t filling_ = 0;   // lanes asleep while a batch fills
  bool polled_ = false;  // a lane polls, so that arrivals need not wake one
  bool closed_ = false;
  bool flushed_ = false;
  double ns_per_unit_ = 0;  // of computing one unit of length of one sample, smoothed
  std::atomic<int64_t> load_{0};
  std::atomic<size_t> waiting_{0};
  std::atomic<uint64_t> put_off_{0};
};

}  // namespace harness
