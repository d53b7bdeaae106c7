#include "core/progress.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace harness {

namespace {

constexpr std::chrono::milliseconds kWait{1000};

// Whether the descriptor can be written to, or is closed, within kWait.
bool has_space(int descriptor) {
  pollfd waited{descriptor, POLLOUT, 0};
  return ::poll(&waited, 1, static_cast<int>(kWait.count())) > 0;
}

bool write_all(int descriptor, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

}  // namespace

ProgressPipe& ProgressPipe::instance() {
  static ProgressPipe pipe;
  return pipe;
}

ProgressPipe::ProgressPipe() {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  const char* given = std::getenv("HARNESS_PROGRESS_FD");
  if (given == nullptr || *given == '\0') return;
  char* end = nullptr;
  const long number = std::strtol(given, &end, 10);
  if (*end == '\0' && number >= 0) descriptor_ = static_cast<int>(number);
}

void ProgressPipe::send(const nlohmann::json& content) {
  const std::string line = content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // Until a time of the system clock: the ThreadSanitizer of GCC 12 does not know a lock that waits on the steady one.
  const std::unique_lock<std::timed_mutex> lock(mutex_, std::chrono::system_clock::now() + kWait);
  if (!lock.owns_lock() || descriptor_ < 0 || !has_space(descriptor_)) return;
  if (!write_all(descriptor_, line)) descriptor_ = -1;
}

void ProgressPipe::send(const Error& error) {
  send(nlohmann::json{{"error",
                       {{"what", error.what()},
                        {"why", error.why()},
                        {"next_step", error.next_step()},
                        {"status", static_cast<int>(error.status())}}}});
}

void fail(const Error& error) {
  static std::atomic<bool> failing{false};
  if (failing.exchange(true)) {
    while (true) ::pause();
  }
  ProgressPipe::instance().send(error);
  static_cast<void>(std::fflush(stdout));
  write_all(STDERR_FILENO, error.text() + "\n");
  ::_exit(static_cast<int>(error.status()));
}

Error as_error(const std::exception& error, const std::string& doing, const std::string& next_step) {
  if (const auto* known = dynamic_cast<const Error*>(&error)) return *known;
  return {Status::kFailed, doing, last_line(error.what()), next_step};
}

}  // namespace harness
