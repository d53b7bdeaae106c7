#include "core/sorted_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

namespace {

using harness::Batch;
using harness::cut_batches;
using harness::SortedWork;
using harness::Taken;

std::vector<mlperf::QuerySample> query(size_t count, size_t of) {
  std::vector<mlperf::QuerySample> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i].id = i + 1;
    out[i].index = (i * 7919) % of;
  }
  return out;
}

TEST(CutBatches, KeepsToTheLimitAndThePadding) {
  std::vector<uint32_t> starts;
  cut_batches({100, 100, 95, 90, 89, 50, 50}, 3, 0.1, starts);
  EXPECT_EQ(starts, (std::vector<uint32_t>{0, 3, 5, 7}));
  cut_batches({100, 99, 98}, 8, 0.0, starts);
  EXPECT_EQ(starts, (std::vector<uint32_t>{0, 1, 2, 3}));
  cut_batches({5, 5, 5}, 8, 0.0, starts);
  EXPECT_EQ(starts, (std::vector<uint32_t>{0, 3}));
  cut_batches({}, 8, 0.0, starts);
  EXPECT_EQ(starts, (std::vector<uint32_t>{0}));
}

TEST(SortedWork, HandsOutEverySampleOnceLongestFirst) {
  std::vector<int32_t> lengths(50);
  std::iota(lengths.begin(), lengths.end(), 1);
  SortedWork work(lengths, 4, 0.2, true);
  const auto samples = query(200, lengths.size());
  work.offer(samples.data(), samples.size());
  EXPECT_EQ(work.waiting(), 200U);
  Batch batch;
  std::vector<int> seen(201);
  int32_t last = 1000;
  while (work.take(batch, false) == Taken::kBatch) {
    EXPECT_LE(batch.size(), 4U);
    EXPECT_EQ(batch.arrived.size(), batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      ++seen[batch.ids[i]];
      const int32_t length = lengths[batch.samples[i]];
      EXPECT_LE(length, last);
      EXPECT_GE(length, static_cast<int32_t>(batch.longest * 0.8));
      last = length;
    }
  }
  EXPECT_EQ(std::accumulate(seen.begin() + 1, seen.end(), 0), 200);
  EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 1);
  work.wait_until_taken();
  work.close();
  EXPECT_EQ(work.take(batch, true), Taken::kClosed);
}

TEST(SortedWork, SortsLengthsThatAreTooManyToCount) {
  const std::vector<int32_t> lengths = {1 << 20, 5, 1 << 24, 70000};
  SortedWork work(lengths, 8, 0.0, false);
  const auto samples = query(8, 4);
  work.offer(samples.data(), samples.size());
  Batch batch;
  std::vector<int32_t> longest;
  while (work.take(batch, false) == Taken::kBatch) longest.push_back(batch.longest);
  EXPECT_EQ(longest, (std::vector<int32_t>{1 << 24, 1 << 20, 70000, 5}));
}

TEST(SortedWork, ManyWindowsAndManyTakers) {
  std::vector<int32_t> lengths(100);
  std::mt19937 random(1);
  for (auto& length : lengths) length = static_cast<int32_t>(1 + random() % 384);
  SortedWork work(lengths, 16, 0.0625, false);
  const size_t count = SortedWork::kWindow * 3 + 17;
  const auto samples = query(count, lengths.size());
  std::vector<std::atomic<int>> seen(count + 1);
  std::vector<std::thread> takers;
  takers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    takers.emplace_back([&] {
      Batch batch;
      while (work.take(batch, true) == Taken::kBatch) {
        for (const auto id : batch.ids) seen[id].fetch_add(1);
      }
    });
  }
  work.put(samples.data(), samples.size());
  work.close();
  for (auto& taker : takers) taker.join();
  EXPECT_TRUE(std::all_of(seen.begin() + 1, seen.end(), [](const auto& times) { return times.load() == 1; }));
}

}  // namespace
