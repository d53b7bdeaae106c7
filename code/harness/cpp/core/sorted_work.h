// The batches of one large query, longest samples first so that the tail is short.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/batch.h"
#include "query_sample.h"

namespace harness {

// Cuts sorted samples into batches of nearly one length, because what is padded is computed in vain. `lengths` are of
// the samples in `order`, descending; the result is each batch's first position and, last, the number of samples.
//   limit: most samples in a batch.
//   padding: a sample joins a batch when it is shorter than the batch's longest by at most this share.
void cut_batches(const std::vector<int32_t>& descending, size_t limit, double padding, std::vector<uint32_t>& starts);

// A query is sorted window by window, and lanes take batches of one window while the next is being sorted. Within a
// window the samples' records in LoadGen are near each other, and a window's order costs 20 bytes a sample, not the
// query's. The sorting thread writes the samples out in their order, so that the lanes, which are the bottleneck of a
// fast engine, read them in a row.
class SortedWork : public BatchSource {
 public:
  // `lengths` of the data set's samples outlive the object. `timed`: batches tell when their samples were offered.
  // `takers`: threads that take batches in turn.
  SortedWork(const std::vector<int32_t>& lengths, size_t limit, double padding, bool timed, size_t takers = 1);

  // Offers a query and returns when every sample has been taken, so that `samples` need not live longer. One thread at
  // a time.
  void put(const mlperf::QuerySample* samples, size_t count);
  // The two halves of `put`, for a thread that takes batches itself in between. At most kWindow samples.
  void offer(const mlperf::QuerySample* samples, size_t count);
  void wait_until_taken();

  Taken take(Batch& batch, bool wait) override;
  // No more will come; lanes are let go.
  void close();
  // Samples that nobody has taken yet of what was offered.
  [[nodiscard]] size_t waiting() const;

  // Most samples of a window. It is smaller for small batches, which fill from fewer samples: then the records stay in
  // a core's cache.
  static constexpr size_t kWindow = size_t{1} << 18;

 private:
  struct Window {
    std::vector<mlperf::QuerySample> samples;  // longest first
    std::vector<int32_t> lengths;              // of `samples`
    std::vector<uint32_t> starts;
    int64_t offered = 0;
    size_t batches = 0;
    size_t next = 0;    // first batch nobody has taken
    size_t copied = 0;  // batches whose samples have been read
  };

  void sort(Window& window, const mlperf::QuerySample* samples, size_t count);

  const std::vector<int32_t>& lengths_;
  size_t limit_;
  double padding_;
  size_t window_;
  bool timed_;
  size_t takers_;
  int32_t longest_ = 0;
  std::vector<uint32_t> histogram_;
  std::array<Window, 2> windows_;
  mutable std::mutex mutex_;
  std::condition_variable offered_;
  std::condition_variable taken_;
  size_t current_ = 0;  // the window lanes take from
  size_t filling_ = 0;  // the window the next offer goes into
  size_t sleeping_ = 0;
  bool closed_ = false;
};

}  // namespace harness
