// Short measurement of the engine on this machine, for config values that are left to it. The C++ counterpart of
// code/harness/python/probe.py.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "core/clock.h"
#include "core/lanes.h"
#include "core/progress.h"
#include "core/sorted_work.h"
#include "core/topology.h"
#include "core/watch.h"
#include "run.h"
#include "scenarios/sut.h"

namespace harness {

namespace {

constexpr size_t kSamples = 512;
constexpr double kLeastS = 1.5;
constexpr double kMeetingS = 0.7;
constexpr double kSinglesS = 0.4;
constexpr double kArrivingS = 1.0;
constexpr double kMostArrivingS = 2.5;
constexpr size_t kArrivals = 150;
constexpr double kLoad = 0.85;      // of what lanes complete in batches of one
constexpr size_t kLeastAlone = 20;  // batches of one sample that a mean needs

// Samples spread evenly over the data set, as one LoadGen query.
std::vector<mlperf::QuerySample> spread(size_t count) {
  const size_t chosen = std::min(kSamples, count);
  std::vector<mlperf::QuerySample> out(chosen);
  for (size_t i = 0; i < chosen; ++i) {
    out[i].index = chosen == 1 ? 0 : i * (count - 1) / (chosen - 1);
    out[i].id = i + 1;
  }
  return out;
}

std::vector<Batch> batches_of(const std::vector<mlperf::QuerySample>& samples, const RunSpec& spec,
                              const Dataset& dataset) {
  SortedWork work(dataset.lengths(), spec.batch.max_samples, spec.batch.padding, false);
  work.offer(samples.data(), samples.size());
  std::vector<Batch> out(1);
  while (work.take(out.back(), false) == Taken::kBatch) out.emplace_back();
  out.pop_back();
  return out;
}

double mean_length(const Dataset& dataset) {
  const auto& lengths = dataset.lengths();
  return std::accumulate(lengths.begin(), lengths.end(), 0.0) / static_cast<double>(lengths.size());
}

// Samples per second over complete passes of `batches` for at least `least_s`; at least one pass.
double throughput(Lanes& lanes, const std::vector<Batch>& batches, double least_s) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  size_t end = batches.size();
  std::atomic<uint64_t> samples{0};
  const int64_t start = now_ns();
  lanes.run_all([&](Lane& lane) {
    while (true) {
      const size_t number = next.fetch_add(1);
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (number >= end) {
          if (static_cast<double>(now_ns() - start) >= least_s * 1e9) return;
          end = (number / batches.size() + 1) * batches.size();
        }
      }
      const Batch& batch = batches[number % batches.size()];
      lane.answer(batch);
      samples.fetch_add(batch.size());
    }
  });
  return static_cast<double>(samples.load()) * 1e9 / static_cast<double>(now_ns() - start);
}

// The same for a part of the samples: extrapolates by length from those computed in `least_s`, at least one per lane.
// Each lane's rate ends with its own last sample, which may be long after another lane's.
double throughput_by_length(Lanes& lanes, const std::vector<Batch>& batches, const Dataset& dataset, double least_s) {
  const double mean = mean_length(dataset);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  double rate = 0;
  lanes.run_all([&](Lane& lane) {
    const int64_t start = now_ns();
    double samples = 0;
    double seconds = 0;
    do {
      const Batch& batch = batches[next.fetch_add(1) % batches.size()];
      lane.answer(batch);
      for (const uint32_t sample : batch.samples) samples += dataset.lengths()[sample] / mean;
      seconds = static_cast<double>(now_ns() - start) / 1e9;
    } while (seconds < least_s);
    const std::lock_guard<std::mutex> lock(mutex);
    rate += samples / seconds;
  });
  return rate;
}

// Latency of single-sample batches, ns: the median, or extrapolated by length as above.
double latency_ns(Lane& lane, const std::vector<mlperf::QuerySample>& samples, const Dataset& dataset) {
  std::vector<int64_t> times;
  double all = 0;
  double lengths = 0;
  Batch batch;
  for (size_t i = 0; i < std::max<size_t>(1, samples.size() / 4); ++i) {
    batch.clear();
    batch.add(samples[i].id, static_cast<uint32_t>(samples[i].index), dataset.lengths()[samples[i].index]);
    const int64_t start = now_ns();
    lane.answer(batch);
    times.push_back(now_ns() - start);
    all += static_cast<double>(times.back());
    lengths += batch.longest;
    if (dataset.proportional() && all >= kLeastS * 1e9) break;
  }
  if (dataset.proportional()) return all / lengths * mean_length(dataset);
  std::sort(times.begin(), times.end());
  const size_t middle = times.size() / 2;
  if (times.size() % 2 == 1) return static_cast<double>(times[middle]);
  return static_cast<double>(times[middle - 1] + times[middle]) / 2;
}

// Samples per second in batches of one, on all lanes at the same time.
double singles_per_second(Lanes& lanes, const std::vector<mlperf::QuerySample>& samples, const Dataset& dataset) {
  std::vector<Batch> singles(samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    singles[i].add(samples[i].id, static_cast<uint32_t>(samples[i].index), dataset.lengths()[samples[i].index]);
  }
  return throughput_by_length(lanes, singles, dataset, kSinglesS);
}

// The same where samples arrive at random and go through the queue of a Server run: batches of other sizes come
// between, lanes fall idle, and the thread that issues takes its share of the processors, all of which a batch of one
// pays for. `rate`: without that. It stands where too few samples were alone.
double arriving_per_second(const RunSpec& spec, Lanes& lanes, const std::vector<mlperf::QuerySample>& samples,
                           const Dataset& dataset, double rate) {
  // NOLINTNEXTLINE(bugprone-random-generator-seed,cert-msc32-c,cert-msc51-cpp): two probes measure the same work.
  std::mt19937_64 random(3);
  std::exponential_distribution<double> gap_ns(kLoad * rate / 1e9);
  exact_timers();
  const int64_t start = now_ns();
  const auto sut = make_server_sut(spec, {}, lanes, dataset);
  double at = 0;
  for (size_t i = 0; at < kArrivingS * 1e9 || (i < kArrivals && at < kMostArrivingS * 1e9); ++i) {
    at += gap_ns(random);
    sleep_until_ns(start + static_cast<int64_t>(at));
    sut->issue(&samples[i % samples.size()], 1);
  }
  sut->flush();
  sut->close();
  size_t alone = 0;
  double ns = 0;
  double length = 0;
  for (size_t i = 0; i < lanes.size(); ++i) {
    for (const auto& entry : lanes.lane(i).log().entries()) {
      if (entry.begin < start || entry.samples != 1) continue;
      ++alone;
      ns += static_cast<double>(entry.end - entry.begin);
      length += entry.longest;
    }
  }
  if (alone < kLeastAlone) return rate;
  return static_cast<double>(lanes.size()) * 1e9 * length / mean_length(dataset) / ns;
}

// A fixed seed, so that two probes measure the same work.
template <typename T>
void mix(std::vector<T>& items, unsigned seed) {
  // NOLINTNEXTLINE(bugprone-random-generator-seed,cert-msc32-c,cert-msc51-cpp)
  std::shuffle(items.begin(), items.end(), std::mt19937(seed));
}

double measured_rate(Lanes& lanes, std::vector<Batch> batches, const Dataset& dataset) {
  if (!dataset.proportional()) {
    throughput(lanes, batches, 0);
    return throughput(lanes, batches, kLeastS);
  }
  lanes.run_all([&](Lane& lane) { lane.warm_up(batches.back()); });  // the shortest; one call per lane suffices
  mix(batches, 0);
  return throughput_by_length(lanes, batches, dataset, kLeastS);
}

// Lets a Watch observe the lanes; it is issued nothing.
class ProbedLanes : public Sut {
 public:
  using Sut::Sut;

 protected:
  void accept(const mlperf::QuerySample* /*samples*/, size_t /*count*/) override {}
  [[nodiscard]] size_t waiting(size_t /*device*/) const override { return 0; }
};

}  // namespace

void run_probe(const RunSpec& spec) {
  const auto dataset = spec.dataset.open();
  Watch watch("", spec.watchdog_s);
  watch.enter("load", nullptr);
  Lanes lanes(spec, *dataset, [](mlperf::QuerySampleResponse*, size_t) {});
  const ProbedLanes probed(lanes);
  const Forgets forgets(watch);
  watch.enter("probe", &probed);
  auto samples = spread(dataset->count());
  const double rate = measured_rate(lanes, batches_of(samples, spec, *dataset), *dataset);
  if (!dataset->proportional()) lanes.warm_up(*dataset, 1, kMeetingS, true);
  mix(samples, 1);
  const double latency = latency_ns(lanes.lane(0), samples, *dataset);
  const double per_query = spec.samples_per_query;
  nlohmann::json found = {
      {"samples_per_second", rate}, {"latency_ns", latency}, {"query_latency_ns", per_query / rate * 1e9}};
  if (!dataset->proportional()) {
    double singles = singles_per_second(lanes, samples, *dataset);
    // On a GPU a batch's time holds what it waits for others.
    const bool on_gpus = std::any_of(spec.devices.begin(), spec.devices.end(),
                                     [](const DeviceSpec& device) { return !device.pci.empty(); });
    if (!on_gpus) singles = arriving_per_second(spec, lanes, samples, *dataset, singles);
    found["singles_per_second"] = singles;
  }
  const nlohmann::json answer = {{"probe", found}};
  ProgressPipe::instance().send(answer);
  std::cout << answer.dump() << "\n" << std::flush;
}

}  // namespace harness
