// The batches of one large query, longest samples first so that the tail is short.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/batch.h"
#include "core/condition.h"
#include "query_sample.h"

namespace harness {

// Cuts sorted samples into batches of similar length, to waste little computation on padding. `lengths` are in
// descending order; returns each batch's first position, then the number of samples.
//   limit: most samples in a batch.
//   padding: a sample joins a batch when it is at most this share shorter than the batch's longest.
void cut_batches(const std::vector<int32_t>& descending, size_t limit, double padding, std::vector<uint32_t>& starts);

// A query is sorted window by window; lanes take batches of one window while the next is sorted. A window keeps the
// samples' LoadGen records close together, and the sort order costs 20 bytes per sample of a window instead of the
// whole query. The sorting thread writes samples in sorted order, so that the lanes, the bottleneck with a fast engine,
// read them sequentially.
class SortedWork : public BatchSource {
 public:
  // `lengths` must outlive the object. `timed`: batches carry the time their samples were offered. `takers`: number of
  // threads that take batches.
  SortedWork(const std::vector<int32_t>& lengths, size_t limit, double padding, bool timed, size_t takers = 1);

  // Offers a query and returns when every sample has been taken; `samples` may then be freed. One thread at a time.
  void put(const mlperf::QuerySample* samples, size_t count);
  // The two halves of `put`, for a thread that takes batches in between. At most kWindow samples.
  void offer(const mlperf::QuerySample* samples, size_t count);
  void wait_until_taken();

  Taken take(Batch& batch, const Asks& asks) override;
  void give_back(const Batch& batch) override;
  // Nothing more will come; `take` returns kClosed.
  void close();
  // Samples offered but not yet taken.
  [[nodiscard]] size_t waiting() const;

  // Most samples in a window. Small batches need fewer samples to fill, and a smaller window keeps the records in a
  // core's cache.
  static constexpr size_t kWindow = size_t{1} << 18;

 private:
  struct Window {
    std::vector<mlperf::QuerySample> samples;  // longest first
    std::vector<int32_t> lengths;              // of `samples`
    std::vector<uint32_t> starts;
    int64_t offered = 0;
    size_t batches = 0;
    size_t next = 0;                 // first batch not yet taken
    std::atomic<size_t> copied = 0;  // batches whose samples have been read
  };

  void sort(Window& window, const mlperf::QuerySample* samples, size_t count);
  // Batches not yet taken. Call with the lock.
  [[nodiscard]] size_t left() const;

  const std::vector<int32_t>& lengths_;
  size_t limit_;
  double padding_;
  size_t window_;
  bool timed_;
  size_t takers_;
  int32_t longest_ = 0;
  std::vector<uint32_t> histogram_;
  std::array<Window, 2> windows_;
  std::vector<Batch> returned_;  // taken again before all others
  mutable std::mutex mutex_;
  Condition offered_;
  Condition taken_;
  size_t current_ = 0;  // window that lanes take from
  size_t filling_ = 0;  // window that the next offer fills
  size_t sleeping_ = 0;
  bool closed_ = false;
};

}  // namespace harness
