#include "loadgen_schedule.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace harness {

namespace {

using mlperf::TestScenario;

// The samples of the first loadable set, as GenerateLoadableSets orders them. LoadGen shuffles 64-bit indices, and
// std::shuffle draws by the range's length only.
std::vector<uint32_t> loaded_samples(const mlperf::loadgen::TestSettingsInternal& settings, size_t total) {
  std::vector<uint32_t> out(std::min<size_t>(settings.performance_sample_count, total));
  std::iota(out.begin(), out.end(), 0U);
  std::mt19937 rng(settings.qsl_rng_seed);
  std::shuffle(out.begin(), out.end(), rng);
  if (settings.scenario == TestScenario::MultiStream) {
    for (size_t i = 0; i + 1 < settings.samples_per_query; ++i) out.push_back(out[i]);
  }
  return out;
}

}  // namespace

LoadgenSchedule::LoadgenSchedule(const mlperf::loadgen::TestSettingsInternal& settings, size_t total)
    : settings_(settings),
      loaded_(loaded_samples(settings, total)),
      sample_rng_(settings.sample_index_rng_seed),
      schedule_rng_(settings.schedule_rng_seed),
      gap_(settings.target_qps),
      distribution_end_(std::min<size_t>(settings.performance_sample_count, total)),
      samples_per_query_(settings.samples_per_query),
      least_(settings.min_query_count),
      duration_ns_((settings.scenario == TestScenario::Server ? 1 : 2) *
                   std::chrono::duration_cast<std::chrono::nanoseconds>(settings.target_duration).count()) {
  if (settings.performance_issue_unique) {
    duration_ns_ = 0;
    least_ = loaded_.size() / samples_per_query_;
  }
  any_ = std::uniform_int_distribution<>(0, static_cast<int>(distribution_end_) - 1);
  // LoadGen prepares these whether it uses them or not, which moves the generator on.
  const size_t stride = settings.scenario == TestScenario::MultiStream ? samples_per_query_ : 1;
  for (size_t i = 0; i < distribution_end_; i += stride) unique_.push_back(static_cast<uint32_t>(i));
  std::shuffle(unique_.begin(), unique_.end(), sample_rng_);
  std::vector<uint32_t> permutation(loaded_.size());
  std::iota(permutation.begin(), permutation.end(), 0U);
  for (size_t i = 0; i < least_; i += loaded_.size()) {
    std::shuffle(permutation.begin(), permutation.end(), sample_rng_);
    if (settings.sample_concatenate_permutation) equal_.insert(equal_.end(), permutation.begin(), permutation.end());
  }
  if (!settings.sample_concatenate_permutation) return;
  size_t& padded = settings.scenario == TestScenario::Offline ? samples_per_query_ : least_;
  padded += (loaded_.size() - padded % loaded_.size()) % loaded_.size();
}

uint32_t LoadgenSchedule::sample() {
  if (settings_.performance_issue_unique) return unique_.at(drawn_++);
  if (settings_.performance_issue_same) return static_cast<uint32_t>(settings_.performance_issue_same_index);
  const bool equal = settings_.sample_concatenate_permutation && settings_.scenario != TestScenario::MultiStream;
  return equal ? equal_.at(drawn_++ % equal_.size()) : static_cast<uint32_t>(any_(sample_rng_));
}

int64_t LoadgenSchedule::gap_ns() {
  const double seconds = settings_.scenario == TestScenario::Server ? gap_(schedule_rng_) : 1.0 / settings_.target_qps;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)).count();
}

bool LoadgenSchedule::next(Query& query) {
  if (previous_ns_ >= duration_ns_ && made_ >= least_) return false;
  query.samples.resize(samples_per_query_);
  if (settings_.scenario == TestScenario::MultiStream) {
    uint32_t at = sample();
    for (auto& each : query.samples) each = loaded_[at++];
  } else if (settings_.scenario == TestScenario::Offline) {
    const bool same = settings_.performance_issue_same;
    for (size_t i = 0; i < query.samples.size(); ++i) {
      query.samples[i] = loaded_[same ? settings_.performance_issue_same_index : i % loaded_.size()];
    }
    if (!same && settings_.sample_concatenate_permutation) {
      for (size_t i = 0; i < query.samples.size(); i += loaded_.size()) {
        const auto first = query.samples.begin() + static_cast<ptrdiff_t>(i);
        std::shuffle(first, first + static_cast<ptrdiff_t>(loaded_.size()), sample_rng_);
      }
    }
  } else {
    for (auto& each : query.samples) each = loaded_[sample()];
  }
  query.at_ns = at_ns_;
  ++made_;
  previous_ns_ = at_ns_;
  at_ns_ += gap_ns();
  const bool whole_passes = settings_.sample_concatenate_permutation && settings_.scenario != TestScenario::Offline;
  if (whole_passes && made_ >= least_ && previous_ns_ < duration_ns_) least_ += loaded_.size();
  return true;
}

}  // namespace harness
