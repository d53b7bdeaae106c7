// Progress as JSON lines on a pipe, the same lines as code/harness/python/progress.py, and the one way a harness ends
// badly.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>

#include "core/error.h"

namespace harness {

// The writing end of the pipe in HARNESS_PROGRESS_FD; silent when nobody listens. Thread-safe.
class ProgressPipe {
 public:
  static ProgressPipe& instance();

  // One line. A reader that went away is no reason to stop.
  void send(const nlohmann::json& content);
  // Why this process is about to end.
  void send(const Error& error);

 private:
  ProgressPipe();

  std::mutex mutex_;
  int descriptor_ = -1;
};

// Says the error on the pipe and on stderr and ends the process at once with its status: LoadGen has no way to stop a
// test. The first caller is heard; any other waits for the end. Nothing is destroyed, because other threads still run.
[[noreturn]] void fail(const Error& error);

// Turns whatever was thrown while `doing` into an Error (kFailed unless it is one already).
Error as_error(const std::exception& error, const std::string& doing, const std::string& next_step);

}  // namespace harness
