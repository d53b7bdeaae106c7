#include "engines/triton_server.h"

#include <sched.h>
#include <unistd.h>

#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"

namespace harness {

namespace {

constexpr unsigned kUnloadS = 15;
constexpr const char* kStart = "Triton cannot be started in this process";
constexpr const char* kLog = "see the server's log, triton.txt";

// Threads and processes of the server may run wherever this process may, not only on the cores of the device whose
// thread starts it: the models bind themselves.
void leave_cores() {
  cpu_set_t all;
  if (::sched_getaffinity(::getpid(), sizeof(all), &all) == 0) ::sched_setaffinity(0, sizeof(all), &all);
}

// The reason comes first, then where in the model's code it happened.
std::string first_line(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? "it gave no reason" : text.substr(begin, text.find('\n', begin) - begin);
}

std::vector<TritonTensor> tensors(const nlohmann::json& listed) {
  std::vector<TritonTensor> out;
  for (const auto& one : listed) {
    out.push_back({one.at("name").get<std::string>(), one.at("datatype").get<std::string>(),
                   one.value("shape", std::vector<int64_t>{})});
  }
  return out;
}

}  // namespace

std::shared_ptr<TritonServer> TritonServer::of(const TritonServerOptions& options) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<TritonServer>> running;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<TritonServer> found = running[options.repository].lock();
  if (found == nullptr) {
    found = std::make_shared<TritonServer>(options);
    running[options.repository] = found;
  }
  return found;
}

TritonServer::TritonServer(const TritonServerOptions& options) : options_(options), api_(options.library) {
  std::exception_ptr failed;
  std::thread starting([&] {
    leave_cores();
    try {
      start();
    } catch (...) {
      failed = std::current_exception();
    }
  });
  starting.join();
  if (failed) std::rethrow_exception(failed);
}

TritonServer::~TritonServer() {
  if (server_ == nullptr) return;
  if (!options_.statistics.empty()) {
    const auto parsed = [](const std::string& found) { return nlohmann::json::parse(found, nullptr, false); };
    const nlohmann::json content = {
        {"version", version()}, {"before", parsed(before_)}, {"after", parsed(statistics())}};
    std::ofstream(options_.statistics) << content.dump() << "\n";
  }
  api_.drop(api_.ServerStop(server_));
  api_.drop(api_.ServerDelete(server_));
}

void TritonServer::start() {
  triton::Options* made = nullptr;
  api_.require(api_.ServerOptionsNew(&made), kStart);
  const auto drop = [this](triton::Options* options) { api_.drop(api_.ServerOptionsDelete(options)); };
  const std::unique_ptr<triton::Options, decltype(drop)> options(made, drop);
  api_.require(api_.ServerOptionsSetModelRepositoryPath(made, options_.repository.c_str()), kStart);
  api_.require(api_.ServerOptionsSetBackendDirectory(made, options_.backends.c_str()), kStart);
  api_.require(
      api_.ServerOptionsSetBackendConfig(made, "python", "shm-region-prefix-name", options_.region_prefix.c_str()),
      kStart);
  if (!options_.log.empty()) api_.require(api_.ServerOptionsSetLogFile(made, options_.log.c_str()), kStart);
  api_.require(api_.ServerOptionsSetStrictModelConfig(made, true), kStart);
  // Without a value the library looks at the repository every few seconds, and tries a model that does not load as
  // often as an uninitialised number says (2.51).
  api_.require(api_.ServerOptionsSetModelControlMode(made, triton::kControlNone), kStart);
  api_.require(api_.ServerOptionsSetModelLoadRetryCount(made, 0), kStart);
  // A model that does not load is named by `require_ready`, with its reason.
  api_.require(api_.ServerOptionsSetExitOnError(made, false), kStart);
  api_.require(api_.ServerOptionsSetExitTimeout(made, kUnloadS), kStart);
  api_.require(api_.ServerOptionsSetMetrics(made, false), kStart);
  if (options_.buffer_threads > 0) {
    api_.require(api_.ServerOptionsSetBufferManagerThreadCount(made, options_.buffer_threads), kStart);
  }
  api_.require(api_.ServerNew(&server_, made), kStart);
  try {
    require_ready();
  } catch (...) {
    api_.drop(api_.ServerStop(server_));
    api_.drop(api_.ServerDelete(server_));
    server_ = nullptr;
    throw;
  }
}

void TritonServer::require_ready() const {
  bool ready = false;
  const std::string words = api_.words(api_.ServerIsReady(server_, &ready));
  if (ready) return;
  triton::Message* message = nullptr;
  api_.require(api_.ServerModelIndex(server_, 0, &message), kStart);
  const auto listed = nlohmann::json::parse(text(message), nullptr, false);
  for (const auto& one : listed) {
    if (one.is_object() && one.value("state", "") != "READY") {
      throw Error(Status::kFailed, "the Triton server did not start",
                  one.value("name", "") + ": " + first_line(one.value("reason", "")), kLog);
    }
  }
  throw Error(Status::kFailed, "the Triton server did not start", words.empty() ? "it is not ready" : words, kLog);
}

TritonModel TritonServer::model(const std::string& name) const {
  bool ready = false;
  const std::string words = api_.words(api_.ServerModelIsReady(server_, name.c_str(), triton::kAnyVersion, &ready));
  if (!ready) {
    throw Error(Status::kMissing, "Triton does not serve " + name, words,
                "run the same command again, which writes the model repository");
  }
  triton::Message* message = nullptr;
  api_.require(api_.ServerModelMetadata(server_, name.c_str(), triton::kAnyVersion, &message),
               "Triton does not describe " + name);
  const auto found = nlohmann::json::parse(text(message), nullptr, false);
  if (!found.is_object()) throw Error(Status::kFailed, "Triton does not describe " + name, "", kLog);
  return {tensors(found.value("inputs", nlohmann::json::array())),
          tensors(found.value("outputs", nlohmann::json::array()))};
}

std::string TritonServer::text(triton::Message* message) const {
  const char* base = nullptr;
  size_t bytes = 0;
  const std::string words = api_.words(api_.MessageSerializeToJson(message, &base, &bytes));
  std::string out = words.empty() && base != nullptr ? std::string(base, bytes) : "";
  api_.drop(api_.MessageDelete(message));
  return out;
}

std::string TritonServer::version() const {
  triton::Message* message = nullptr;
  if (!api_.words(api_.ServerMetadata(server_, &message)).empty()) return "";
  const auto found = nlohmann::json::parse(text(message), nullptr, false);
  return found.is_object() ? found.value("version", "") : "";
}

std::string TritonServer::statistics() const {
  triton::Message* message = nullptr;
  if (!api_.words(api_.ServerModelStatistics(server_, "", triton::kAnyVersion, &message)).empty()) return "{}";
  const std::string found = text(message);
  return found.empty() ? "{}" : found;
}

void TritonServer::begin() {
  const std::string found = statistics();
  const std::lock_guard<std::mutex> lock(mutex_);
  before_ = found;
}

}  // namespace harness
