#include "core/watch.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/progress.h"

namespace harness {

namespace {

constexpr int64_t kEveryNs = 250'000'000;

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Bytes of LoadGen's logs in a folder.
uint64_t logged_bytes(const std::string& folder) {
  uint64_t out = 0;
  for (const char* name : {"detail.txt", "summary.txt", "accuracy.json", "trace.json"}) {
    struct stat status{};
    if (::stat((folder + "/mlperf_log_" + name).c_str(), &status) == 0) out += static_cast<uint64_t>(status.st_size);
  }
  return out;
}

}  // namespace

void end_with_launcher() {
  const char* given = std::getenv("HARNESS_PARENT_PID");
  if (given == nullptr || *given == '\0') return;
  static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
  if (std::strtol(given, nullptr, 10) != ::getppid()) ::_exit(static_cast<int>(Status::kInterrupted));
}

void block_signals() {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Watch::Watch(std::string output_dir, double stuck_s) : output_dir_(std::move(output_dir)), stuck_s_(stuck_s) {
  thread_ = std::thread([this] { work(); });
}

Watch::~Watch() {
  stopping_.store(true);
  // The thread blocks SIGTERM and receives it through sigtimedwait, so this does not kill it.
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c)
  ::pthread_kill(thread_.native_handle(), SIGTERM);  // interrupts its wait
  thread_.join();
}

void Watch::enter(const std::string& phase, const Watched* watched) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t now = now_ns();
  phase_ = phase;
  watched_ = watched;
  last_moved_ = now;
  last_answers_ = 0;
  last_progress_ = 0;
  if (phase != "end") phase_began_ = now;
  report(now);
}

void Watch::forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  watched_ = nullptr;
}

void Watch::work() {
  const sigset_t set = ending_signals();
  timespec timeout{};
  timeout.tv_nsec = kEveryNs;
  while (true) {
    const int number = ::sigtimedwait(&set, nullptr, &timeout);
    if (stopping_.load()) return;
    if (number > 0) {
      fail({Status::kInterrupted, std::string("stopped by ") + (number == SIGINT ? "SIGINT" : "SIGTERM"),
            "the logs in this folder are incomplete", "run the same command again"});
    }
    look();
  }
}

void Watch::look() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t now = now_ns();
  if (!output_dir_.empty() && !is_folder(output_dir_)) {
    fail({Status::kFailed, "the log folder was removed: " + output_dir_, std::strerror(errno),
          "run again, and do not remove the folder while LoadGen writes to it"});
  }
  if (phase_ != "end") report(now);  // enter() has reported the end, with counts that are gone by now
  if (stuck_s_ > 0) look_at_engine(now);
}

void Watch::look_at_engine(int64_t now) {
  const auto limit = static_cast<int64_t>(stuck_s_ * 1e9);
  const std::string again =
      "run again; if the engine hangs again, rebuild it with --force_build or try another backend";
  if (phase_ == "load") {
    if (now - phase_began_ > kPatience * limit) {
      fail(
          {Status::kFailed,
           "the engine is stuck: it is not loaded after " + std::to_string((now - phase_began_) / 1'000'000'000) + " s",
           "loading did not end", again});
    }
    return;
  }
  if (watched_ == nullptr) return;
  const uint64_t answers = watched_->answers();
  if (answers != last_answers_ || (phase_ == "run" && watched_->completed() == watched_->issued())) {
    last_answers_ = answers;
    last_moved_ = now;
  }
  // Warm-up counts no answers, and at the end there are none.
  const bool counted = phase_ == "run" || phase_ == "probe";
  if (watched_->longest_busy_ns(now) > limit || (counted && now - last_moved_ > limit)) {
    fail({Status::kFailed,
          "the engine is stuck: no answer for " + std::to_string(static_cast<int64_t>(stuck_s_)) + " s in phase " +
              phase_,
          watched_->describe(now), again});
  }
  if (phase_ == "run") look_at_loadgen(now);
}

// LoadGen's logger may lose the entry that the end of its test waits for (Logger::StopTracing), after which that end
// never comes. Seen with ThreadSanitizer, where a thread had logged more than 1024 entries within a turn of the logger:
// the logger then logs that among the thread's own entries, while the thread itself may log.
void Watch::look_at_loadgen(int64_t now) {
  const uint64_t issued = watched_->issued();
  const bool due = issued == 0 || watched_->completed() < issued;
  const uint64_t progress = due ? 0 : issued + watched_->completed() + logged_bytes(output_dir_);
  if (due || progress != last_progress_) {
    last_progress_ = progress;
    rests_since_ = now;
    return;
  }
  const auto limit = static_cast<int64_t>(stuck_s_ * 1e9);
  if (now - rests_since_ <= kPatience * limit) return;
  fail({Status::kFailed, "LoadGen does not end the test",
        "all " + std::to_string(issued) + " samples were answered, and for " +
            std::to_string((now - rests_since_) / 1'000'000'000) + " s it asked for no other and logged nothing",
        "run the same command again"});
}

void Watch::report(int64_t now) {
  const uint64_t issued = watched_ != nullptr ? watched_->issued() : 0;
  const uint64_t completed = watched_ != nullptr ? watched_->completed() : 0;
  if (first_issued_ == 0 && issued > 0) first_issued_ = now;
  nlohmann::json line = {{"phase", phase_},
                         {"issued", issued},
                         {"completed", completed},
                         {"elapsed_s", static_cast<double>(now - phase_began_) / 1e9}};
  if (watched_ != nullptr && watched_->work_share() > 0) line["work"] = watched_->work_share();
  if (completed > 0 && now > first_issued_) {
    line["rate"] = static_cast<double>(completed) * 1e9 / static_cast<double>(now - first_issued_);
  }
  if (watched_ != nullptr && watched_->latency_ns(0.5) > 0) {
    line["p50_ms"] = watched_->latency_ns(0.50) / 1e6;
    line["p90_ms"] = watched_->latency_ns(0.90) / 1e6;
    line["p99_ms"] = watched_->latency_ns(0.99) / 1e6;
  }
  ProgressPipe::instance().send(line);
}

}  // namespace harness
