// System under test that answers queries on the issuing thread: no queue, no other thread.
#include <memory>

#include "core/clock.h"
#include "core/progress.h"
#include "core/sorted_work.h"
#include "core/topology.h"
#include "scenarios/sut.h"

namespace harness {

namespace {

class InlineSut : public Sut {
 public:
  InlineSut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset)
      : Sut(lanes), dataset_(dataset), work_(dataset.lengths(), spec.batch.max_samples, spec.batch.padding, true) {}

 protected:
  void accept(const mlperf::QuerySample* samples, size_t count) override {
    try {
      if (!bound_) {
        bind_thread(lanes().device(0).cores);
        bound_ = true;
      }
      if (count == 1) {
        batch_.clear();
        batch_.add(samples->id, static_cast<uint32_t>(samples->index), dataset_.lengths()[samples->index]);
        batch_.arrived.push_back(now_ns());
        lanes().lane(0).answer(batch_);
        return;
      }
      for (size_t done = 0; done < count; done += SortedWork::kWindow) {
        work_.offer(samples + done, std::min(SortedWork::kWindow, count - done));
        while (work_.take(batch_, false) == Taken::kBatch) lanes().lane(0).answer(batch_);
      }
    } catch (const std::exception& error) {
      fail(batch_error(error, lanes().device(0).name));
    }
  }

  [[nodiscard]] size_t waiting(size_t /*device*/) const override { return work_.waiting(); }

 private:
  const Dataset& dataset_;
  SortedWork work_;
  Batch batch_;
  bool bound_ = false;  // whether the issuing thread is bound to the device's cores
};

}  // namespace

std::unique_ptr<Sut> make_inline_sut(const RunSpec& spec, Lanes& lanes, const Dataset& dataset) {
  return std::make_unique<InlineSut>(spec, lanes, dataset);
}

}  // namespace harness
