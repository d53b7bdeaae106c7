#include "core/sorted_work.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/clock.h"

namespace harness {

namespace {

constexpr int32_t kCountable = 1 << 16;           // longest length for the counting sort
constexpr size_t kBatchesInWindow = 2048;         // enough for nearly all of them to be full
constexpr size_t kLeastWindow = size_t{1} << 15;  // samples

}  // namespace

void cut_batches(const std::vector<int32_t>& descending, size_t limit, double padding, std::vector<uint32_t>& starts) {
  starts.clear();
  const size_t total = descending.size();
  size_t start = 0;
  while (start < total) {
    starts.push_back(static_cast<uint32_t>(start));
    size_t end = std::min(start + limit, total);
    const auto least = static_cast<int32_t>(static_cast<double>(descending[start]) * (1.0 - std::min(padding, 1.0)));
    if (descending[end - 1] < least) {
      const auto first = descending.begin() + static_cast<ptrdiff_t>(start);
      const auto last = descending.begin() + static_cast<ptrdiff_t>(end);
      end = static_cast<size_t>(std::upper_bound(first, last, least, std::greater<>()) - descending.begin());
    }
    start = end;
  }
  starts.push_back(static_cast<uint32_t>(total));
}

SortedWork::SortedWork(const std::vector<int32_t>& lengths, size_t limit, double padding, bool timed, size_t takers)
    : lengths_(lengths),
      limit_(limit),
      padding_(padding),
      window_(std::clamp(limit * kBatchesInWindow, kLeastWindow, kWindow)),
      timed_(timed),
      takers_(std::max<size_t>(takers, 1)) {
  for (const int32_t length : lengths) longest_ = std::max(longest_, length);
  if (longest_ < kCountable) histogram_.resize(static_cast<size_t>(longest_) + 2);
}

void SortedWork::sort(Window& window, const mlperf::QuerySample* samples, size_t count) {
  window.offered = timed_ ? now_ns() : 0;
  window.samples.resize(count);
  window.lengths.resize(count);
  if (histogram_.empty()) {
    std::copy_n(samples, count, window.samples.begin());
    std::stable_sort(window.samples.begin(), window.samples.end(),
                     [&](const auto& a, const auto& b) { return lengths_[a.index] > lengths_[b.index]; });
    for (size_t i = 0; i < count; ++i) window.lengths[i] = lengths_[window.samples[i].index];
  } else {
    // Counting sort, longest first: one pass counts, one places; `lengths` follow from the counts.
    std::fill(histogram_.begin(), histogram_.end(), 0U);
    for (size_t i = 0; i < count; ++i) ++histogram_[static_cast<size_t>(longest_ - lengths_[samples[i].index]) + 1];
    auto length = window.lengths.begin();
    for (size_t i = 1; i < histogram_.size(); ++i) {
      length = std::fill_n(length, histogram_[i], longest_ - static_cast<int32_t>(i - 1));
      histogram_[i] += histogram_[i - 1];
    }
    for (size_t i = 0; i < count; ++i) {
      window.samples[histogram_[static_cast<size_t>(longest_ - lengths_[samples[i].index])]++] = samples[i];
    }
  }
  cut_batches(window.lengths, limit_, padding_, window.starts);
}

void SortedWork::offer(const mlperf::QuerySample* samples, size_t count) {
  Window& window = windows_.at(filling_);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    taken_.wait(lock, [&] { return window.copied == window.batches; });
    window.batches = window.next = 0;
    window.copied.store(0, std::memory_order_relaxed);
  }
  sort(window, samples, count);
  const std::lock_guard<std::mutex> lock(mutex_);
  window.batches = window.starts.size() - 1;
  filling_ = 1 - filling_;
  if (sleeping_ > 0) offered_.notify_all();
}

void SortedWork::wait_until_taken() {
  std::unique_lock<std::mutex> lock(mutex_);
  taken_.wait(lock,
              [&] { return windows_[0].copied == windows_[0].batches && windows_[1].copied == windows_[1].batches; });
}

void SortedWork::put(const mlperf::QuerySample* samples, size_t count) {
  for (size_t done = 0; done < count; done += window_) offer(samples + done, std::min(window_, count - done));
  wait_until_taken();
}

void SortedWork::give_back(const Batch& batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  returned_.push_back(batch);
  offered_.notify_all();
}

size_t SortedWork::left() const {
  size_t out = 0;
  for (const auto& window : windows_) out += window.batches - window.next;
  return out;
}

Taken SortedWork::take(Batch& batch, const Asks& asks) {
  batch.clear();
  Window* window = nullptr;
  size_t number = 0;
  size_t batches = 0;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      if (!returned_.empty() && !asks.ahead) {
        batch = std::move(returned_.back());
        returned_.pop_back();
        return Taken::kBatch;
      }
      window = &windows_.at(current_);
      if (window->next == window->batches && windows_.at(1 - current_).next < windows_.at(1 - current_).batches) {
        current_ = 1 - current_;
        continue;
      }
      if (window->next < window->batches) {
        // The last batches go to lanes without any, so that none is idle while batches wait at another.
        if (asks.ahead && left() <= takers_) return Taken::kNothing;
        break;
      }
      if (closed_) return Taken::kClosed;
      if (!asks.waits) return Taken::kNothing;
      ++sleeping_;
      offered_.wait(lock);
      --sleeping_;
    }
    number = window->next++;
    batches = window->batches;
  }
  const uint32_t first = window->starts[number];
  const size_t size = window->starts[number + 1] - first;
  batch.ids.resize(size);
  batch.samples.resize(size);
  batch.longest = window->lengths[first];
  for (size_t i = 0; i < size; ++i) {
    const mlperf::QuerySample& sample = window->samples[first + i];
    batch.ids[i] = sample.id;
    batch.samples[i] = static_cast<uint32_t>(sample.index);
  }
  // Prefetch LoadGen's records for the batch this thread takes next: completion reads them first.
  const size_t ahead = std::min<size_t>(number + takers_, window->starts.size() - 2);
  for (size_t i = window->starts[ahead]; i < window->starts[ahead + 1]; ++i) {
    __builtin_prefetch(reinterpret_cast<const void*>(window->samples[i].id));
  }
  if (timed_) batch.arrived.assign(batch.size(), window->offered);
  // The window is filled again once all of its batches have been read, so that it is this thread's until then.
  if (window->copied.fetch_add(1, std::memory_order_acq_rel) + 1 == batches) {
    const std::lock_guard<std::mutex> lock(mutex_);
    taken_.notify_all();
  }
  return Taken::kBatch;
}

void SortedWork::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  offered_.notify_all();
}

size_t SortedWork::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t out = 0;
  for (const auto& window : windows_) {
    if (window.next < window.batches) out += window.starts[window.batches] - window.starts[window.next];
  }
  return out;
}

}  // namespace harness
