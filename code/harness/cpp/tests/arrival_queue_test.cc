#include "core/arrival_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/clock.h"

namespace {

using harness::ArrivalQueue;
using harness::Batch;
using harness::now_ns;
using harness::QueuePolicy;
using harness::Taken;

constexpr int64_t kMs = 1'000'000;

std::vector<int32_t> lengths_up_to(int32_t longest) {
  std::vector<int32_t> out;
  for (int32_t i = 1; i <= longest; ++i) out.push_back(i);  // sample i has length i + 1
  return out;
}

void put(ArrivalQueue& queue, uintptr_t id, int32_t length, int64_t when) {
  const auto sample = static_cast<uint32_t>(length - 1);
  queue.put(&id, &sample, 1, when);
}

QueuePolicy policy(size_t limit, double padding) {
  QueuePolicy out;
  out.limit = limit;
  out.padding = padding;
  return out;
}

TEST(ArrivalQueue, TheOldestIsAlwaysInTheBatchWithOthersOfNearlyItsLength) {
  const auto lengths = lengths_up_to(384);
  ArrivalQueue queue(lengths, policy(4, 0.1));
  put(queue, 1, 100, 10);
  put(queue, 2, 300, 20);
  put(queue, 3, 104, 30);
  put(queue, 4, 97, 40);
  put(queue, 5, 30, 50);
  EXPECT_EQ(queue.waiting(), 5U);
  EXPECT_EQ(queue.load(), 631);
  Batch batch;
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  EXPECT_EQ(batch.ids.front(), 1U);
  EXPECT_EQ(batch.size(), 3U);
  EXPECT_EQ(batch.longest, 104);
  queue.answered(batch, 1000);
  EXPECT_EQ(queue.load(), 330);
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  EXPECT_EQ(batch.ids, std::vector<uintptr_t>{2});
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  EXPECT_EQ(batch.ids, std::vector<uintptr_t>{5});
  EXPECT_EQ(queue.take(batch, false), Taken::kNothing);
}

TEST(ArrivalQueue, ABatchThatIsFullDoesNotWait) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy slow = policy(2, 1);
  slow.timeout_ns = 3'600'000 * kMs;
  ArrivalQueue queue(lengths, slow);
  put(queue, 1, 5, now_ns());
  Batch batch;
  EXPECT_EQ(queue.take(batch, false), Taken::kNothing);
  put(queue, 2, 5, now_ns());
  ASSERT_EQ(queue.take(batch, false), Taken::kBatch);
  EXPECT_EQ(batch.size(), 2U);
}

TEST(ArrivalQueue, ABatchClosesAtTheTimeout) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy waits = policy(8, 1);
  waits.timeout_ns = 20 * kMs;
  ArrivalQueue queue(lengths, waits);
  const int64_t start = now_ns();
  put(queue, 1, 5, start);
  Batch batch;
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  EXPECT_GE(now_ns() - start, 20 * kMs);
  EXPECT_EQ(batch.size(), 1U);
}

TEST(ArrivalQueue, ABatchClosesInTimeForTheTargetLatency) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy waits = policy(2, 1);
  waits.timeout_ns = 3'600'000 * kMs;
  waits.bound_ns = 100 * kMs;
  ArrivalQueue queue(lengths, waits);
  // It has learnt that a full batch of length 10 takes 60 ms, so it may wait for no more than 100 - 1.25 × 60 ms.
  Batch learnt;
  learnt.add(1, 9, 10);
  learnt.add(2, 9, 10);
  queue.answered(learnt, 60 * kMs);
  const int64_t start = now_ns();
  put(queue, 1, 10, start);
  Batch batch;
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  EXPECT_GE(now_ns() - start, 25 * kMs);
  put(queue, 2, 10, now_ns() - 30 * kMs);
  EXPECT_EQ(queue.take(batch, false), Taken::kBatch);
}

// A queue whose device takes a fixed time for a batch and a time for each sample, of any length up to ten.
struct Learnt {
  Learnt(int64_t fixed_ns, int64_t each_ns) : queue(lengths, bound_to(100 * kMs)) {
    for (const size_t size : {1, 2, 3, 4}) {
      Batch batch;
      for (size_t i = 0; i < size; ++i) batch.add(i, 9, 10);
      for (int i = 0; i < 3; ++i) queue.answered(batch, fixed_ns + each_ns * static_cast<int64_t>(size));
    }
  }
  static QueuePolicy bound_to(int64_t ns) {
    QueuePolicy out = policy(4, 1);
    out.bound_ns = ns;
    return out;
  }
  // Samples of the batch that is made of four queries which arrived so long ago.
  size_t taken(int64_t ago_ns) {
    for (uintptr_t id = 1; id <= 4; ++id) put(queue, id, 10, now_ns() - ago_ns);
    Batch batch;
    EXPECT_EQ(queue.take(batch, true), Taken::kBatch);
    EXPECT_EQ(batch.length, static_cast<int64_t>(10 * batch.size()));
    return batch.size();
  }

  std::vector<int32_t> lengths = lengths_up_to(10);
  ArrivalQueue queue;
};

TEST(ArrivalQueue, ABatchHasAsManyAsSaveTimeAndAreInTime) {
  EXPECT_EQ(Learnt(0, 10 * kMs).taken(0), 1U) << "a batch saves nothing";
  EXPECT_EQ(Learnt(10 * kMs, 10 * kMs).taken(0), 4U);
  EXPECT_EQ(Learnt(2 * kMs, 10 * kMs).taken(0), 4U);
  EXPECT_EQ(Learnt(2 * kMs, 10 * kMs).taken(55 * kMs), 3U) << "42 ms are too near to the 45 ms that are left";
  EXPECT_EQ(Learnt(10 * kMs, 10 * kMs).taken(200 * kMs), 4U) << "too late in any case";
  EXPECT_EQ(Learnt(10 * kMs, 30 * kMs).taken(200 * kMs), 1U) << "which may not make the next ones late";
  EXPECT_EQ(Learnt(0, 6 * kMs).taken(0), 4U) << "a full batch takes less than a quarter of the target latency";
  EXPECT_EQ(Learnt(0, 7 * kMs).taken(0), 1U);
  Learnt flushed(0, 7 * kMs);
  flushed.queue.flush();
  EXPECT_EQ(flushed.taken(0), 4U) << "nothing more comes, as in an accuracy run";
}

TEST(ArrivalQueue, FlushedBatchesDoNotWait) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy waits = policy(8, 1);
  waits.timeout_ns = 3'600'000 * kMs;
  ArrivalQueue queue(lengths, waits);
  put(queue, 1, 5, now_ns());
  queue.flush();
  Batch batch;
  EXPECT_EQ(queue.take(batch, false), Taken::kBatch);
  queue.close();
  EXPECT_EQ(queue.take(batch, true), Taken::kClosed);
}

// Without a timeout, a lane that computes takes a full batch at once, a part of one only when it has nothing to
// compute.
TEST(ArrivalQueue, ALaneThatComputesWaitsForAFullBatchOrUntilItIsIdle) {
  const auto lengths = lengths_up_to(10);
  ArrivalQueue queue(lengths, policy(2, 1));
  std::atomic<size_t> in_flight{1};
  std::atomic<size_t> taken{0};
  Batch batch;
  const auto take = [&] {
    ASSERT_EQ(queue.take(batch, {true, &in_flight}), Taken::kBatch);
    taken = batch.size();
  };
  put(queue, 1, 5, now_ns());
  std::thread full(take);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(taken.load(), 0U);
  put(queue, 2, 5, now_ns());
  full.join();
  EXPECT_EQ(taken.load(), 2U);
  taken = 0;
  std::thread part(take);
  put(queue, 3, 5, now_ns());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(taken.load(), 0U);
  in_flight = 0;
  queue.idle();
  part.join();
  EXPECT_EQ(taken.load(), 1U);
}

TEST(ArrivalQueue, ALaneThatComputesDoesNotWaitBeyondTheTargetLatency) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy bound = policy(2, 1);
  bound.bound_ns = 30 * kMs;
  ArrivalQueue queue(lengths, bound);
  const std::atomic<size_t> in_flight{1};
  Batch batch;
  std::thread lane([&] { EXPECT_EQ(queue.take(batch, {true, &in_flight}), Taken::kBatch); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const int64_t start = now_ns();
  put(queue, 1, 5, start);
  lane.join();
  EXPECT_GE(now_ns() - start, 30 * kMs);
  EXPECT_EQ(batch.size(), 1U);
}

TEST(ArrivalQueue, HopelesslyLateOnesWaitAsFarAsTheShareAllows) {
  const auto lengths = lengths_up_to(10);
  QueuePolicy drops = policy(1, 0);
  drops.bound_ns = 10 * kMs;
  drops.must_hold = 0.9;
  ArrivalQueue queue(lengths, drops);
  const int64_t now = now_ns();
  for (uintptr_t id = 1; id <= 3; ++id) put(queue, id, 5, now - 1000 * kMs);
  for (uintptr_t id = 4; id <= 20; ++id) put(queue, id, 5, now + 1000 * kMs);
  Batch batch;
  ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
  // A tenth of twenty may be late: two wait, the third late one is served as usual.
  EXPECT_EQ(queue.put_off(), 2U);
  EXPECT_EQ(batch.ids, std::vector<uintptr_t>{3});
  for (uintptr_t id = 4; id <= 20; ++id) {
    ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
    EXPECT_EQ(batch.ids, std::vector<uintptr_t>{id});
  }
  for (uintptr_t id = 1; id <= 2; ++id) {
    ASSERT_EQ(queue.take(batch, true), Taken::kBatch);
    EXPECT_EQ(batch.ids, std::vector<uintptr_t>{id});
  }
  EXPECT_EQ(queue.take(batch, false), Taken::kNothing);
}

TEST(ArrivalQueue, ManyIssuersAndManyLanes) {
  const auto lengths = lengths_up_to(384);
  for (const int64_t timeout : {int64_t{0}, kMs / 10}) {
    QueuePolicy mixed = policy(8, 0.0625);
    mixed.timeout_ns = timeout;
    mixed.bound_ns = 100 * kMs;
    ArrivalQueue queue(lengths, mixed);
    constexpr uintptr_t kEach = 20'000;
    std::vector<std::atomic<int>> seen(2 * kEach + 1);
    std::vector<std::thread> lanes;
    lanes.reserve(3);
    for (int i = 0; i < 3; ++i) {
      lanes.emplace_back([&] {
        Batch batch;
        while (queue.take(batch, true) == Taken::kBatch) {
          for (const auto id : batch.ids) seen[id].fetch_add(1);
          queue.answered(batch, 1000);
        }
      });
    }
    std::vector<std::thread> issuers;
    issuers.reserve(2);
    for (uintptr_t issuer = 0; issuer < 2; ++issuer) {
      issuers.emplace_back([&, issuer] {
        for (uintptr_t i = 1; i <= kEach; ++i)
          put(queue, issuer * kEach + i, static_cast<int32_t>(1 + i % 384), now_ns());
      });
    }
    for (auto& issuer : issuers) issuer.join();
    queue.close();
    for (auto& lane : lanes) lane.join();
    EXPECT_EQ(queue.load(), 0);
    EXPECT_EQ(queue.waiting(), 0U);
    for (size_t id = 1; id < seen.size(); ++id) EXPECT_EQ(seen[id].load(), 1);
  }
}

}  // namespace
