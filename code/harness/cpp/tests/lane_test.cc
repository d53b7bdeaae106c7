#include "core/lane.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "core/error.h"
#include "core/lanes.h"
#include "core/latencies.h"
#include "core/npy.h"
#include "core/synthetic_dataset.h"
#include "process.h"

namespace {

using harness::Batch;
using harness::Lane;
using harness::Taken;
using harness::Work;

// Keeps what is under way and says how much there ever was.
class DeepStream : public harness::Stream {
 public:
  DeepStream(size_t depth, size_t& most) : depth_(depth), most_(most) {}
  [[nodiscard]] size_t depth() const override { return depth_; }
  void* input(size_t /*index*/, const harness::Shape& /*shape*/) override { return nullptr; }
  void enqueue(const Work& work) override {
    if (work.samples == 13) throw std::runtime_error("unlucky\nthirteen");
    under_way_.push_back(work.samples);
    most_ = std::max(most_, under_way_.size());
  }
  void wait() override {
    answered_ = under_way_.front();
    under_way_.pop_front();
  }
  harness::Output output(size_t /*index*/) override { return {}; }
  [[nodiscard]] size_t answered() const override { return answered_ == 7 ? 6 : answered_; }

 private:
  size_t depth_;
  size_t& most_;
  size_t answered_ = 0;
  std::deque<size_t> under_way_;
};

class ListSource : public harness::BatchSource {
 public:
  explicit ListSource(std::vector<size_t> sizes) : sizes_(sizes.begin(), sizes.end()) {}
  Taken take(Batch& batch, const harness::Asks& /*asks*/) override {
    batch.clear();
    if (sizes_.empty()) return Taken::kClosed;
    for (size_t i = 0; i < sizes_.front(); ++i) {
      batch.add(++id_, 0, 5);
      batch.arrived.push_back(1);
    }
    sizes_.pop_front();
    return Taken::kBatch;
  }
  void answered(const Batch& batch, int64_t /*service_ns*/) override { done.push_back(batch.size()); }
  std::vector<size_t> done;

 private:
  std::deque<size_t> sizes_;
  uintptr_t id_ = 0;
};

struct Bench {
  explicit Bench(size_t depth)
      : lane(dataset, std::make_unique<DeepStream>(depth, most), 0,
             [this](mlperf::QuerySampleResponse* responses, size_t count) {
               for (size_t i = 0; i < count; ++i) ids.push_back(responses[i].id);
             }) {}
  harness::SyntheticDataset dataset{{1, {5}, {"a"}}};
  size_t most = 0;
  std::vector<uintptr_t> ids;
  Lane lane;
};

TEST(Lane, AnswersInOrderWithAsManyUnderWayAsTheStreamTakes) {
  for (const size_t depth : {size_t{1}, size_t{2}}) {
    Bench bench(depth);
    ListSource source({3, 1, 2, 5});
    bench.lane.serve(source);
    EXPECT_EQ(bench.most, depth);
    EXPECT_EQ(bench.ids.size(), 11U);
    for (size_t i = 0; i < bench.ids.size(); ++i) EXPECT_EQ(bench.ids[i], i + 1);
    EXPECT_EQ(source.done, (std::vector<size_t>{3, 1, 2, 5}));
    EXPECT_EQ(bench.lane.state().completed.load(), 11U);
    EXPECT_EQ(bench.lane.state().in_flight.load(), 0U);
    EXPECT_EQ(bench.lane.state().busy_since.load(), 0);
    EXPECT_GT(bench.lane.state().busy_ns.load(), 0);
  }
}

TEST(Lane, CountsTheWorkOfAnsweredBatchesPaddedToTheirLongestSample) {
  Bench bench(1);
  ListSource source({3, 1, 2});
  bench.lane.serve(source);
  EXPECT_EQ(bench.lane.state().work.load(), 6U * 5U);  // samples of length 5
  Bench failing(1);
  ListSource short_answer({3, 7});
  EXPECT_THROW(failing.lane.serve(short_answer), harness::Error);
  EXPECT_EQ(failing.lane.state().work.load(), 3U * 5U);
}

TEST(Lane, RefusesABatchThatWasNotAnsweredWhole) {
  Bench bench(1);
  ListSource source({3, 7, 2});
  try {
    bench.lane.serve(source);
    FAIL();
  } catch (const harness::Error& error) {
    EXPECT_STREQ(error.what(), "the engine answered 6 of 7 samples of a batch");
  }
  EXPECT_EQ(bench.ids.size(), 3U);
}

TEST(Lane, AnEnginesErrorBecomesOneLine) {
  Bench bench(1);
  ListSource source({13});
  try {
    bench.lane.serve(source);
    FAIL();
  } catch (const std::exception& error) {
    const harness::Error found = harness::batch_error(error, "GPU 3");
    EXPECT_STREQ(found.what(), "device GPU 3: a batch could not be computed");
    EXPECT_EQ(found.why(), "thirteen");
    EXPECT_EQ(found.status(), harness::Status::kFailed);
  }
}

// A stream whose first call ends only when a second one is in flight.
class PairedStream : public harness::Stream {
 public:
  [[nodiscard]] size_t depth() const override { return 2; }
  [[nodiscard]] bool splits() const override { return true; }
  void* input(size_t /*index*/, const harness::Shape& /*shape*/) override { return nullptr; }
  void enqueue(const Work& work) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_.push_back(work.samples);
    changed_.notify_all();
  }
  void wait() override {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return sizes_.size() >= 2; });
    answered_ = sizes_[waited_++];
  }
  harness::Output output(size_t /*index*/) override { return {}; }
  [[nodiscard]] size_t answered() const override { return answered_; }
  [[nodiscard]] int64_t service_ns() const override { return 1234; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> sizes_;
  size_t waited_ = 0;
  size_t answered_ = 0;
};

// Has its second batch only once the first one is in flight.
class LateSource : public harness::BatchSource {
 public:
  Taken take(Batch& batch, const harness::Asks& asks) override {
    batch.clear();
    if (taken_ == 2) return Taken::kClosed;
    EXPECT_EQ(asks.is_busy(), taken_ == 1);
    for (uintptr_t i = 0; i < 3; ++i) batch.add(++id_, 0, 5);
    ++taken_;
    return Taken::kBatch;
  }
  void answered(const Batch& /*batch*/, int64_t service_ns) override { services.push_back(service_ns); }
  void idle() override { ++idles; }
  std::vector<int64_t> services;
  int idles = 0;

 private:
  int taken_ = 0;
  uintptr_t id_ = 0;
};

TEST(Lane, ABatchIsSentWhileAnotherComputes) {
  const harness::SyntheticDataset dataset{{1, {5}, {"a"}}};
  std::vector<uintptr_t> ids;
  Lane lane(dataset, std::make_unique<PairedStream>(), 0, [&](mlperf::QuerySampleResponse* responses, size_t count) {
    for (size_t i = 0; i < count; ++i) ids.push_back(responses[i].id);
  });
  ASSERT_TRUE(lane.splits());
  LateSource source;
  std::thread submitter([&] { lane.submit(source); });
  lane.complete(source);
  submitter.join();
  EXPECT_EQ(ids, (std::vector<uintptr_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(source.services, (std::vector<int64_t>{1234, 1234}));
  EXPECT_EQ(source.idles, 1);
  EXPECT_EQ(lane.state().in_flight.load(), 0U);
}

TEST(Latencies, PercentilesAreRightToABucket) {
  harness::Latencies latencies;
  for (int64_t ns = 1; ns <= 100'000; ++ns) latencies.add(ns * 1000);
  std::vector<uint64_t> counts(harness::Latencies::kBuckets);
  latencies.add_to(counts);
  EXPECT_NEAR(harness::percentile_ns(counts, 0.5), 50e6, 50e6 * 0.07);
  EXPECT_NEAR(harness::percentile_ns(counts, 0.99), 99e6, 99e6 * 0.07);
  EXPECT_EQ(harness::percentile_ns(std::vector<uint64_t>(harness::Latencies::kBuckets), 0.5), 0);
}

TEST(Latencies, AreWrittenBucketByBucket) {
  const harness_test::Folder folder;
  std::vector<uint64_t> counts(harness::Latencies::kBuckets);
  harness::write_latencies(folder.file("none.npy"), counts);
  EXPECT_FALSE(std::filesystem::exists(folder.file("none.npy")));
  harness::Latencies latencies;
  for (const int64_t ns : {5, 5, 1'000'000}) latencies.add(ns);
  latencies.add_to(counts);
  harness::write_latencies(folder.file("latencies.npy"), counts);
  const harness::NpyArray array(folder.file("latencies.npy"));
  EXPECT_EQ(array.shape(), (std::vector<size_t>{2, 2}));
  EXPECT_EQ(std::vector<double>(array.row<double>(0), array.row<double>(1)), (std::vector<double>{6, 2}));
  EXPECT_GE(array.row<double>(1)[0], 1e6);
  EXPECT_LE(array.row<double>(1)[0], 1.07e6);
}

}  // namespace
