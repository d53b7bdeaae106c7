#include "process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace harness_test {

using nlohmann::json;

Folder::Folder() {
  std::string name = std::filesystem::temp_directory_path().string() + "/harness-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_text(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

namespace {

void write_array(const std::string& path, const std::string& dtype, const std::vector<size_t>& shape, const void* data,
                 size_t bytes) {
  std::string extents;
  for (const size_t extent : shape) extents += std::to_string(extent) + ", ";
  std::string header = "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + extents + "), }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size() & 0xFF)
      << static_cast<char>(header.size() >> 8) << header;
  out.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
}

}  // namespace

void write_npy(const std::string& path, const std::vector<size_t>& shape, const std::vector<int32_t>& values) {
  write_array(path, "<i4", shape, values.data(), values.size() * sizeof(int32_t));
}

void write_npy_floats(const std::string& path, const std::vector<size_t>& shape, const std::vector<float>& values) {
  write_array(path, "<f4", shape, values.data(), values.size() * sizeof(float));
}

json usual_run(const std::string& folder, const std::string& scenario,
               const std::vector<std::pair<std::string, double>>& settings) {
  std::ostringstream conf;
  for (const auto& [key, value] : settings) conf << "bert." << scenario << '.' << key << " = " << value << "\n";
  write_text(folder + "/user.conf", conf.str());
  return {
      {"schema", 4},
      {"benchmark", "bert"},
      {"scenario", scenario},
      {"test_mode", "PerformanceOnly"},
      {"output_dir", folder},
      {"user_conf", folder + "/user.conf"},
      {"audit_conf", ""},
      {"engines", {{{"backend", "null"}, {"folder", ""}, {"precision", "fp32"}, {"options", json::object()}}}},
      {"devices", {device(0, 2)}},
      {"batch", {{"max_samples", 16}, {"timeout_us", 0}, {"padding", 0.25}}},
      {"dataset", {{"kind", "synthetic"}, {"count", 100}, {"lengths", {40, 384, 100, 90}}, {"outputs", {"a", "b"}}}},
      {"seeds", json::object()},
      {"log",
       {{"enable_trace", false},
        {"copy_summary_to_stdout", true},
        {"copy_detail_to_stdout", false},
        {"mode", "AsyncPoll"},
        {"async_poll_interval_ms", 1000}}},
      {"server", {{"issue_threads", 0}, {"soft_drop", 1.0}}},
      {"warmup_s", 0.0},
      {"watchdog_s", 60.0},
      {"expects", {{"min_duration_ms", 0}, {"samples_per_query", 8}}},
      {"record", json::object()}};
}

json device(int index, int streams, const std::vector<int>& cores) {
  return {{"index", index}, {"name", "node " + std::to_string(index)},
          {"pci", ""},      {"engine", 0},
          {"cores", cores}, {"streams", streams},
          {"threads", 0}};
}

json table(double microseconds_per_sample) {
  const double us = microseconds_per_sample;
  return {{"batches", {1, 16}},
          {"lengths", {1, 384}},
          {"microseconds", {{us, us}, {16 * us, 16 * us}}},
          {"slowdown", json::array()},
          {"fault", ""},
          {"fault_after", 0},
          {"load_s", 0.0},
          {"at_once", 1}};
}

json Ended::error() const {
  for (const auto& line : lines) {
    if (line.contains("error")) return line["error"];
  }
  return nullptr;
}

Ended run_words(std::vector<std::string> words, const Seen& seen) {
  const std::string output =
      std::filesystem::temp_directory_path().string() + "/harness-output-" + std::to_string(::getpid());
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
  words.insert(words.begin(), HARNESS_BINARY);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const int file = ::open(output.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    ::setenv("HARNESS_PROGRESS_FD", std::to_string(ends[1]).c_str(), 1);
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Ended ended;
  FILE* lines = ::fdopen(ends[0], "r");
  char* line = nullptr;
  size_t size = 0;
  while (::getline(&line, &size, lines) > 0) {
    ended.lines.push_back(json::parse(line));
    if (seen) seen(ended.lines.back(), child);
  }
  std::free(line);
  std::fclose(lines);
  int status = 0;
  ::waitpid(child, &status, 0);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  ended.output = read_text(output);
  std::filesystem::remove(output);
  return ended;
}

Ended run_harness(const json& run, const std::string& folder, std::vector<std::string> options, const Seen& seen) {
  const std::string file = folder + "/run.json";
  write_text(file, run.dump());
  options.push_back(file);
  return run_words(std::move(options), seen);
}

}  // namespace harness_test
