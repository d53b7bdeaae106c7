#include "core/intervals.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/npy.h"
#include "process.h"

namespace {

using harness::Intervals;
using harness_test::Folder;

constexpr int64_t kWidth = int64_t{1} << Intervals::kShift;

TEST(Intervals, CountsStandWhereTheyHappenedAlsoBeforeTheFirst) {
  Intervals log;
  log.arrived(10 * kWidth + 5);
  log.answered(12 * kWidth, 1);
  log.arrived(9 * kWidth);  // answered later than one that arrived after it
  log.answered(12 * kWidth + 1, 1);
  ASSERT_EQ(log.counts().size(), 4U);
  EXPECT_EQ(log.begin_ns(0), 9 * kWidth);
  EXPECT_EQ(log.counts()[0].arrived, 1U);
  EXPECT_EQ(log.counts()[1].arrived, 1U);
  EXPECT_EQ(log.counts()[2].arrived + log.counts()[2].answered, 0U);
  EXPECT_EQ(log.counts()[3].answered, 2U);
}

TEST(Intervals, LongTestsKeepEveryCountInFewerIntervals) {
  Intervals log;
  constexpr int64_t kMany = 3 * static_cast<int64_t>(Intervals::kMost) + 7;
  for (int64_t i = 0; i < kMany; ++i) {
    log.arrived((1001 + i) * kWidth);
    log.answered((1002 + i) * kWidth, 1);
  }
  EXPECT_LE(log.counts().size(), Intervals::kMost);
  uint64_t arrived = 0;
  uint64_t answered = 0;
  for (const auto& count : log.counts()) {
    arrived += count.arrived;
    answered += count.answered;
  }
  EXPECT_EQ(arrived, static_cast<uint64_t>(kMany));
  EXPECT_EQ(answered, static_cast<uint64_t>(kMany));
  EXPECT_LE(log.begin_ns(0), 1001 * kWidth);
  EXPECT_GT(log.begin_ns(1), 1001 * kWidth);
  EXPECT_EQ(log.begin_ns(1) - log.begin_ns(0), 4 * kWidth);
}

TEST(Intervals, ThoseOfLanesOfDifferentWidthsAreWrittenAsOne) {
  const Folder folder;
  Intervals narrow;
  narrow.arrived(4 * kWidth);
  narrow.arrived(5 * kWidth);
  narrow.answered(5 * kWidth, 2);
  Intervals wide;
  wide.arrived(4 * kWidth);
  wide.answered((3 + static_cast<int64_t>(Intervals::kMost) * 2) * kWidth, 1);
  harness::write_intervals(folder.file("intervals.npy"), 4 * kWidth, {&narrow, &wide});
  const harness::NpyArray array(folder.file("intervals.npy"));
  ASSERT_EQ(array.row_items(), 4U);
  EXPECT_EQ(array.row<double>(0)[0], 0);
  EXPECT_DOUBLE_EQ(array.row<double>(0)[1], 2 * static_cast<double>(kWidth) / 1e9);
  EXPECT_EQ(array.row<double>(0)[2], 3);
  EXPECT_EQ(array.row<double>(0)[3], 2);
  EXPECT_EQ(array.row<double>(array.rows() - 1)[3], 1);
  harness::write_intervals(folder.file("none.npy"), 0, {});
  EXPECT_FALSE(std::filesystem::exists(folder.file("none.npy")));
}

}  // namespace
