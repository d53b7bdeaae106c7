// What batches cost on a device, learned while it computes them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace harness {

// Sizes of batches to tell apart: 1, 2, 3, 4, 6, 8, 12, … and `limit`. Each is at most half as large again as the one
// before.
std::vector<size_t> usual_sizes(size_t limit);

// Time by number of samples and by length, per sample and unit of length: smoothed means over the batches that were
// answered. What was not met yet costs as the nearest length in batches of that size does, else as the nearest size.
// The first batch of a kind may pay for being the first: it counts until there is a second. Thread-safe; of two batches
// that are learned at once one may be lost.
class CostModel {
 public:
  // `limit`: most samples in a batch. `longest`: greatest length of a sample.
  CostModel(size_t limit, int32_t longest);

  // A batch was computed in `ns`.
  void learn(size_t samples, int32_t longest, int64_t ns);
  // Expected time of a batch, ns; 0 while nothing was learned.
  [[nodiscard]] double expected_ns(size_t samples, int32_t longest) const;
  // How many samples go into a batch, of those with these lengths, in this order, at least one: as many as save time
  // against computing each alone, of the numbers that are computed within `within_ns`. Where others save much more, or
  // there are none: of those that are computed within `else_ns`. A size above those that were met is tried where it is
  // in time if it saves nothing.
  [[nodiscard]] size_t best_size(const std::vector<int32_t>& lengths, double within_ns, double else_ns) const;

 private:
  static constexpr size_t kLengths = 32;
  static constexpr uint32_t kMet = 3;  // batches after which a size is known

  struct Cell {
    std::atomic<float> unit_ns{0};  // per sample and unit of length
    std::atomic<uint32_t> seen{0};
  };

  struct Row {
    std::array<Cell, kLengths> cells;  // by length
    std::atomic<uint32_t> seen{0};
  };

  // The first samples of a list as a batch.
  struct Prefix {
    size_t samples = 0;
    double ns = 0;
    double share = 0;  // of the time that the samples take alone
  };

  [[nodiscard]] size_t row_of(size_t samples) const;
  [[nodiscard]] size_t column_of(int32_t length) const;
  // The number of rows up to the last that was met.
  [[nodiscard]] size_t rows_met() const;
  [[nodiscard]] float unit_ns(size_t row, size_t column) const;
  // Those of usual sizes, and all of them.
  [[nodiscard]] std::vector<Prefix> prefixes(const std::vector<int32_t>& lengths) const;
  // The best of them that are computed in time; none: 0 samples.
  static Prefix best_of(const std::vector<Prefix>& prefixes, double within_ns);

  std::vector<size_t> sizes_;  // the greatest of each row
  std::vector<Row> rows_;
  int32_t longest_;
};

}  // namespace harness
