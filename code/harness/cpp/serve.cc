// A node of a run over several machines: its lanes answer batches of a head, each over a socket of its own.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/lanes.h"
#include "core/progress.h"
#include "core/remote.h"
#include "core/watch.h"
#include "core/zeromq.h"
#include "run.h"

namespace harness {

namespace {

constexpr int kPollMs = 1000;

std::string variable(const char* name) {
  const char* given = std::getenv(name);
  return given == nullptr ? "" : given;
}

// The source of a lane's batches, and where their answers go.
class Wire : public BatchSource {
 public:
  Wire(const ZeroMq& zeromq, std::unique_ptr<Socket> socket, const Dataset& dataset)
      : socket_(std::move(socket)), lengths_(dataset.lengths()), request_(zeromq.api()), answer_(zeromq.api()) {}

  [[nodiscard]] std::string endpoint() const { return socket_->endpoint(); }

  // A batch's ids are this object and its position in the batch is its order: a lane answers all samples at once.
  Taken take(Batch& batch, const Asks& asks) override {
    if (!socket_->receive(request_, asks.waits ? kPollMs : 0)) return Taken::kNothing;
    RequestHead head;
    const size_t bytes = request_.size();
    if (bytes <= sizeof(head) || (bytes - sizeof(head)) % sizeof(uint32_t) != 0) {
      throw Error(Status::kFailed, "a request has " + std::to_string(bytes) + " bytes", "it is not from a head",
                  "run the same command again");
    }
    std::memcpy(&head, request_.data(), sizeof(head));
    batch.clear();
    const size_t count = (bytes - sizeof(head)) / sizeof(uint32_t);
    for (size_t i = 0; i < count; ++i) {
      uint32_t sample = 0;
      std::memcpy(&sample, request_.data() + sizeof(head) + i * sizeof(sample), sizeof(sample));
      if (sample >= lengths_.size()) {
        throw Error(Status::kFailed, "sample " + std::to_string(sample) + " was asked for",
                    "the data set here has " + std::to_string(lengths_.size()), "compare the nodes: make nodes");
      }
      batch.add(reinterpret_cast<uintptr_t>(this), sample, lengths_[sample]);
    }
    under_way_.push_back({head.number, now_ns()});
    return Taken::kBatch;
  }

  void answer(const mlperf::QuerySampleResponse* responses, size_t count) {
    const Call call = under_way_.front();
    under_way_.erase(under_way_.begin());
    const int64_t now = now_ns();
    uint8_t* into = answer_.resize(answer_size(responses, count));
    write_answer(call.number, now - std::max(call.began, last_), responses, count, into);
    last_ = now;
    socket_->send(answer_);
  }

 private:
  struct Call {
    uint64_t number;
    int64_t began;
  };

  std::unique_ptr<Socket> socket_;
  const std::vector<int32_t>& lengths_;
  Message request_;
  Message answer_;
  std::vector<Call> under_way_;
  int64_t last_ = 0;  // when the last answer was sent, ns
};

void send_answer(mlperf::QuerySampleResponse* responses, size_t count) {
  reinterpret_cast<Wire*>(responses->id)->answer(responses, count);
}

// A node computes when it is asked, so nothing is ever late here: the head watches its lanes.
class Serving : public Watched {
 public:
  explicit Serving(const Lanes& lanes) : lanes_(lanes) {}

  [[nodiscard]] uint64_t issued() const override { return completed(); }
  [[nodiscard]] uint64_t completed() const override {
    uint64_t out = 0;
    for (size_t i = 0; i < lanes_.size(); ++i) out += lanes_.lane(i).state().completed.load(std::memory_order_relaxed);
    return out;
  }
  [[nodiscard]] uint64_t answers() const override { return completed(); }
  [[nodiscard]] double latency_ns(double /*share*/) const override { return 0; }
  [[nodiscard]] int64_t longest_busy_ns(int64_t /*now*/) const override { return 0; }
  [[nodiscard]] std::string describe(int64_t /*now*/) const override { return ""; }

 private:
  const Lanes& lanes_;
};

}  // namespace

void run_node(const RunSpec& spec) {
  const CurveKeys keys = curve_keys_from(kKeysVariable);
  ZeroMq zeromq(variable(kLibraryVariable));
  zeromq.admit(variable(kHeadKeyVariable));
  const auto dataset = spec.dataset.open();
  Watch watch("", spec.watchdog_s);
  watch.enter("load", nullptr);
  std::vector<size_t> all(dataset->count());
  std::iota(all.begin(), all.end(), size_t{0});
  dataset->load(all);
  Lanes lanes(spec, *dataset, send_answer);
  const Serving serving(lanes);
  const Forgets forgets(watch);
  if (spec.warmup_s > 0) {
    watch.enter("warmup", nullptr);
    lanes.warm_up(*dataset, spec.batch.max_samples, spec.warmup_s, spec.scenario == "Server");
  }
  const std::string host = variable(kHostVariable);
  const std::string folder = variable(kFolderVariable);  // on the head's own machine: where Unix sockets are
  std::vector<std::unique_ptr<Wire>> wires;
  nlohmann::json endpoints = nlohmann::json::array();
  for (size_t device = 0; device < lanes.devices(); ++device) endpoints.push_back(nlohmann::json::array());
  for (size_t i = 0; i < lanes.size(); ++i) {
    auto socket = folder.empty() ? zeromq.listen(host.empty() ? "127.0.0.1" : host, keys) : zeromq.listen_in(folder);
    wires.push_back(std::make_unique<Wire>(zeromq, std::move(socket), *dataset));
    endpoints[lanes.lane(i).device()].push_back(wires.back()->endpoint());
  }
  watch.enter("serve", &serving);
  ProgressPipe::instance().send({{"endpoints", endpoints}});
  lanes.run_all([&](Lane& lane) {
    size_t own = 0;
    while (&lanes.lane(own) != &lane) ++own;
    lane.serve(*wires[own]);
  });
}

}  // namespace harness
