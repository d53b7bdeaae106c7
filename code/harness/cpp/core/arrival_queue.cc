#include "core/arrival_queue.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"

namespace harness {

namespace {

// At high arrival rates an idle lane polls at this interval instead of being woken by each query: a wake-up costs the
// issuing thread several times as much as issuing a query.
constexpr int64_t kPollNs = 25'000;
constexpr int kEmptyPolls = 4;
constexpr double kSafety = 1.25;  // factor on a batch's expected service time, for the deadline by which it closes
constexpr double kShort = 0.25;   // of the target latency: a full batch that takes less makes nothing late

int32_t greatest(const std::vector<int32_t>& lengths) {
  return lengths.empty() ? 1 : *std::max_element(lengths.begin(), lengths.end());
}

}  // namespace

void ArrivalQueue::Fifo::pop() {
  ++head_;
  if (head_ == items_.size()) {
    items_.clear();
    head_ = 0;
  } else if (head_ >= 4096 && head_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

ArrivalQueue::ArrivalQueue(const std::vector<int32_t>& lengths, QueuePolicy policy)
    : lengths_(lengths), policy_(policy), costs_(policy.limit, greatest(lengths)) {
  classify();
}

void ArrivalQueue::classify() {
  int32_t longest = 1;
  for (const int32_t length : lengths_) longest = std::max(longest, length);
  // From the longest down, each class is as wide as the padding allows. Lengths beyond the table share one class.
  constexpr int32_t kMost = 1 << 20;
  if (longest > kMost) longest = 0;
  class_of_length_.assign(static_cast<size_t>(longest) + 1, 0);
  std::vector<int32_t> tops;
  for (int32_t top = longest; top > 0;) {
    tops.push_back(top);
    if (tops.size() == 4096) break;
    top = std::min(top - 1, static_cast<int32_t>(std::ceil(top * (1.0 - std::min(policy_.padding, 1.0)))) - 1);
  }
  std::reverse(tops.begin(), tops.end());
  if (tops.empty()) tops.push_back(0);
  size_t number = 0;
  for (int32_t length = 0; length <= longest; ++length) {
    while (number + 1 < tops.size() && length > tops[number]) ++number;
    class_of_length_[static_cast<size_t>(length)] = static_cast<uint16_t>(number);
  }
  classes_.resize(tops.size());
  tops_ = std::move(tops);
}

void ArrivalQueue::put(const uintptr_t* ids, const uint32_t* samples, size_t count, int64_t now) {
  int64_t added = 0;
  bool wake = false;
  bool wake_busy = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool was_empty = waiting_.load(std::memory_order_relaxed) == 0;
    for (size_t i = 0; i < count; ++i) {
      const int32_t length = lengths_[samples[i]];
      const auto place = std::min(static_cast<size_t>(length), class_of_length_.size() - 1);
      classes_[class_of_length_[place]].push({ids[i], now, samples[i]});
      added += length;
    }
    arrived_count_ += count;
    load_.fetch_add(added, std::memory_order_relaxed);
    waiting_.store(waiting_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    const bool full = waiting_.load(std::memory_order_relaxed) - late_count_ >= policy_.limit;
    wake = filling_ > 0 ? full : idle_ > 0 && !polled_;
    // A queue that was empty has a deadline now.
    wake_busy = busy_ > 0 && (full || (policy_.bound_ns > 0 && was_empty));
  }
  if (wake) changed_.notify_one();
  if (wake_busy) busy_changed_.notify_one();
}

void ArrivalQueue::flush() {
  const std::lock_guard<std::mutex> lock(mutex_);
  flushed_ = true;
  changed_.notify_all();
  busy_changed_.notify_all();
}

void ArrivalQueue::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  busy_changed_.notify_all();
}

void ArrivalQueue::idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (busy_ > 0) busy_changed_.notify_all();
}

size_t ArrivalQueue::oldest_class() const {
  size_t best = classes_.size();
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (classes_[i].empty()) continue;
    if (best == classes_.size() || classes_[i].front().arrived < classes_[best].front().arrived) best = i;
  }
  return best;
}

template <typename Use>
void ArrivalQueue::candidates(size_t first, const Use& use) const {
  const int32_t length = lengths_[classes_[first].front().sample];
  size_t left = policy_.limit;
  // Whether queries further away may be candidates, too.
  const auto all_of = [&](size_t which) {
    const Fifo& queries = classes_[which];
    const size_t count = std::min(left, queries.size());
    size_t at = 0;
    const auto near = [&](const Query& query) {
      return std::abs(lengths_[query.sample] - length) <= policy_.padding * length;
    };
    while (at < count && (which == first || near(queries.at(at)))) ++at;
    left -= at;
    if (at > 0) use(which, at);
  };
  all_of(first);
  const double least = length - policy_.padding * length;
  const double most = length + policy_.padding * length;
  for (size_t far = 1; left > 0; ++far) {
    const bool below = far <= first && tops_[first - far] >= least;
    const bool above = first + far < classes_.size() && tops_[first + far - 1] < most;
    if (below) all_of(first - far);
    if (above) all_of(first + far);
    if (!below && !above) return;
  }
}

size_t ArrivalQueue::size_for(size_t first, int64_t now) {
  const Query& oldest = classes_[first].front();
  const auto bound = static_cast<double>(policy_.bound_ns);
  if (costs_.expected_ns(policy_.limit, lengths_[oldest.sample]) <= kShort * bound) return policy_.limit;
  candidates_.clear();
  candidates(first, [&](size_t which, size_t count) {
    for (size_t at = 0; at < count; ++at) candidates_.push_back(lengths_[classes_[which].at(at).sample]);
  });
  const auto left = static_cast<double>(oldest.arrived + policy_.bound_ns - now);
  return costs_.best_size(candidates_, left / kSafety, bound / 2);
}

int64_t ArrivalQueue::close_at(const Query& oldest) const {
  const int64_t at = oldest.arrived + policy_.timeout_ns;
  return policy_.bound_ns > 0 ? std::min(at, deadline(oldest)) : at;
}

int64_t ArrivalQueue::deadline(const Query& oldest) const {
  const double expected = costs_.expected_ns(policy_.limit, lengths_[oldest.sample]);
  return oldest.arrived + policy_.bound_ns - static_cast<int64_t>(kSafety * expected);
}

bool ArrivalQueue::waits_for_more(std::unique_lock<std::mutex>& lock, const Asks& asks) {
  if (policy_.timeout_ns > 0 || !asks.waits || hurried() || !asks.is_busy()) return false;
  if (waiting_.load(std::memory_order_relaxed) - late_count_ >= policy_.limit) return false;
  const size_t first = oldest_class();
  const bool bound = policy_.bound_ns > 0 && first < classes_.size();
  const int64_t until = bound ? deadline(classes_[first].front()) : 0;
  if (bound && now_ns() >= until) return false;
  ++busy_;
  if (bound) {
    busy_changed_.wait_until(lock, until);
  } else {
    busy_changed_.wait(lock);
  }
  --busy_;
  return true;
}

void ArrivalQueue::put_off_hopeless(int64_t now) {
  if (policy_.must_hold >= 1 || policy_.bound_ns == 0 || hurried()) return;
  while (true) {
    const size_t first = oldest_class();
    if (first == classes_.size()) return;
    const Query& oldest = classes_[first].front();
    const double share = (1 - policy_.must_hold) * static_cast<double>(arrived_count_);
    const auto allowed = static_cast<uint64_t>(share + 1e-6);  // 1e-6 absorbs rounding: a tenth of twenty is two
    const auto alone = static_cast<int64_t>(costs_.expected_ns(1, lengths_[oldest.sample]));
    const bool hopeless = now + alone > oldest.arrived + policy_.bound_ns;
    if (!hopeless || put_off_.load(std::memory_order_relaxed) >= allowed) return;
    late_.push(oldest);
    ++late_count_;
    put_off_.fetch_add(1, std::memory_order_relaxed);
    classes_[first].pop();
  }
}

Taken ArrivalQueue::take(Batch& batch, const Asks& asks) {
  batch.clear();
  std::unique_lock<std::mutex> lock(mutex_);
  int empty_polls = 0;
  while (true) {
    if (waits_for_more(lock, asks)) continue;
    const size_t waiting = waiting_.load(std::memory_order_relaxed);
    if (waiting == 0) {
      if (closed_) return Taken::kClosed;
      if (!asks.waits) return Taken::kNothing;
      // One lane at a time polls the empty queue for a while, then sleeps; the others sleep until woken.
      if (empty_polls++ < kEmptyPolls && !polled_) {
        polled_ = true;
        lock.unlock();
        sleep_until_ns(now_ns() + kPollNs);
        lock.lock();
        polled_ = false;
      } else {
        sleep(lock, 0);
      }
      continue;
    }
    const int64_t now = now_ns();
    put_off_hopeless(now);
    const size_t first = oldest_class();
    if (first == classes_.size()) {  // only late ones are left
      while (!late_.empty() && batch.size() < policy_.limit) {
        add(batch, late_);
        --late_count_;
      }
      break;
    }
    if (waiting - late_count_ >= policy_.limit || hurried() || policy_.timeout_ns == 0) {
      cut(batch, first, now);
      break;
    }
    const int64_t until = close_at(classes_[first].front());
    if (now >= until) {
      cut(batch, first, now);
      break;
    }
    if (!asks.waits) return Taken::kNothing;
    sleep(lock, until);
  }
  waiting_.store(waiting_.load(std::memory_order_relaxed) - batch.size(), std::memory_order_relaxed);
  // Arrivals did not wake the other lanes while this one was polling.
  const bool more = waiting_.load(std::memory_order_relaxed) > 0 && idle_ > 0;
  lock.unlock();
  if (more) changed_.notify_one();
  return Taken::kBatch;
}

void ArrivalQueue::sleep(std::unique_lock<std::mutex>& lock, int64_t until_ns) {
  size_t& sleepers = until_ns == 0 ? idle_ : filling_;
  ++sleepers;
  if (until_ns == 0) {
    changed_.wait(lock);
  } else {
    changed_.wait_until(lock, until_ns);
  }
  --sleepers;
}

void ArrivalQueue::add(Batch& batch, Fifo& from) {
  const Query& query = from.front();
  // Prefetch LoadGen's record of the query: completion reads it first.
  __builtin_prefetch(reinterpret_cast<const void*>(query.id));
  batch.add(query.id, query.sample, lengths_[query.sample]);
  batch.arrived.push_back(query.arrived);
  from.pop();
}

void ArrivalQueue::cut(Batch& batch, size_t first, int64_t now) {
  const size_t size = policy_.bound_ns > 0 && !hurried() ? size_for(first, now) : policy_.limit;
  chosen_.clear();
  candidates(first, [&](size_t which, size_t count) { chosen_.emplace_back(which, count); });
  for (const auto& [which, count] : chosen_) {
    for (size_t i = 0; i < count && batch.size() < size; ++i) add(batch, classes_[which]);
  }
}

void ArrivalQueue::answered(const Batch& batch, int64_t service_ns) {
  load_.fetch_sub(batch.length, std::memory_order_relaxed);
  if (policy_.bound_ns > 0) costs_.learn(batch.size(), batch.longest, service_ns);
}

}  // namespace harness
