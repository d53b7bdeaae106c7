// Errors that a user can act on: what happened, why, and what to run next. The C++ side of code/common/errors.py.
#pragma once

#include <exception>
#include <string>
#include <vector>

namespace harness {

// The exit status of the process.
enum class Status { kDone = 0, kUsage = 2, kMissing = 3, kFailed = 4, kInterrupted = 130 };

// A failure in three lines. Library code throws it; only `main` and `fail` print and exit.
class Error : public std::exception {
 public:
  Error(Status status, std::string what, std::string why = "", std::string next_step = "");

  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  [[nodiscard]] Status status() const noexcept { return status_; }
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  [[nodiscard]] const std::string& next_step() const noexcept { return next_step_; }
  // The text printed on stderr, without a final newline.
  [[nodiscard]] std::string text() const;

 private:
  Status status_;
  std::string what_;
  std::string why_;
  std::string next_step_;
};

// The known name with the fewest edits to `word`, or "" when more than half of it would have to change.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

// "a, b, c".
std::string joined(const std::vector<std::string>& words);

// The last non-blank line: in an SDK's exception text that is the cause.
std::string last_line(const std::string& text);

}  // namespace harness
