#include "core/intervals.h"

#include <algorithm>
#include <utility>

#include "core/npy.h"

namespace harness {

void Intervals::add(const Intervals& other) {
  for (size_t i = 0; i < other.counts_.size(); ++i) {
    Count& count = at(other.begin_ns(i));
    count.arrived += other.counts_[i].arrived;
    count.answered += other.counts_[i].answered;
  }
}

void Intervals::join() {
  ++shift_;
  const int64_t first = first_ >> 1;
  std::vector<Count> joined(
      static_cast<size_t>(((first_ + static_cast<int64_t>(counts_.size()) - 1) >> 1) - first + 1));
  for (size_t i = 0; i < counts_.size(); ++i) {
    Count& count = joined[static_cast<size_t>(((first_ + static_cast<int64_t>(i)) >> 1) - first)];
    count.arrived += counts_[i].arrived;
    count.answered += counts_[i].answered;
  }
  counts_ = std::move(joined);
  first_ = first;
}

Intervals::Count& Intervals::beyond(int64_t ns) {
  if (counts_.empty()) {
    counts_.reserve(kMost);
    counts_.resize(1);
    first_ = ns >> shift_;
    return counts_.front();
  }
  const auto size = [this] { return static_cast<int64_t>(counts_.size()); };
  const auto needed = [&] { return std::max(ns >> shift_, first_ + size() - 1) - std::min(ns >> shift_, first_) + 1; };
  while (needed() > static_cast<int64_t>(kMost)) join();
  const int64_t place = ns >> shift_;
  if (place < first_) {
    counts_.insert(counts_.begin(), static_cast<size_t>(first_ - place), Count{});
    first_ = place;
  } else if (place - first_ >= size()) {
    counts_.resize(static_cast<size_t>(place - first_ + 1));
  }
  return counts_[static_cast<size_t>(place - first_)];
}

void write_intervals(const std::string& path, int64_t start_ns, const std::vector<const Intervals*>& logs) {
  Intervals all;
  for (const Intervals* log : logs) all.add(*log);
  std::vector<double> rows;
  for (size_t i = 0; i < all.counts().size(); ++i) {
    const auto after = [&](int64_t ns) { return static_cast<double>(std::max<int64_t>(ns - start_ns, 0)) / 1e9; };
    rows.push_back(after(all.begin_ns(i)));
    rows.push_back(after(all.begin_ns(i + 1)));
    rows.push_back(static_cast<double>(all.counts()[i].arrived));
    rows.push_back(static_cast<double>(all.counts()[i].answered));
  }
  if (!rows.empty()) write_npy(path, rows, 4);
}

}  // namespace harness
