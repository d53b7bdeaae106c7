#include "scenarios/sut.h"

#include <algorithm>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/latencies.h"

namespace harness {

uint64_t Sut::completed() const {
  uint64_t out = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) out += lanes_.lane(i).state().completed.load(std::memory_order_relaxed);
  return out;
}

uint64_t Sut::work() const {
  uint64_t out = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) out += lanes_.lane(i).state().work.load(std::memory_order_relaxed);
  return out;
}

uint64_t Sut::answers() const {
  uint64_t out = completed();
  for (size_t i = 0; i < lanes_.size(); ++i) out += lanes_.lane(i).state().calls.load(std::memory_order_relaxed);
  return out;
}

double Sut::latency_ns(double share) const {
  std::vector<uint64_t> counts(Latencies::kBuckets);
  for (size_t i = 0; i < lanes_.size(); ++i) lanes_.lane(i).state().latencies.add_to(counts);
  return percentile_ns(counts, share);
}

int64_t Sut::longest_busy_ns(int64_t now) const {
  int64_t out = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const int64_t since = lanes_.lane(i).state().busy_since.load(std::memory_order_relaxed);
    if (since != 0) out = std::max(out, now - since);
  }
  return out;
}

std::string Sut::describe(int64_t now) const {
  std::ostringstream out;
  out << issued() << " samples issued, " << completed() << " completed";
  for (size_t device = 0; device < lanes_.devices(); ++device) {
    out << "; device " << lanes_.device(device).name << ": " << waiting(device) << " waiting";
    for (size_t i = 0; i < lanes_.size(); ++i) {
      const Lane& lane = lanes_.lane(i);
      if (lane.device() != device) continue;
      const int64_t since = lane.state().busy_since.load(std::memory_order_relaxed);
      out << ", lane " << i << ' ';
      if (since == 0) {
        out << "idle";
      } else {
        out << "in the engine for " << (now - since) / 1'000'000 << " ms with "
            << lane.state().in_flight.load(std::memory_order_relaxed) << " samples";
      }
    }
  }
  return out.str();
}

void Sut::start(size_t first, const std::vector<BatchSource*>& source_of_lane) {
  for (size_t i = first; i < lanes_.size(); ++i) {
    Lane& lane = lanes_.lane(i);
    BatchSource* source = source_of_lane[i];
    const auto run = [this, &lane](std::function<void()> work) {
      workers_.start([this, &lane, work = std::move(work)] {
        lane_thread(lanes_.device(lane.device()).name, lanes_.cores(lane.device()), work);
      });
    };
    if (lane.splits()) {
      run([&lane, source] { lane.submit(*source); });
      run([&lane, source] { lane.complete(*source); });
    } else {
      run([&lane, source] { lane.serve(*source); });
    }
  }
}

std::unique_ptr<Sut> make_sut(const RunSpec& spec, const ServerBound& bound, Lanes& lanes, const Dataset& dataset) {
  if (spec.scenario == "Server") return make_server_sut(spec, bound, lanes, dataset);
  if (spec.scenario == "SingleStream" || (spec.scenario == "MultiStream" && lanes.size() == 1)) {
    return make_inline_sut(spec, lanes, dataset);
  }
  return make_sorted_sut(spec, lanes, dataset);
}

}  // namespace harness
