#include "core/lane.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/progress.h"

namespace harness {

namespace {

// How long it takes in virtual time to start a batch: the mean on an idle machine. A query that arrives meanwhile can
// go into a second batch at once, after which a lane may have two in flight for seconds.
constexpr int64_t kStartNs = 2'000;

// Each counter has one writer, so a relaxed load and store suffice; no atomic add.
template <typename T>
void add(std::atomic<T>& counter, T amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

Lane::Lane(const Dataset& dataset, std::unique_ptr<Stream> stream, size_t device, Complete complete)
    : dataset_(dataset),
      stream_(std::move(stream)),
      splits_(stream_->splits()),
      device_(device),
      complete_(std::move(complete)),
      slots_(stream_->depth()),
      started_(stream_->depth()) {
  answers_.alive = [this] {
    add(state_.calls, uint64_t{1});
    state_.busy_since.store(now_ns(), std::memory_order_relaxed);
  };
}

std::unique_lock<std::mutex> Lane::shared() {
  return splits_ ? std::unique_lock<std::mutex>(mutex_) : std::unique_lock<std::mutex>(mutex_, std::defer_lock);
}

int64_t Lane::begin(const Batch& batch) {
  const int64_t now = now_ns();
  const auto lock = shared();
  const size_t before = under_way_.load(std::memory_order_relaxed);
  if (before == 0) engaged_ = now;
  under_way_.store(before + 1, std::memory_order_release);
  add(state_.in_flight, static_cast<uint32_t>(batch.size()));
  return now;
}

int64_t Lane::start(const Batch& batch) {
  const int64_t now = begin(batch);
  state_.busy_since.store(now, std::memory_order_relaxed);
  dataset_.enqueue(batch, *stream_);
  computed_ns(kStartNs);
  state_.busy_since.store(0, std::memory_order_relaxed);
  return now;
}

int64_t Lane::finish(const Batch& batch, int64_t started) {
  state_.busy_since.store(now_ns(), std::memory_order_relaxed);
  dataset_.collect(batch, *stream_, answers_);
  state_.busy_since.store(0, std::memory_order_relaxed);
  if (answers_.responses.size() != batch.size()) {
    throw Error(Status::kFailed,
                "the engine answered " + std::to_string(answers_.responses.size()) + " of " +
                    std::to_string(batch.size()) + " samples of a batch",
                "an engine must answer every sample", "rebuild the engine with --force_build");
  }
  complete_(answers_.responses.data(), answers_.responses.size());
  add(state_.completed, static_cast<uint64_t>(batch.size()));
  add(state_.batches, uint64_t{1});
  add(state_.work, static_cast<uint64_t>(batch.size()) * static_cast<uint64_t>(std::max<int32_t>(batch.longest, 0)));
  const int64_t now = now_ns();
  for (const int64_t arrived : batch.arrived) {
    state_.latencies.add(now - arrived);
    intervals_.arrived(arrived);
  }
  if (!batch.arrived.empty()) intervals_.answered(now, batch.arrived.size());
  log_.add({started, now, static_cast<uint32_t>(batch.size()), batch.longest});
  return now;
}

int64_t Lane::service(int64_t started, int64_t now) {
  const int64_t measured = stream_->service_ns();
  const int64_t out = measured > 0 ? measured : now - std::max(started, finished_);
  finished_ = now;
  return out;
}

bool Lane::release(const Batch& batch, int64_t now) {
  const auto lock = shared();
  const size_t left = under_way_.load(std::memory_order_relaxed) - 1;
  under_way_.store(left, std::memory_order_release);
  if (left == 0) add(state_.busy_ns, now - engaged_);
  add(state_.in_flight, 0U - static_cast<uint32_t>(batch.size()));
  if (splits_) changed_.notify_all();
  return left == 0;
}

void Lane::answer(const Batch& batch) {
  release(batch, finish(batch, start(batch)));
}

void Lane::warm_up(const Batch& batch) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    state_.busy_since.store(now_ns(), std::memory_order_relaxed);
    dataset_.enqueue(batch, *stream_);
    dataset_.collect(batch, *stream_, answers_);
    state_.busy_since.store(0, std::memory_order_relaxed);
  }
}

std::string Lane::learn(bool on) {
  stream_->learn(on);
  return stream_->learned();
}

void Lane::serve(BatchSource& source) {
  const size_t depth = slots_.size();
  size_t oldest = 0;
  size_t under_way = 0;
  bool closed = false;
  while (true) {
    while (under_way < depth && !closed) {
      const size_t slot = (oldest + under_way) % depth;
      Asks asks(under_way == 0);
      asks.ahead = under_way > 0;
      const Taken taken = source.take(slots_[slot], asks);
      closed = taken == Taken::kClosed;
      if (taken != Taken::kBatch) break;
      started_[slot] = start(slots_[slot]);
      ++under_way;
    }
    if (under_way == 0) {
      if (closed) return;
      continue;
    }
    int64_t now = 0;
    try {
      now = finish(slots_[oldest], started_[oldest]);
    } catch (const DeviceLost&) {
      give_back(source, oldest, under_way);
      return;
    }
    source.answered(slots_[oldest], service(started_[oldest], now));
    release(slots_[oldest], now);
    oldest = (oldest + 1) % depth;
    --under_way;
  }
}

void Lane::give_back(BatchSource& source, size_t oldest, size_t count) {
  state_.busy_since.store(0, std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) {
    const Batch& batch = slots_[(oldest + i) % slots_.size()];
    source.give_back(batch);
    release(batch, now_ns());
  }
}

void Lane::submit(BatchSource& source) {
  const size_t depth = slots_.size();
  size_t next = 0;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return under_way_.load(std::memory_order_relaxed) < depth; });
    }
    const Taken taken = source.take(slots_[next], {true, &under_way_});
    if (taken == Taken::kClosed) break;
    if (taken != Taken::kBatch) continue;
    stream_->gate().open(depth);
    slots_[next].turn = next;
    started_[next] = now_ns();
    begin(slots_[next]);
    // From here on the other thread collects it, even while this one still feeds the engine.
    changed_.notify_all();
    dataset_.enqueue(slots_[next], *stream_);
    next = (next + 1) % depth;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Lane::complete(BatchSource& source) {
  size_t oldest = 0;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return under_way_.load(std::memory_order_relaxed) > 0 || closed_; });
      if (under_way_.load(std::memory_order_relaxed) == 0) return;
    }
    const int64_t now = finish(slots_[oldest], started_[oldest]);
    source.answered(slots_[oldest], service(started_[oldest], now));
    if (release(slots_[oldest], now)) source.idle();
    oldest = (oldest + 1) % slots_.size();
  }
}

Error batch_error(const std::exception& error, const std::string& device) {
  return on_device(as_error(error, "a batch could not be computed",
                            "rebuild the engine with --force_build; if that does not help, run with "
                            "--backend=onnxruntime to compare"),
                   device);
}

Error on_device(const Error& error, const std::string& device) {
  return {error.status(), "device " + device + ": " + error.what(), error.why(), error.next_step()};
}

}  // namespace harness
