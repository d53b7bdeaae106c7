// The simulated engine: takes the time given by a table, computes nothing, and can inject faults.
#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "engines/engines.h"

namespace harness {

namespace {

struct Table {
  std::vector<double> batches;                    // batch sizes of the rows, ascending
  std::vector<double> lengths;                    // lengths of the columns, ascending
  std::vector<std::vector<double>> microseconds;  // [batch][length]
  std::vector<double> slowdown;                   // factor per device; 1 beyond the end of the list
  std::string fault;                              // "", "throw", "short" (too few answers) or "hang"
  int64_t fault_after = 0;                        // batches per stream before the fault
  double load_s = 0;                              // how long loading takes
  int64_t at_once = 1;                            // batches that a device computes at the same time
};

// Position of `value` among ascending `points`: the lower index and the fraction of the way to the next. Extrapolates
// from the nearest segment outside the range.
std::pair<size_t, double> locate(const std::vector<double>& points, double value) {
  if (points.size() == 1) return {0, 0.0};
  const auto above = std::upper_bound(points.begin(), points.end(), value);
  const auto index = std::clamp<ptrdiff_t>(above - points.begin() - 1, 0, static_cast<ptrdiff_t>(points.size()) - 2);
  const auto low = static_cast<size_t>(index);
  const double width = points[low + 1] - points[low];
  return {low, width > 0 ? (value - points[low]) / width : 0.0};
}

double between(const std::vector<double>& row, size_t low, double share) {
  return share == 0.0 ? row[low] : row[low] + share * (row[low + 1] - row[low]);
}

// A simulated device: it computes as many batches at a time as its table says, in the order in which they were
// submitted, whichever stream they came from.
class Device {
 public:
  Device(Table table, double slowdown)
      : table_(std::move(table)), slowdown_(slowdown), free_at_(static_cast<size_t>(table_.at_once), 0) {}

  // When a batch submitted now will be done, ns.
  int64_t reserve(const Work& work) {
    const int64_t cost = service_ns(work);
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& first = *std::min_element(free_at_.begin(), free_at_.end());
    first = std::max(first, now_ns()) + cost;
    return first;
  }

  [[nodiscard]] const Table& table() const { return table_; }

 private:
  [[nodiscard]] int64_t service_ns(const Work& work) const {
    const auto [row, down] = locate(table_.batches, static_cast<double>(work.samples));
    const auto [column, across] = locate(table_.lengths, static_cast<double>(work.length));
    const double upper = between(table_.microseconds[row], column, across);
    const double lower = down == 0.0 ? upper : between(table_.microseconds[row + 1], column, across);
    return static_cast<int64_t>(std::max(0.0, upper + down * (lower - upper)) * slowdown_ * 1000.0);
  }

  Table table_;
  double slowdown_;
  std::mutex mutex_;
  std::vector<int64_t> free_at_;  // of each batch that may be computed at the same time
};

class SimulatedStream : public Stream {
 public:
  explicit SimulatedStream(Device& device) : device_(device) {}

  // A device that computes batches at once is a processor, whose streams compute in `enqueue`.
  [[nodiscard]] size_t depth() const override { return device_.table().at_once > 1 ? 1 : 2; }
  void* input(size_t /*index*/, const Shape& /*shape*/) override { return nullptr; }

  void enqueue(const Work& work) override {
    const auto& table = device_.table();
    const bool faulty = !table.fault.empty() && batches_++ >= table.fault_after;
    if (faulty && table.fault == "throw") throw std::runtime_error("the simulated engine's fault is 'throw'");
    if (faulty && table.fault == "hang") sleep_until_ns(now_ns() + int64_t{1'000'000'000} * 86'400 * 365);
    const bool short_answer = faulty && table.fault == "short";
    under_way_.push_back({device_.reserve(work), work.samples - (short_answer ? 1 : 0)});
  }

  void wait() override {
    sleep_until_ns(under_way_.front().done_at);
    answered_ = under_way_.front().samples;
    under_way_.pop_front();
  }

  Output output(size_t /*index*/) override { return {}; }
  [[nodiscard]] size_t answered() const override { return answered_; }

 private:
  struct Call {
    int64_t done_at;
    size_t samples;
  };

  Device& device_;
  std::deque<Call> under_way_;
  int64_t batches_ = 0;
  size_t answered_ = 0;
};

class SimulatedEngine : public Engine {
 public:
  SimulatedEngine(const Table& table, double slowdown) : device_(table, slowdown) {}

  [[nodiscard]] bool computes() const override { return false; }
  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return none_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return none_; }
  std::unique_ptr<Stream> stream() override { return std::make_unique<SimulatedStream>(device_); }

 private:
  Device device_;
  std::vector<TensorInfo> none_;
};

class SimulatedLoader : public EngineLoader {
 public:
  explicit SimulatedLoader(Table table) : table_(std::move(table)) {}

  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& /*spec*/, const DeviceSpec& device) const override {
    sleep_until_ns(now_ns() + static_cast<int64_t>(table_.load_s * 1e9));
    const auto index = static_cast<size_t>(device.index);
    return std::make_unique<SimulatedEngine>(table_, index < table_.slowdown.size() ? table_.slowdown[index] : 1.0);
  }

 private:
  Table table_;
};

bool is_table(const Table& table) {
  const auto fits = [&](const auto& row) { return row.size() == table.lengths.size(); };
  return std::is_sorted(table.batches.begin(), table.batches.end()) &&
         std::is_sorted(table.lengths.begin(), table.lengths.end()) &&
         table.microseconds.size() == table.batches.size() &&
         std::all_of(table.microseconds.begin(), table.microseconds.end(), fits);
}

}  // namespace

std::shared_ptr<const EngineLoader> read_simulated(Reader& options) {
  Table out;
  out.batches = options.numbers("batches", {0, 1e9}, {1});
  out.lengths = options.numbers("lengths", {0, 1e9}, {1});
  out.microseconds = options.table("microseconds", {0, 1e12});
  out.slowdown = options.numbers("slowdown", {0, 1e6}, {});
  out.fault = options.one_of("fault", {"", "throw", "short", "hang"});
  out.fault_after = options.whole("fault_after", 0, 1'000'000'000'000);
  out.load_s = options.number("load_s", {0, 86'400});
  out.at_once = options.whole("at_once", 1, 4096);
  options.require(
      is_table(out), "", "is inconsistent",
      "batches and lengths must ascend, and microseconds needs a row for each batch with a number for each length");
  return std::make_shared<SimulatedLoader>(std::move(out));
}

}  // namespace harness
