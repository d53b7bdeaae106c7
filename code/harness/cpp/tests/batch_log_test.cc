#include "core/batch_log.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/npy.h"
#include "process.h"

namespace {

using harness::BatchLog;
using harness_test::Folder;

TEST(BatchLog, KeepsABoundedShareOfLongRuns) {
  BatchLog log;
  constexpr size_t kBatches = 5 * BatchLog::kMost;
  for (size_t i = 0; i < kBatches; ++i) log.add({static_cast<int64_t>(i), static_cast<int64_t>(i) + 1, 16, 384});
  EXPECT_LE(log.entries().size(), BatchLog::kMost);
  EXPECT_GE(log.entries().size(), BatchLog::kMost / 2);
  const int64_t step = log.entries()[1].begin - log.entries()[0].begin;
  for (size_t i = 1; i < log.entries().size(); ++i) {
    ASSERT_EQ(log.entries()[i].begin - log.entries()[i - 1].begin, step);
  }
}

TEST(BatchLog, IsWrittenAsAnArrayOfAllLanesInTheOrderOfTheirEnds) {
  const Folder folder;
  BatchLog first;
  BatchLog second;
  first.add({2'000'000'000, 4'000'000'000, 16, 384});
  second.add({1'000'000'000, 3'000'000'000, 8, 100});
  harness::write_batches(folder.file("batches.npy"), 1'000'000'000, {{&first, 0}, {&second, 3}});
  const harness::NpyArray array(folder.file("batches.npy"));
  EXPECT_EQ(array.dtype(), "<f8");
  EXPECT_EQ(array.shape(), (std::vector<size_t>{2, 5}));
  EXPECT_EQ(std::vector<double>(array.row<double>(0), array.row<double>(2)),
            (std::vector<double>{0, 2, 8, 100, 3, 1, 3, 16, 384, 0}));
  EXPECT_THROW(harness::write_batches(folder.file("no/batches.npy"), 0, {{&first, 0}}), harness::Error);
}

}  // namespace
