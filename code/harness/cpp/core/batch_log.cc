#include "core/batch_log.h"

#include <algorithm>

#include "core/file.h"

namespace harness {

namespace {

constexpr size_t kColumns = 4;

// NumPy's format 1.0: magic, header length, a dict padded so that the data begins at a multiple of 64.
std::string npy_header(size_t rows) {
  std::string dict = "{'descr': '<f8', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                     std::to_string(kColumns) + "), }";
  const size_t fixed = 10;
  dict.append(64 - (fixed + dict.size() + 1) % 64, ' ');
  dict += '\n';
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\x00';
  out += static_cast<char>(dict.size() & 0xFF);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict;
}

}  // namespace

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
  rows.reserve(all.size() * kColumns);
  for (const auto& entry : all) {
    rows.push_back(static_cast<double>(entry.begin - start_ns) / 1e9);
    rows.push_back(static_cast<double>(entry.end - start_ns) / 1e9);
    rows.push_back(entry.samples);
    rows.push_back(entry.longest);
  }
  std::string content = npy_header(all.size());
  content.append(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(double));
  write_whole(path, content);
}

}  // namespace harness
