#include "core/batch_log.h"

#include <algorithm>

#include "core/npy.h"

namespace harness {

void BatchLog::thin() {
  stride_ *= 2;
  for (size_t i = 0; 2 * i < entries_.size(); ++i) entries_[i] = entries_[2 * i];
  entries_.resize((entries_.size() + 1) / 2);
}

void write_batches(const std::string& path, int64_t start_ns, const std::vector<const BatchLog*>& logs) {
  std::vector<BatchLog::Entry> all;
  for (const BatchLog* log : logs) all.insert(all.end(), log->entries().begin(), log->entries().end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.end < b.end; });
  std::vector<double> rows;
  rows.reserve(all.size() * 4);
  for (const auto& entry : all) {
    rows.push_back(static_cast<double>(entry.begin - start_ns) / 1e9);
    rows.push_back(static_cast<double>(entry.end - start_ns) / 1e9);
    rows.push_back(entry.samples);
    rows.push_back(entry.longest);
  }
  write_npy(path, rows, 4);
}

}  // namespace harness
