// The watch and the progress pipe, each in a process of its own, since they end it.
#include "core/watch.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/progress.h"
#include "process.h"

namespace {

using harness::Error;
using harness::ProgressPipe;
using harness::Status;
using harness::Watch;
using testing::ExitedWithCode;

constexpr auto kFailed = static_cast<int>(Status::kFailed);
constexpr auto kInterrupted = static_cast<int>(Status::kInterrupted);

class Observed : public harness::Watched {
 public:
  Observed(uint64_t issued, uint64_t completed) : issued_(issued), completed_(completed) {}
  [[nodiscard]] uint64_t issued() const override { return issued_; }
  [[nodiscard]] uint64_t completed() const override { return completed_; }
  [[nodiscard]] uint64_t answers() const override { return moves ? ++answers_ : completed_.load(); }
  [[nodiscard]] double latency_ns(double share) const override { return share * 1e6; }
  [[nodiscard]] int64_t longest_busy_ns(int64_t /*now*/) const override { return busy_ns; }
  [[nodiscard]] std::string describe(int64_t /*now*/) const override { return "lane 7 in the engine"; }

  bool moves = false;
  int64_t busy_ns = 0;

 private:
  std::atomic<uint64_t> issued_;
  std::atomic<uint64_t> completed_;
  mutable std::atomic<uint64_t> answers_{0};
};

void wait_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

// Progress goes to stderr, where a death test reads it.
void begin() {
  ::setenv("HARNESS_PROGRESS_FD", "2", 1);
  harness::block_signals();
}

// Watches for a while and ends with 0 where the watch has not ended the process.
void watched(const std::string& phase, const Observed& one, double stuck_s, int ms, const std::string& folder = "") {
  begin();
  Watch watch(folder, stuck_s);
  const harness::Forgets forgets(watch);
  watch.enter(phase, &one);
  wait_ms(ms);
  ::_exit(0);
}

class WatchTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using ProgressTest = WatchTest;

TEST_F(WatchTest, EndsARunWithoutAnswers) {
  EXPECT_EXIT(watched("run", {3, 1}, 0.05, 20'000), ExitedWithCode(kFailed), "no answer for 0 s in phase run");
  EXPECT_EXIT(watched("probe", {3, 1}, 0.05, 20'000), ExitedWithCode(kFailed), "lane 7 in the engine");
}

TEST_F(WatchTest, EndsACallThatDoesNotReturn) {
  Observed one(3, 3);
  one.busy_ns = 10'000'000'000;
  EXPECT_EXIT(watched("warmup", one, 5, 20'000), ExitedWithCode(kFailed), "in phase warmup");
}

TEST_F(WatchTest, EndsLoadingThatDoesNotEnd) {
  EXPECT_EXIT(watched("load", {0, 0}, 0.05, 20'000), ExitedWithCode(kFailed), "loading did not end");
}

TEST_F(WatchTest, LeavesAloneWhatMoves) {
  Observed moving(100, 1);
  moving.moves = true;
  EXPECT_EXIT(watched("run", moving, 0.6, 1500), ExitedWithCode(0), "");
  EXPECT_EXIT(watched("run", {5, 5}, 0.2, 700), ExitedWithCode(0), "");   // all answered: it waits for LoadGen
  EXPECT_EXIT(watched("run", {0, 0}, 0.05, 900), ExitedWithCode(0), "");  // which has not begun to ask
  EXPECT_EXIT(watched("warmup", {5, 5}, 0.05, 900), ExitedWithCode(0), "");
  EXPECT_EXIT(watched("warmup", {5, 1}, 0.05, 700), ExitedWithCode(0), "");  // which counts no answers
  EXPECT_EXIT(watched("run", {5, 1}, 0, 700), ExitedWithCode(0), "");        // no limit
}

TEST_F(WatchTest, EndsATestThatLoadGenDoesNotEnd) {
  EXPECT_EXIT(watched("run", {5, 5}, 0.05, 20'000), ExitedWithCode(kFailed),
              "LoadGen does not end the test.*all 5 samples were answered");
}

TEST_F(WatchTest, LeavesLoadGenAloneWhileItLogs) {
  const harness_test::Folder folder;
  EXPECT_EXIT(
      {
        begin();
        const Observed one(5, 5);
        Watch watch(folder.path(), 0.05);
        const harness::Forgets forgets(watch);
        watch.enter("run", &one);
        std::string text;
        for (int i = 0; i < 5; ++i) {
          harness_test::write_text(folder.file("mlperf_log_accuracy.json"), text += "x");
          wait_ms(200);
        }
        ::_exit(0);
      },
      ExitedWithCode(0), "");
}

TEST_F(WatchTest, EndsWhereItsFolderIsRemoved) {
  const harness_test::Folder folder;
  EXPECT_EXIT(watched("run", {1, 1}, 0, 20'000, folder.file("none")), ExitedWithCode(kFailed),
              "log folder was removed");
  EXPECT_EXIT(watched("run", {1, 1}, 0, 700, folder.path()), ExitedWithCode(0), "");
}

TEST_F(WatchTest, ReportsCountsRateAndPercentiles) {
  EXPECT_EXIT(watched("run", {9, 4}, 0, 700), ExitedWithCode(0), "\"completed\":4,.*\"issued\":9,.*\"p50_ms\":0.5");
  EXPECT_EXIT(watched("run", {9, 4}, 0, 700), ExitedWithCode(0), "\"p90_ms\":0.9,\"p99_ms\":0.99");
  EXPECT_EXIT(watched("run", {9, 4}, 0, 700), ExitedWithCode(0), "\"rate\":[0-9]");
  EXPECT_EXIT(watched("load", {0, 0}, 0, 0), ExitedWithCode(0), "\"phase\":\"load\"");
}

TEST_F(WatchTest, EndsOnSignals) {
  for (const auto& [number, name] :
       {std::pair{SIGTERM, "stopped by SIGTERM"}, std::pair{SIGINT, "stopped by SIGINT"}}) {
    EXPECT_EXIT(
        {
          begin();
          Watch watch("", 0);
          ::kill(::getpid(), number);
          wait_ms(20'000);
          ::_exit(0);
        },
        ExitedWithCode(kInterrupted), name);
  }
}

TEST_F(WatchTest, ForgetsWhatItObserved) {
  EXPECT_EXIT(
      {
        begin();
        Watch watch("", 0.05);
        {
          const Observed one(3, 1);
          const harness::Forgets forgets(watch);
          watch.enter("run", &one);
        }
        wait_ms(700);
        ::_exit(0);
      },
      ExitedWithCode(0), "");
}

TEST_F(WatchTest, AProcessWhoseLauncherHasGoneEnds) {
  EXPECT_EXIT(
      {
        ::setenv("HARNESS_PARENT_PID", "1", 1);
        harness::end_with_launcher();
        ::_exit(0);
      },
      ExitedWithCode(kInterrupted), "");
  EXPECT_EXIT(
      {
        ::setenv("HARNESS_PARENT_PID", std::to_string(::getppid()).c_str(), 1);
        harness::end_with_launcher();
        int number = 0;
        ::prctl(PR_GET_PDEATHSIG, &number);
        ::_exit(number);
      },
      ExitedWithCode(SIGKILL), "");
}

TEST_F(ProgressTest, AnErrorIsALineAndAStatus) {
  EXPECT_EXIT(
      {
        begin();
        harness::fail({Status::kMissing, "no engine", "it is \xff", "build it"});
      },
      ExitedWithCode(static_cast<int>(Status::kMissing)),
      "\"next_step\":\"build it\",\"status\":3,\"what\":\"no engine\"");
}

// What comes out of a pipe into which `send` has written.
std::string piped(const std::function<void(ProgressPipe&)>& send) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::setenv("HARNESS_PROGRESS_FD", std::to_string(ends[1]).c_str(), 1);
    send(ProgressPipe::instance());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string out;
  char page[4096];
  for (ssize_t count = 0; (count = ::read(ends[0], page, sizeof page)) > 0;)
    out.append(page, static_cast<size_t>(count));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return out;
}

TEST_F(ProgressTest, EachMessageIsALineOfJson) {
  const std::string out = piped([](ProgressPipe& pipe) {
    pipe.send(nlohmann::json{{"phase", "run"}, {"issued", 3}});
    pipe.send(nlohmann::json{{"note", "two\nlines, and \xff"}});
    pipe.send(nlohmann::json{{"long", std::string(100'000, 'x')}});  // more than a pipe holds
    pipe.send(Error(Status::kMissing, "what", "why", "next"));
  });
  std::vector<nlohmann::json> lines;
  std::istringstream all(out);
  for (std::string line; std::getline(all, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], (nlohmann::json{{"phase", "run"}, {"issued", 3}}));
  EXPECT_EQ(lines[1]["note"], "two\nlines, and \xef\xbf\xbd") << "what is not UTF-8 is replaced";
  EXPECT_EQ(lines[2]["long"].get<std::string>().size(), 100'000U);
  EXPECT_EQ(lines[3]["error"],
            (nlohmann::json{{"what", "what"}, {"why", "why"}, {"next_step", "next"}, {"status", 3}}));
}

TEST_F(ProgressTest, APipeThatNobodyReadsHoldsNothing) {
  EXPECT_EXIT(
      {
        int ends[2];
        if (::pipe(ends) != 0) ::_exit(9);
        ::setenv("HARNESS_PROGRESS_FD", std::to_string(ends[1]).c_str(), 1);
        ::close(ends[0]);
        for (int i = 0; i < 3; ++i) ProgressPipe::instance().send(nlohmann::json{{"phase", "run"}});
        ::_exit(0);
      },
      ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        int ends[2];
        if (::pipe(ends) != 0) ::_exit(9);
        ::setenv("HARNESS_PROGRESS_FD", std::to_string(ends[1]).c_str(), 1);
        const std::string page(4096, 'x');
        for (int i = 0; i < 16; ++i) static_cast<void>(::write(ends[1], page.data(), page.size()));  // 64 KiB: full
        ProgressPipe::instance().send(nlohmann::json{{"phase", "run"}});
        ::_exit(0);
      },
      ExitedWithCode(0), "");
}

TEST_F(ProgressTest, ADescriptorThatIsNoneIsIgnored) {
  for (const char* given : {"", "x", "-1", "3x", "1000000"}) {
    EXPECT_EXIT(
        {
          ::setenv("HARNESS_PROGRESS_FD", given, 1);
          ProgressPipe::instance().send(nlohmann::json{{"phase", "run"}});
          ::_exit(0);
        },
        ExitedWithCode(0), "^$");
  }
}

TEST_F(ProgressTest, ExceptionsBecomeErrors) {
  const Error known(Status::kUsage, "what", "why", "next");
  EXPECT_EQ(harness::as_error(known, "doing", "step").status(), Status::kUsage);
  const Error made = harness::as_error(std::runtime_error("first\nlast"), "doing", "step");
  EXPECT_STREQ(made.what(), "doing");
  EXPECT_EQ(made.why(), "last");
  EXPECT_EQ(made.next_step(), "step");
  EXPECT_EQ(made.status(), Status::kFailed);
}

}  // namespace
