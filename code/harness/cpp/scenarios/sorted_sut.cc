// System under test for queries of many samples: batches are sorted by length, and the lanes of all devices take the
// next one as soon as they are free.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "core/progress.h"
#include "core/sorted_work.h"
#include "scenarios/sut.h"

namespace harness {

namespace {

double mean_of(const std::vector<int32_t>& lengths) {
  const double sum = std::accumulate(lengths.begin(), lengths.end(), 0.0);
  return lengths.empty() ? 0 : sum / static_cast<double>(lengths.size());
}

class SortedSut : public Sut {
 public:
  // With `joins_in`, the issuing thread drives lane 0, which saves a thread hop: a query is smaller than a window.
  SortedSut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset, bool joins_in)
      : Sut(lanes),
        work_(dataset.lengths(), spec.batch.max_samples, spec.batch.padding, joins_in, lanes.size()),
        joins_in_(joins_in),
        mean_length_(mean_of(dataset.lengths())) {
    start(joins_in ? 1 : 0, std::vector<BatchSource*>(lanes.size(), &work_));
  }

  // A query has the samples of the data set in about equal numbers.
  [[nodiscard]] double work_share() const override {
    const double due = mean_length_ * static_cast<double>(issued());
    return due > 0 ? std::min(1.0, static_cast<double>(work()) / due) : 0;
  }

  void close() override {
    work_.close();
    join();
  }

 protected:
  void accept(const mlperf::QuerySample* samples, size_t count) override {
    if (!joins_in_ || count > SortedWork::kWindow) {
      work_.put(samples, count);
      return;
    }
    try {
      work_.offer(samples, count);
      while (work_.take(batch_, false) == Taken::kBatch) lanes().lane(0).answer(batch_);
      work_.wait_until_taken();
    } catch (const std::exception& error) {
      fail(batch_error(error, lanes().device(0).name));
    }
  }

  [[nodiscard]] size_t waiting(size_t /*device*/) const override { return work_.waiting(); }

 private:
  SortedWork work_;
  bool joins_in_;
  double mean_length_;
  Batch batch_;
};

}  // namespace

std::unique_ptr<Sut> make_sorted_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset) {
  return std::make_unique<SortedSut>(spec, lanes, dataset, spec.scenario == "MultiStream");
}

}  // namespace harness
