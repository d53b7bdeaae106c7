#include "core/cost_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace harness {

namespace {

constexpr float kSmoothing = 0.1F;
// A batch of twice as many samples must take 3 % less for each, since the first of them wait for the last.
const double kWorth = std::log2(1.03);
constexpr double kMuch = 1.05;  // a batch that costs so much more is not worth being in time

}  // namespace

std::vector<size_t> usual_sizes(size_t limit) {
  std::vector<size_t> out;
  for (size_t size = 1; size < limit; size *= 2) {
    out.push_back(size);
    if (size > 1 && size + size / 2 < limit) out.push_back(size + size / 2);
  }
  out.push_back(limit);
  return out;
}

CostModel::CostModel(size_t limit, int32_t longest)
    : sizes_(usual_sizes(std::max<size_t>(limit, 1))), rows_(sizes_.size()), longest_(std::max<int32_t>(longest, 1)) {}

size_t CostModel::row_of(size_t samples) const {
  const auto at = std::lower_bound(sizes_.begin(), sizes_.end(), samples);
  return std::min(static_cast<size_t>(at - sizes_.begin()), sizes_.size() - 1);
}

size_t CostModel::column_of(int32_t length) const {
  const auto scaled =
      static_cast<uint64_t>(std::max<int32_t>(length - 1, 0)) * kLengths / static_cast<uint64_t>(longest_);
  return std::min<size_t>(scaled, kLengths - 1);
}

void CostModel::learn(size_t samples, int32_t longest, int64_t ns) {
  if (samples == 0 || longest <= 0) return;
  Row& row = rows_[row_of(samples)];
  Cell& cell = row.cells.at(column_of(longest));
  const auto now = static_cast<float>(static_cast<double>(ns) / (static_cast<double>(samples) * longest));
  const float before = cell.unit_ns.load(std::memory_order_relaxed);
  const uint32_t seen = cell.seen.load(std::memory_order_relaxed);
  cell.unit_ns.store(seen < 2 ? now : before + kSmoothing * (now - before), std::memory_order_relaxed);
  cell.seen.store(std::min(seen + 1, 2U), std::memory_order_relaxed);
  row.seen.store(std::min(row.seen.load(std::memory_order_relaxed) + 1, kMet), std::memory_order_relaxed);
}

size_t CostModel::rows_met() const {
  size_t out = rows_.size();
  while (out > 0 && rows_[out - 1].seen.load(std::memory_order_relaxed) < kMet) --out;
  return out;
}

float CostModel::unit_ns(size_t row, size_t column) const {
  const auto in_row = [&](size_t which) {
    for (size_t far = 0; far < kLengths; ++far) {
      for (const size_t at : {column + far, column - far}) {
        if (at >= kLengths) continue;
        const float unit = rows_[which].cells.at(at).unit_ns.load(std::memory_order_relaxed);
        if (unit != 0) return unit;
      }
    }
    return 0.0F;
  };
  for (size_t far = 0; far < rows_.size(); ++far) {
    for (const size_t at : {row + far, row - far}) {
      if (at >= rows_.size()) continue;
      if (const float unit = in_row(at); unit != 0) return unit;
    }
  }
  return 0;
}

double CostModel::expected_ns(size_t samples, int32_t longest) const {
  return static_cast<double>(unit_ns(row_of(samples), column_of(longest))) * static_cast<double>(samples) * longest;
}

std::vector<CostModel::Prefix> CostModel::prefixes(const std::vector<int32_t>& lengths) const {
  std::vector<Prefix> out;
  out.reserve(sizes_.size() + 1);
  double alone = 0;
  int32_t longest = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    alone += expected_ns(1, lengths[i]);
    longest = std::max(longest, lengths[i]);
    const size_t samples = i + 1;
    if (samples != lengths.size() && sizes_[row_of(samples)] != samples) continue;
    const double ns = expected_ns(samples, longest);
    out.push_back({samples, ns, ns / alone});
  }
  return out;
}

CostModel::Prefix CostModel::best_of(const std::vector<Prefix>& prefixes, double within_ns) {
  Prefix out;
  double least = std::numeric_limits<double>::infinity();
  for (const Prefix& one : prefixes) {
    const double value = one.share * std::pow(static_cast<double>(one.samples), kWorth);
    if (one.ns > within_ns || value >= least) continue;
    least = value;
    out = one;
  }
  return out;
}

size_t CostModel::best_size(const std::vector<int32_t>& lengths, double within_ns, double else_ns) const {
  if (lengths.size() <= 1 || expected_ns(1, lengths.front()) == 0) return lengths.size();
  const std::vector<Prefix> all = prefixes(lengths);
  const double tried_ns = all.front().ns <= within_ns ? within_ns : else_ns;
  const size_t met = rows_met();
  for (auto one = all.rbegin(); one != all.rend() && row_of(one->samples) >= met; ++one) {
    if (one->ns <= tried_ns) return one->samples;
  }
  const Prefix in_time = best_of(all, within_ns);
  const Prefix otherwise = best_of(all, else_ns);
  if (in_time.samples > 0 && (otherwise.samples == 0 || in_time.share <= kMuch * otherwise.share)) {
    return in_time.samples;
  }
  return std::max<size_t>(otherwise.samples, 1);
}

}  // namespace harness
