#include "core/batch_log.h"

#include <algorithm>
#include <utility>

#include "core/npy.h"

namespace harness {

namespace {

constexpr size_t kColumns = 5;

}  // namespace

void BatchLog::thin() {
  stride_ *= 2;
  for (size_t i = 0; 2 * i < entries_.size(); ++i) entries_[i] = entries_[2 * i];
  entries_.resize((entries_.size() + 1) / 2);
}

void write_batches(const std::string& path, int64_t start_ns, const std::vector<DeviceLog>& logs) {
  std::vector<std::pair<BatchLog::Entry, int64_t>> all;
  for (const auto& [log, device] : logs) {
    for (const auto& entry : log->entries()) all.emplace_back(entry, device);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first.end < b.first.end; });
  std::vector<double> rows;
  rows.reserve(all.size() * kColumns);
  for (const auto& [entry, device] : all) {
    rows.push_back(static_cast<double>(entry.begin - start_ns) / 1e9);
    rows.push_back(static_cast<double>(entry.end - start_ns) / 1e9);
    rows.push_back(entry.samples);
    rows.push_back(entry.longest);
    rows.push_back(static_cast<double>(device));
  }
  write_npy(path, rows, kColumns);
}

}  // namespace harness
