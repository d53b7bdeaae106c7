// System under test for Server: each query goes to the least loaded device and waits there for its batch.
#include <memory>
#include <vector>

#include "core/arrival_queue.h"
#include "core/clock.h"
#include "scenarios/sut.h"

namespace harness {

namespace {

class ServerSut : public Sut {
 public:
  ServerSut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes, const Dataset& dataset) : Sut(lanes) {
    QueuePolicy policy;
    policy.limit = spec.batch.max_samples;
    policy.padding = spec.batch.padding;
    policy.timeout_ns = static_cast<int64_t>(spec.batch.timeout_us * 1000);
    policy.bound_ns = bound.latency_ns;
    policy.must_hold = bound.must_hold;
    for (size_t i = 0; i < lanes.devices(); ++i) {
      queues_.push_back(std::make_unique<ArrivalQueue>(dataset.lengths(), policy));
    }
    std::vector<BatchSource*> source_of_lane;
    source_of_lane.reserve(lanes.size());
    for (size_t i = 0; i < lanes.size(); ++i) source_of_lane.push_back(queues_[lanes.lane(i).device()].get());
    start(0, source_of_lane);
  }

  void flush() override {
    for (auto& queue : queues_) queue->flush();
  }

  void close() override {
    for (auto& queue : queues_) queue->close();
    join();
  }

 protected:
  void accept(const mlperf::QuerySample* samples, size_t count) override {
    const int64_t now = now_ns();
    if (count == 1) {
      const auto sample = static_cast<uint32_t>(samples->index);
      least_loaded().put(&samples->id, &sample, 1, now);
      return;
    }
    // Split a coalesced query into one part per device.
    thread_local std::vector<uintptr_t> ids;
    thread_local std::vector<uint32_t> indices;
    ids.clear();
    indices.clear();
    for (size_t i = 0; i < count; ++i) {
      ids.push_back(samples[i].id);
      indices.push_back(static_cast<uint32_t>(samples[i].index));
    }
    const size_t part = (count + queues_.size() - 1) / queues_.size();
    for (size_t done = 0; done < count; done += part) {
      least_loaded().put(ids.data() + done, indices.data() + done, std::min(part, count - done), now);
    }
  }

  [[nodiscard]] size_t waiting(size_t device) const override { return queues_[device]->waiting(); }

 private:
  [[nodiscard]] ArrivalQueue& least_loaded() {
    size_t best = 0;
    for (size_t i = 1; i < queues_.size(); ++i) {
      if (queues_[i]->load() < queues_[best]->load()) best = i;
    }
    return *queues_[best];
  }

  std::vector<std::unique_ptr<ArrivalQueue>> queues_;
};

}  // namespace

std::unique_ptr<Sut> make_server_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes,
                                     const Dataset& dataset) {
  return std::make_unique<ServerSut>(spec, bound, lanes, dataset);
}

}  // namespace harness
