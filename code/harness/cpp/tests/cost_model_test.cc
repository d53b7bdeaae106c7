#include "core/cost_model.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <vector>

namespace {

using harness::CostModel;
using harness::usual_sizes;

constexpr double kAnyTime = std::numeric_limits<double>::infinity();

// The best size of at most so many samples of one length.
size_t best(const CostModel& costs, size_t most, double within_ns, double else_ns) {
  return costs.best_size(std::vector<int32_t>(most, 100), within_ns, else_ns);
}

TEST(CostModel, UsualSizesEndAtTheLimit) {
  EXPECT_EQ(usual_sizes(1), std::vector<size_t>{1});
  EXPECT_EQ(usual_sizes(8), (std::vector<size_t>{1, 2, 3, 4, 6, 8}));
  EXPECT_EQ(usual_sizes(13), (std::vector<size_t>{1, 2, 3, 4, 6, 8, 12, 13}));
}

TEST(CostModel, KnowsNothingAtFirst) {
  CostModel costs(8, 384);
  EXPECT_EQ(costs.expected_ns(4, 100), 0);
  EXPECT_EQ(best(costs, 5, 1, 1), 5U) << "what costs nothing known is as large as it can be";
  costs.learn(0, 100, 1000);
  costs.learn(4, 0, 1000);
  EXPECT_EQ(costs.expected_ns(4, 100), 0) << "a batch of nothing teaches nothing";
}

TEST(CostModel, ExpectsWhatItMetAndFollowsSlowly) {
  CostModel costs(8, 384);
  costs.learn(4, 100, 8'000);
  EXPECT_NEAR(costs.expected_ns(4, 100), 8'000, 1);
  costs.learn(4, 100, 18'000);
  EXPECT_NEAR(costs.expected_ns(4, 100), 18'000, 1) << "the first may have paid for being the first";
  costs.learn(4, 100, 8'000);
  EXPECT_NEAR(costs.expected_ns(4, 100), 17'000, 1);
}

TEST(CostModel, WhatWasNotMetCostsAsTheNearestLengthElseAsTheNearestSize) {
  CostModel costs(8, 320);  // a column is ten units wide
  costs.learn(8, 100, 8 * 100 * 7);
  EXPECT_NEAR(costs.expected_ns(1, 40), 40 * 7, 0.1) << "all that is known";
  costs.learn(2, 200, 2 * 200 * 5);
  EXPECT_NEAR(costs.expected_ns(2, 90), 2 * 90 * 5, 0.1) << "of the same size, however far";
  EXPECT_NEAR(costs.expected_ns(1, 90), 90 * 5, 0.1) << "of the next size";
  EXPECT_NEAR(costs.expected_ns(6, 100), 6 * 100 * 7, 0.1) << "eight is nearer to six than two";
  costs.learn(2, 40, 2 * 40 * 3);
  EXPECT_NEAR(costs.expected_ns(2, 60), 2 * 60 * 3, 0.1) << "of the nearest length";
  EXPECT_NEAR(costs.expected_ns(2, 180), 2 * 180 * 5, 0.1);
  EXPECT_NEAR(costs.expected_ns(100, 1'000), 100 * 1'000 * 7, 1) << "beyond the table";
}

// Batches that suffice for a size to be known, each of the same time.
void meet(CostModel& costs, size_t size, double ns) {
  for (int i = 0; i < 3; ++i) costs.learn(size, 100, static_cast<int64_t>(ns));
}

// Costs of every size of one length: a fixed time and one for each sample.
struct Model : CostModel {
  Model(double fixed_ns, double each_ns) : CostModel(8, 100) {
    for (const size_t size : usual_sizes(8)) meet(*this, size, fixed_ns + each_ns * static_cast<double>(size));
  }
};

TEST(CostModel, LargerSizesThanWereMetAreTriedWhereTheyAreInTime) {
  CostModel costs(8, 100);
  costs.learn(1, 100, 1'000'000);
  EXPECT_EQ(best(costs, 8, kAnyTime, kAnyTime), 8U);
  EXPECT_EQ(best(costs, 8, 2.5e6, kAnyTime), 2U) << "three take 3 ms if they save nothing";
  meet(costs, 1, 1e6);
  EXPECT_EQ(best(costs, 8, 4.5e6, kAnyTime), 4U);
  EXPECT_EQ(best(costs, 8, 0.5e6, 3.5e6), 3U) << "what is late in any case need not be in time";
  meet(costs, 4, 8e6);
  EXPECT_EQ(best(costs, 8, kAnyTime, kAnyTime), 8U);
  EXPECT_EQ(best(costs, 8, 10e6, kAnyTime), 1U);
  EXPECT_EQ(best(costs, 2, kAnyTime, kAnyTime), 1U) << "two are fewer than were met, and near one";
  meet(costs, 8, 4e6);
  EXPECT_EQ(best(costs, 8, kAnyTime, kAnyTime), 6U) << "six are nearer to eight than to four";
  meet(costs, 6, 4e6);
  EXPECT_EQ(best(costs, 8, kAnyTime, kAnyTime), 8U);
}

TEST(CostModel, SamplesAreComputedAloneWhereABatchSavesNothing) {
  EXPECT_EQ(best(Model(0, 1e6), 8, kAnyTime, kAnyTime), 1U);
  EXPECT_EQ(best(Model(1e4, 1e6), 8, kAnyTime, kAnyTime), 1U) << "hardly anything";
}

TEST(CostModel, ABatchIsAsLargeAsSavesTime) {
  const Model costs(1e7, 1e6);
  EXPECT_EQ(best(costs, 8, kAnyTime, kAnyTime), 8U);
  EXPECT_EQ(best(costs, 5, kAnyTime, kAnyTime), 5U) << "and all that there are, usual or not";
  EXPECT_EQ(best(costs, 1, kAnyTime, kAnyTime), 1U);
  EXPECT_EQ(best(costs, 0, kAnyTime, kAnyTime), 0U);
  EXPECT_EQ(best(Model(1e6, 1e6), 8, kAnyTime, kAnyTime), 8U);
  EXPECT_EQ(best(Model(1e5, 1e6), 8, kAnyTime, kAnyTime), 2U) << "two save 5 % of one's time, more hardly more";
}

TEST(CostModel, ABatchIsNotLargerThanIsInTimeUnlessThatCostsMuch) {
  const Model costs(1e6, 1e6);
  EXPECT_EQ(best(costs, 8, 7.5e6, kAnyTime), 6U) << "seven for six, nine for eight";
  EXPECT_EQ(best(costs, 8, 2.5e6, kAnyTime), 8U) << "alone each takes twice as long as of eight";
  EXPECT_EQ(best(costs, 8, 2.5e6, 4.5e6), 3U) << "but nothing takes longer than that";
  EXPECT_EQ(best(costs, 8, 0, 4.5e6), 3U) << "what is late anyway is computed in good batches";
  EXPECT_EQ(best(costs, 8, 0, 1e6), 1U) << "one is the least";
  EXPECT_EQ(best(costs, 8, 5.5e6, 1e6), 4U);
}

TEST(CostModel, ShorterOnesJoinWhereThePaddingCostsLessThanTheySave) {
  const auto model = [](double fixed_ns) {
    auto costs = std::make_unique<CostModel>(4, 100);
    for (const int32_t length : {25, 50, 100}) {
      for (const size_t size : {1, 2, 3, 4}) {
        for (int i = 0; i < 3; ++i) {
          costs->learn(size, length, static_cast<int64_t>(fixed_ns + 1e4 * static_cast<double>(size) * length));
        }
      }
    }
    return costs;
  };
  // Two of length 100 take 2 ms and the fixed time; those of 100 and 50 alone take 1.5 ms and twice the fixed time.
  EXPECT_EQ(model(1e5)->best_size({100, 50}, kAnyTime, kAnyTime), 1U);
  EXPECT_EQ(model(1e6)->best_size({100, 50}, kAnyTime, kAnyTime), 2U);
  EXPECT_EQ(model(3e6)->best_size({100, 100, 25, 25}, kAnyTime, kAnyTime), 4U);
  EXPECT_EQ(model(3e5)->best_size({100, 100, 25, 25}, kAnyTime, kAnyTime), 2U);
  EXPECT_EQ(model(1e6)->best_size({50, 100}, kAnyTime, kAnyTime), 2U) << "longer ones, too";
}

}  // namespace
