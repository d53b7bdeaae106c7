// Progress and fatal errors as JSON lines on a pipe, in the format of code/harness/python/progress.py.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>

#include "core/error.h"

namespace harness {

// Writes to the pipe in HARNESS_PROGRESS_FD; does nothing when the variable is unset. Thread-safe.
class ProgressPipe {
 public:
  static ProgressPipe& instance();

  // Writes one line. A closed pipe is ignored, and so is one that stays full for a second: progress reporting must
  // never stop a run, nor hold a process that ends.
  void send(const nlohmann::json& content);
  // Reports the error that ends this process.
  void send(const Error& error);

 private:
  ProgressPipe();

  std::timed_mutex mutex_;
  int descriptor_ = -1;
};

// Reports the error on the pipe and on stderr and exits at once with its status: LoadGen cannot stop a test. Only the
// first caller reports; others block until exit. No destructors run, because other threads are still running.
[[noreturn]] void fail(const Error& error);

// Converts any exception thrown while `doing` into an Error (kFailed unless it is one already).
Error as_error(const std::exception& error, const std::string& doing, const std::string& next_step);

}  // namespace harness
