#include "virtual_loadgen.h"

#include <algorithm>
#include <chrono>

#include "core/clock.h"
#include "early_stopping.h"
#include "loadgen_schedule.h"

namespace harness {

namespace {

using mlperf::TestScenario;

constexpr double kConfidence = 0.99;  // of early stopping (results.cc)

int64_t in_ns(std::chrono::milliseconds duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

// LoadGen's percentile of ascending latencies.
int64_t at_share(const std::vector<int64_t>& ascending, double share) {
  return ascending[static_cast<size_t>(static_cast<double>(ascending.size()) * share)];
}

// Early stopping's estimate of a percentile (PerformanceSummary::EarlyStopping); 0 for too few queries.
int64_t estimate(const std::vector<int64_t>& ascending, double share) {
  mlperf::loadgen::MinPassingQueriesFinder least;
  const auto queries = static_cast<int64_t>(ascending.size());
  if (queries < least(1, share, 0.0, kConfidence) + 1) return 0;
  int64_t late = 1;
  while (late < queries && queries >= least(late + 1, share, 0.0, kConfidence) + late + 1) ++late;
  return ascending[static_cast<size_t>(queries - late)];
}

}  // namespace

void VirtualLoadgen::issue(Sut& sut, int64_t scheduled, const std::vector<uint32_t>& samples) {
  samples_.clear();
  last_first_ = scheduled_.size();
  for (const uint32_t sample : samples) {
    samples_.push_back({scheduled_.size(), sample});
    scheduled_.push_back(scheduled);
  }
  last_scheduled_ = scheduled;
  ++queries_;
  sut.issue(samples_.data(), samples_.size());
}

void VirtualLoadgen::complete(const mlperf::QuerySampleResponse* responses, size_t count) {
  const int64_t now = now_ns() - start_;
  for (size_t i = 0; i < count; ++i) {
    scheduled_[responses[i].id] = now - scheduled_[responses[i].id];
    if (responses[i].id >= last_first_) last_done_ = now;
  }
  end_ = now;
  completed_ += count;
  if (completed_ == scheduled_.size()) done_.notify_all();
}

void VirtualLoadgen::wait_for_all() {
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return completed_ == scheduled_.size(); });
}

// Whether one more query follows the one issued `elapsed_ns` after the start (IssueQueriesInternal).
bool VirtualLoadgen::goes_on(int64_t elapsed_ns, bool outstanding) {
  if (settings_.scenario == TestScenario::Server) {
    cut_short_ = outstanding && settings_.max_async_queries != 0 && queries_ - completed_ > settings_.max_async_queries;
  } else if (queries_ >= settings_.min_query_count && elapsed_ns >= in_ns(settings_.target_duration)) {
    return false;
  }
  const bool many = settings_.max_query_count != 0 && queries_ >= settings_.max_query_count;
  const bool late = settings_.max_duration.count() != 0 && elapsed_ns > in_ns(settings_.max_duration);
  cut_short_ = cut_short_ || many || late;
  return !cut_short_;
}

VirtualResult VirtualLoadgen::run(Sut& sut) {
  LoadgenSchedule schedule(settings_, total_);
  LoadgenSchedule::Query query;
  const bool server = settings_.scenario == TestScenario::Server;
  const bool multi = settings_.scenario == TestScenario::MultiStream;
  start_ = now_ns();
  bool more = true;
  while (more) {
    if (!schedule.next(query)) {
      ran_out_ = !server;
      break;
    }
    if (server) {
      sleep_until_ns(start_ + query.at_ns);
    } else if (queries_ > 0) {
      wait_for_all();
      if (multi) query_latencies_.push_back(last_done_ - last_scheduled_);
    }
    const int64_t now = now_ns() - start_;
    issue(sut, server ? query.at_ns : now, query.samples);
    more = goes_on(now, server);
  }
  sut.flush();
  wait_for_all();
  if (multi) query_latencies_.push_back(last_done_ - last_scheduled_);
  VirtualResult out;
  judge(out);
  return out;
}

void VirtualLoadgen::judge(VirtualResult& out) {
  std::sort(scheduled_.begin(), scheduled_.end());
  std::sort(query_latencies_.begin(), query_latencies_.end());
  const auto samples = static_cast<double>(scheduled_.size());
  const double share = settings_.target_latency_percentile;
  out.queries = queries_;
  out.duration_ns = end_;
  const auto require = [&](bool holds, const char* reason) {
    if (!holds) out.reasons.emplace_back(reason);
  };
  int64_t lasted = last_scheduled_;
  switch (settings_.scenario) {
    case TestScenario::Offline:
      lasted = scheduled_.back();
      out.result = samples / (static_cast<double>(scheduled_.back()) / 1e9);
      break;
    case TestScenario::Server: {
      const int64_t target = settings_.target_latency.count();
      out.result = (samples - 1) / (static_cast<double>(last_done_) / 1e9);
      out.scheduled_qps = (samples - 1) / (static_cast<double>(std::max<int64_t>(last_scheduled_, 1)) / 1e9);
      out.late =
          static_cast<uint64_t>(scheduled_.end() - std::upper_bound(scheduled_.begin(), scheduled_.end(), target));
      mlperf::loadgen::MinPassingQueriesFinder least;
      const auto late = static_cast<int64_t>(out.late);
      require(at_share(scheduled_, share) <= target, "target_latency");
      require(static_cast<int64_t>(queries_) >= least(late, share, 0.0, kConfidence) + late, "early_stopping");
      break;
    }
    default: {
      const auto& latencies = query_latencies_.empty() ? scheduled_ : query_latencies_;
      out.result = static_cast<double>(at_share(latencies, share));
      out.estimate_ns = estimate(latencies, share);
      require(out.estimate_ns > 0, "early_stopping");
    }
  }
  require(lasted >= in_ns(settings_.min_duration), "min_duration");
  require(queries_ >= settings_.min_query_count && scheduled_.size() >= settings_.min_sample_count, "min_queries");
  out.valid = out.reasons.empty();
  out.percentile = share;
  out.percentile_ns = at_share(query_latencies_.empty() ? scheduled_ : query_latencies_, share);
  out.bound_ns = settings_.target_latency.count();
  out.latencies_ns = query_latencies_.empty() ? std::move(scheduled_) : std::move(query_latencies_);
}

}  // namespace harness
