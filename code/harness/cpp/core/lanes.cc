#include "core/lanes.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/cost_model.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/topology.h"

namespace harness {

void lane_thread(const std::string& device, const std::vector<int>& cores, const std::function<void()>& work) {
  if (VirtualTime::current() == nullptr) {
    exact_timers();
    bind_thread(cores);
  }
  try {
    work();
  } catch (const std::exception& error) {
    fail(batch_error(error, device));
  }
}

Lanes::Lanes(const RunSpec& spec, Dataset& dataset, const Complete& complete)
    : specs_(spec.devices), engines_(specs_.size()), cores_(specs_.size()) {
  const size_t devices = engines_.size();
  std::vector<std::vector<std::unique_ptr<Stream>>> made(devices);
  std::vector<std::exception_ptr> errors(devices);
  std::vector<std::thread> loading;
  loading.reserve(devices);
  for (size_t device = 0; device < devices; ++device) {
    loading.emplace_back([&, device] {
      try {
        const DeviceSpec& own = specs_[device];
        bind_thread(own.cores);
        engines_[device] = load_engine(spec.engines[own.engine], own);
        cores_[device] = own.cores;
        if (cores_[device].empty()) cores_[device] = engines_[device]->near_cores();
        bind_thread(cores_[device]);
        for (int i = 0; i < own.streams; ++i) made[device].push_back(engines_[device]->stream());
      } catch (const Error& error) {
        errors[device] = std::make_exception_ptr(devices > 1 ? on_device(error, specs_[device].name) : error);
      } catch (...) {
        errors[device] = std::current_exception();
      }
    });
  }
  for (auto& thread : loading) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  for (auto& engine : engines_) dataset.bind(*engine);
  for (size_t device = 0; device < devices; ++device) {
    for (auto& stream : made[device]) {
      lanes_.push_back(std::make_unique<Lane>(dataset, std::move(stream), device, complete));
    }
  }
}

void Lanes::run_all(const std::function<void(Lane&)>& work) {
  std::vector<std::thread> threads;
  threads.reserve(lanes_.size());
  for (auto& lane : lanes_) {
    threads.emplace_back([&, each = lane.get()] {
      lane_thread(specs_[each->device()].name, cores_[each->device()], [&] { work(*each); });
    });
  }
  for (auto& thread : threads) thread.join();
}

void Lanes::warm_up(const Dataset& dataset, size_t limit, double seconds, bool small_first) {
  const std::vector<int32_t>& lengths = dataset.lengths();
  struct Length {
    uint32_t sample = 0;  // one that has it
    size_t count = 0;     // of samples that have it
  };
  std::map<size_t, Length, std::greater<>> found;  // key: padded length
  for (size_t i = 0; i < dataset.count(); ++i) {
    Length& length = found[dataset.computed(lengths[i])];
    length.sample = static_cast<uint32_t>(i);
    ++length.count;
  }
  std::vector<Length> order;
  for (const auto& entry : found) order.push_back(entry.second);
  if (!small_first) {
    std::stable_sort(order.begin(), order.end(), [](const Length& a, const Length& b) { return a.count > b.count; });
  }
  const std::vector<size_t> sizes = usual_sizes(limit);
  const size_t shapes = sizes.size() * order.size();
  const int64_t end = now_ns() + static_cast<int64_t>(seconds * 1e9);
  std::mutex printing;
  run_all([&](Lane& lane) {
    Batch batch;
    // Batches of one size and every length; how many there was time for.
    const auto meet = [&](size_t size) {
      size_t met = 0;
      for (auto at = order.begin(); at != order.end() && now_ns() <= end; ++at, ++met) {
        batch.clear();
        for (size_t i = 0; i < size; ++i) batch.add(0, at->sample, lengths[at->sample]);
        lane.warm_up(batch);
      }
      return met;
    };
    // What a run meets most comes first. What is learned then starts with the shortest calls, which gain most.
    const bool ascending = small_first && lane.learn(false).empty();
    size_t met = ascending ? 0 : meet(limit);
    const bool learns = !lane.learn(true).empty();
    for (const size_t size : sizes) {
      if (size != limit || ascending) {
        met += meet(size);
      } else if (learns) {
        meet(size);
      }
    }
    const std::string learned = lane.learn(false);
    const std::lock_guard<std::mutex> lock(printing);
    std::cout << "warm-up: a lane of device " + specs_[lane.device()].name + " met " + std::to_string(met) + " of " +
                     std::to_string(shapes) + " shapes" + (learned.empty() ? "" : "; " + learned) + "\n"
              << std::flush;
  });
}

}  // namespace harness
