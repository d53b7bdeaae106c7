// A Triton server inside this process, shared by the devices whose models it serves.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engines/triton_api.h"

namespace harness {

struct TritonServerOptions {
  std::string library;              // libtritonserver.so
  std::string backends;             // the folder of its backends
  std::string repository;           // the models
  std::vector<std::string> models;  // of each device, by its index; the last one for those beyond
  std::string log;                  // its log file
  std::string statistics;           // where the models' statistics go when it ends
  std::string region_prefix;        // of the Python backend's shared memory
  unsigned buffer_threads = 0;      // that copy the parts of a batch; 0: Triton's default
};

// A tensor as the server describes it.
struct TritonTensor {
  std::string name;
  std::string type;            // Triton's name: "INT64"
  std::vector<int64_t> shape;  // with -1 for what varies, the batch included
};

struct TritonModel {
  std::vector<TritonTensor> inputs;
  std::vector<TritonTensor> outputs;
};

class TritonServer {
 public:
  // The one that serves this repository, which is started where there is none. Throws Error: kMissing without the
  // library, kFailed where the server does not start or a model does not load, with the server's words.
  static std::shared_ptr<TritonServer> of(const TritonServerOptions& options);

  explicit TritonServer(const TritonServerOptions& options);
  // Writes the statistics, unloads the models and ends their processes.
  ~TritonServer();
  TritonServer(const TritonServer&) = delete;
  TritonServer& operator=(const TritonServer&) = delete;
  TritonServer(TritonServer&&) = delete;
  TritonServer& operator=(TritonServer&&) = delete;

  // A model's tensors. Throws Error (kMissing) for one that it does not serve.
  [[nodiscard]] TritonModel model(const std::string& name) const;
  // From here on its statistics are of the test. Thread-safe.
  void begin();
  [[nodiscard]] const TritonApi& api() const { return api_; }
  [[nodiscard]] triton::Server* raw() const { return server_; }

 private:
  void start();
  void require_ready() const;
  [[nodiscard]] std::string text(triton::Message* message) const;
  [[nodiscard]] std::string version() const;
  [[nodiscard]] std::string statistics() const;

  TritonServerOptions options_;
  TritonApi api_;
  triton::Server* server_ = nullptr;
  std::mutex mutex_;
  std::string before_ = "{}";  // its statistics when the test began, JSON
};

}  // namespace harness
