// What the C++ harness reads, at random: run.json and arrays. An input is one byte that says which, and the content.
//
// Anything but an Error with a status of its own is a fault: an exception, a crash, and what the sanitizers find.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/dataset.h"
#include "core/error.h"
#include "core/npy.h"
#include "core/run_spec.h"

namespace {

using harness::Error;
using harness::NpyArray;

// A file in memory that a path names.
class Content {
 public:
  explicit Content(const std::string& text) : file_(::memfd_create("input", MFD_CLOEXEC)) {
    if (file_ < 0 || ::write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  }
  ~Content() { ::close(file_); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  Content(Content&&) = delete;
  Content& operator=(Content&&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

void read_run(const std::string& text) {
  const auto run = harness::parse_run_spec(text, "run.json");
  static_cast<void>(run.lanes());
  // A data set of random lengths takes as much memory as run.json asks for.
  if (run.dataset.kind != "synthetic" || run.dataset.count < 1'000'000) static_cast<void>(run.dataset.open());
}

template <typename T>
double sum(const NpyArray& array) {
  double out = 0;
  for (size_t row = 0; row < array.rows() && row < 100; ++row) {
    array.touch(row);
    for (size_t at = 0; at < array.row_items() && at < 1000; ++at) out += static_cast<double>(array.row<T>(row)[at]);
  }
  return out;
}

void read_array(const std::string& content) {
  const Content file(content);
  const NpyArray array(file.path());
  volatile double total = 0;
  switch (array.item_size()) {
    case 1:
      total = sum<uint8_t>(array);
      break;
    case 2:
      total = sum<uint16_t>(array);
      break;
    case 4:
      total = sum<uint32_t>(array);
      break;
    case 8:
      total = sum<uint64_t>(array);
      break;
    default:
      break;
  }
  static_cast<void>(total);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string content(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if ((data[0] & 1) == 0) {
      read_run(content);
    } else {
      read_array(content);
    }
  } catch (const Error& error) {
    if (std::string(error.what()).empty() || error.next_step().empty()) std::abort();
  }
  return 0;
}
