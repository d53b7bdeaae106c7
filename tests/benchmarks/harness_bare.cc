// harness_bare run.json: LoadGen with the least SUT there can be, on the same settings as `harness run.json`. It
// answers on LoadGen's own thread, in batches of the same size, with the same responses, and looks at nothing.
//
// Prints one JSON line: {"peak_kb": resident memory at its highest}. LoadGen's logs tell the rest.

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "core/run_spec.h"
#include "core/topology.h"
#include "loadgen.h"
#include "query_sample_library.h"
#include "settings.h"
#include "system_under_test.h"

namespace {

class BareSut : public mlperf::SystemUnderTest {
 public:
  BareSut(size_t batch, size_t bytes) : batch_(batch), memory_(bytes), responses_(batch) {}
  const std::string& Name() override { return name_; }
  void IssueQuery(const std::vector<mlperf::QuerySample>& samples) override {
    for (size_t done = 0; done < samples.size(); done += batch_) {
      const size_t count = std::min(batch_, samples.size() - done);
      if (responses_.size() < count) responses_.resize(count);
      for (size_t i = 0; i < count; ++i) {
        responses_[i].id = samples[done + i].id;
        responses_[i].data = reinterpret_cast<uintptr_t>(memory_.data());
        responses_[i].size = memory_.size();
      }
      mlperf::QuerySamplesComplete(responses_.data(), count);
    }
  }
  void FlushQueries() override {}

 private:
  std::string name_ = "bare";
  size_t batch_;
  std::vector<unsigned char> memory_;
  std::vector<mlperf::QuerySampleResponse> responses_;
};

class BareQsl : public mlperf::QuerySampleLibrary {
 public:
  explicit BareQsl(size_t count) : count_(count) {}
  const std::string& Name() override { return name_; }
  size_t TotalSampleCount() override { return count_; }
  size_t PerformanceSampleCount() override { return count_; }
  void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex>& /*samples*/) override {}
  void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex>& /*samples*/) override {}

 private:
  std::string name_ = "bare";
  size_t count_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("usage: harness_bare run.json");
    const harness::RunSpec spec = harness::read_run_spec(argv[1]);
    BareSut sut(spec.batch.max_samples, 384 * 2 * sizeof(float));
    BareQsl qsl(spec.dataset.count);
    mlperf::LogSettings log;
    log.log_output.outdir = spec.output_dir;
    log.enable_trace = false;
    harness::exact_timers();
    mlperf::StartTest(&sut, &qsl, harness::read_settings(spec), log, "");
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("{\"peak_kb\": %ld}\n", usage.ru_maxrss);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 4;
  }
  return 0;
}
