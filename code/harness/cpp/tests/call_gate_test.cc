#include "core/call_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace {

using harness::CallGate;

TEST(CallGate, NothingWaitsWhereOneThreadDoesBoth) {
  CallGate gate;
  EXPECT_FALSE(gate.is_open());
  for (int i = 0; i < 3; ++i) gate.enter();
  gate.await();
  gate.leave();
}

TEST(CallGate, CallsArriveInOrderAndNeverMoreThanFit) {
  constexpr int kCalls = 20'000;
  CallGate gate;
  gate.open(2);
  EXPECT_TRUE(gate.is_open());
  std::atomic<int> in_flight{0};
  int slots[2] = {0, 0};  // not atomic: the gate alone keeps the threads apart
  int most = 0;
  std::thread submitter([&] {
    for (int i = 0; i < kCalls; ++i) {
      gate.enter();
      slots[i % 2] = i;
      in_flight.fetch_add(1);
      gate.submitted();
    }
  });
  for (int i = 0; i < kCalls; ++i) {
    gate.await();
    most = std::max(most, in_flight.load());
    EXPECT_EQ(slots[i % 2], i);
    in_flight.fetch_sub(1);
    gate.leave();
  }
  submitter.join();
  EXPECT_LE(most, 2);
}

}  // namespace
