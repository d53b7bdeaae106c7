// Runs the harness binary as its caller does: run.json in a folder, progress on a pipe, exit status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace harness_test {

// A folder of its own below the system's temporary one, removed with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  Folder(Folder&&) = delete;
  Folder& operator=(Folder&&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void write_text(const std::string& path, const std::string& text);
std::string read_text(const std::string& path);
// An int32 array in NumPy's format.
void write_npy(const std::string& path, const std::vector<size_t>& shape, const std::vector<int32_t>& values);

// A float32 one.
void write_npy_floats(const std::string& path, const std::vector<size_t>& shape, const std::vector<float>& values);

// A whole run.json of a null engine on a synthetic data set that logs to `folder`, with a user.conf of `settings` (key
// → value) beside it.
nlohmann::json usual_run(const std::string& folder, const std::string& scenario,
                         const std::vector<std::pair<std::string, double>>& settings);
// One of its devices, "node <index>".
nlohmann::json device(int index, int streams, const std::vector<int>& cores = {});
// A simulated engine's options: `microseconds` for each sample, whatever the batch and the length.
nlohmann::json table(double microseconds_per_sample);

struct Ended {
  int status = -1;  // exit status; -signal when a signal ended it
  std::string output;
  std::vector<nlohmann::json> lines;  // of the progress pipe

  // The error reported on the pipe; null when none.
  [[nodiscard]] nlohmann::json error() const;
};

// Runs the binary with these words to its end. `seen` is called for every progress line with the process's id.
using Seen = std::function<void(const nlohmann::json&, pid_t)>;
Ended run_words(std::vector<std::string> words, const Seen& seen = {});

// The same with `run` as run.json in `folder`, after the options.
Ended run_harness(const nlohmann::json& run, const std::string& folder, std::vector<std::string> options = {},
                  const Seen& seen = {});

}  // namespace harness_test
