#include "core/sorted_work.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/clock.h"

namespace harness {

namespace {

constexpr int32_t kCountable = 1 << 16;           // longest length that is sorted by counting
constexpr size_t kBatchesInWindow = 2048;         // enough that nearly all of them are full
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

SortedWork::SortedWork(const std::vector<int32_t>& lengths, size_t limit, double padding, bool timed)
    : lengths_(lengths),
      limit_(limit),
      padding_(padding),
      window_(std::clamp(limit * kBatchesInWindow, kLeastWindow, kWindow)),
      timed_(timed) {
  for (const int32_t length : lengths) longest_ = std::max(longest_, length);
  if (longest_ < kCountable) histogram_.resize(static_cast<size_t>(longest_) + 2);
}

void SortedWork::sort(Window& window, const mlperf::QuerySample* samples, size_t count) {
  window.samples = samples;
  window.offered = timed_ ? now_ns() : 0;
  window.order.resize(count);
  window.lengths.resize(count);
  if (histogram_.empty()) {
    std::iota(window.order.begin(), window.order.end(), 0U);
    std::stable_sort(window.order.begin(), window.order.end(),
                     [&](uint32_t a, uint32_t b) { return lengths_[samples[a].index] > lengths_[samples[b].index]; });
    for (size_t i = 0; i < count; ++i) window.lengths[i] = lengths_[samples[window.order[i]].index];
  } else {
    // Counting sort, longest first: one pass to count, one to place.
    std::fill(histogram_.begin(), histogram_.end(), 0U);
    for (size_t i = 0; i < count; ++i) ++histogram_[static_cast<size_t>(longest_ - lengths_[samples[i].index]) + 1];
    for (size_t i = 1; i < histogram_.size(); ++i) histogram_[i] += histogram_[i - 1];
    for (size_t i = 0; i < count; ++i) {
      const int32_t length = lengths_[samples[i].index];
      const uint32_t place = histogram_[static_cast<size_t>(longest_ - length)]++;
      window.order[place] = static_cast<uint32_t>(i);
      window.lengths[place] = length;
    }
  }
  cut_batches(window.lengths, limit_, padding_, window.starts);
}

void SortedWork::offer(const mlperf::QuerySample* samples, size_t count) {
  Window& window = windows_.at(filling_);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    taken_.wait(lock, [&] { return window.copied == window.batches; });
    window.batches = window.next = window.copied = 0;
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

Taken SortedWork::take(Batch& batch, bool wait) {
  batch.clear();
  Window* window = nullptr;
  size_t number = 0;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      window = &windows_.at(current_);
      if (window->next == window->batches && windows_.at(1 - current_).next < windows_.at(1 - current_).batches) {
        current_ = 1 - current_;
        continue;
      }
      if (window->next < window->batches) break;
      if (closed_) return Taken::kClosed;
      if (!wait) return Taken::kNothing;
      ++sleeping_;
      offered_.wait(lock);
      --sleeping_;
    }
    number = window->next++;
  }
  const uint32_t first = window->starts[number];
  const size_t size = window->starts[number + 1] - first;
  batch.ids.resize(size);
  batch.samples.resize(size);
  batch.longest = window->lengths[first];
  for (size_t i = 0; i < size; ++i) {
    const mlperf::QuerySample& sample = window->samples[window->order[first + i]];
    // LoadGen's record of the sample is what its completion reads first.
    __builtin_prefetch(reinterpret_cast<const void*>(sample.id));
    batch.ids[i] = sample.id;
    batch.samples[i] = static_cast<uint32_t>(sample.index);
  }
  if (timed_) batch.arrived.assign(batch.size(), window->offered);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (++window->copied == window->batches) taken_.notify_all();
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
