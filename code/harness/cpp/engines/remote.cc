// The remote engine: a lane of a node. A stream sends the indices of a batch and receives the samples' responses.
#include "core/remote.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/traffic.h"
#include "core/zeromq.h"
#include "engines/engines.h"

namespace harness {

namespace {

constexpr int kPollMs = 1000;

struct Options {
  std::string library;                 // of ZeroMQ; "": the system's
  std::string node;                    // its name in messages
  std::vector<std::string> endpoints;  // of the node's lanes, one for each stream
  std::string server_key;              // the node's public key
  std::string lost;                    // a file that says that the node is lost, and others take its batches; "": none
  size_t ahead = 1;                    // batches in flight on a lane
  int io_threads = 1;
};

class RemoteStream : public Stream {
 public:
  RemoteStream(const ZeroMq& zeromq, std::unique_ptr<Socket> socket, const Options& options, Traffic& traffic)
      : socket_(std::move(socket)),
        ahead_(options.ahead),
        lost_(options.lost),
        traffic_(traffic),
        request_(zeromq.api()),
        answer_(zeromq.api()) {}

  [[nodiscard]] size_t depth() const override { return ahead_; }

  // Memory for the indices of the samples.
  void* input(size_t /*index*/, const Shape& shape) override {
    uint8_t* into = request_.resize(sizeof(RequestHead) + shape.items() * sizeof(uint32_t));
    const RequestHead head{next_};
    std::memcpy(into, &head, sizeof(head));
    return into + sizeof(head);
  }

  void enqueue(const Work& work) override {
    under_way_.push_back({next_++, now_ns(), work.samples});
    socket_->send(request_);
  }

  // A node that gives no answer is noticed by whoever watches it, who ends this process, or says that it is lost.
  void wait() override {
    while (!socket_->receive(answer_, kPollMs)) {
      if (!lost_.empty() && ::access(lost_.c_str(), F_OK) == 0) throw DeviceLost();
    }
    const Call call = under_way_.front();
    under_way_.pop_front();
    AnswerHead head;
    if (answer_.size() >= sizeof(head)) std::memcpy(&head, answer_.data(), sizeof(head));
    if (answer_.size() < sizeof(head) || head.number != call.number) {
      throw Error(Status::kFailed, "a node answered a batch that was not asked for", "",
                  "see that every node runs the same commit: make nodes");
    }
    // A batch that was sent ahead waits at the node for the one before.
    const int64_t now = now_ns();
    traffic_.add(now - std::max(call.sent, last_), head.held_ns, answer_.size());
    last_ = now;
    answered_ = call.samples;
  }

  Output output(size_t /*index*/) override { return {answer_.data(), {{answer_.size()}, 1}}; }
  [[nodiscard]] size_t answered() const override { return answered_; }

 private:
  struct Call {
    uint64_t number;
    int64_t sent;
    size_t samples;
  };

  std::unique_ptr<Socket> socket_;
  size_t ahead_;
  std::string lost_;
  Traffic& traffic_;
  Message request_;
  Message answer_;
  uint64_t next_ = 1;
  std::deque<Call> under_way_;
  size_t answered_ = 0;
  int64_t last_ = 0;  // when the last answer came, ns
};

class RemoteEngine : public Engine {
 public:
  explicit RemoteEngine(const Options& options)
      : options_(options), keys_(curve_keys_from(kKeysVariable)), zeromq_(options.library, options.io_threads) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return none_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return none_; }
  [[nodiscard]] const Traffic* traffic() const override { return &traffic_; }

  std::unique_ptr<Stream> stream() override {
    const std::string& endpoint = options_.endpoints.at(made_++);
    return std::make_unique<RemoteStream>(zeromq_, zeromq_.connect(endpoint, keys_, options_.server_key), options_,
                                          traffic_);
  }

 private:
  Options options_;
  CurveKeys keys_;
  ZeroMq zeromq_;
  Traffic traffic_;
  std::vector<TensorInfo> none_;
  size_t made_ = 0;
};

class RemoteLoader : public EngineLoader {
 public:
  explicit RemoteLoader(Options options) : options_(std::move(options)) {}

  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& /*spec*/, const DeviceSpec& device) const override {
    if (options_.endpoints.size() != static_cast<size_t>(device.streams)) {
      throw Error(Status::kUsage,
                  "node " + options_.node + " has " + std::to_string(options_.endpoints.size()) + " lanes for " +
                      std::to_string(device.streams) + " streams",
                  "", "run the same command again");
    }
    return std::make_unique<RemoteEngine>(options_);
  }

 private:
  Options options_;
};

}  // namespace

std::shared_ptr<const EngineLoader> read_remote(Reader& options) {
  Options out;
  out.library = options.text("library", 0);
  out.node = options.text("node");
  out.endpoints = options.texts("endpoints", {1});
  out.server_key = options.text("server_key");
  out.lost = options.text("lost", 0);
  out.ahead = static_cast<size_t>(options.whole("ahead", 1, 64));
  out.io_threads = static_cast<int>(options.whole("io_threads", 1, 64));
  return std::make_shared<RemoteLoader>(std::move(out));
}

}  // namespace harness
