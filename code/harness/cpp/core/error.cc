#include "core/error.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace harness {

namespace {

std::string folded(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  return word;
}

// Levenshtein distance.
size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Error::Error(Status status, std::string what, std::string why, std::string next_step)
    : status_(status), what_(std::move(what)), why_(std::move(why)), next_step_(std::move(next_step)) {}

std::string Error::text() const {
  std::string out = "error: " + what_;
  if (!why_.empty()) out += "\n  why:  " + why_;
  if (!next_step_.empty()) out += "\n  next: " + next_step_;
  return out;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  const std::string wanted = folded(word);
  std::string best;
  size_t least = wanted.size() / 2 + 1;
  for (const auto& name : known) {
    const size_t distance = edits(wanted, folded(name));
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::string last;
  while (std::getline(lines, line)) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first != std::string::npos) last = line.substr(first);
  }
  return last;
}

}  // namespace harness
