#include "engines/tensorrt_graphs.h"

#include <algorithm>
#include <utility>

namespace harness {

namespace {

constexpr size_t kShareOfFree = 8;

size_t free_bytes() {
  size_t available = 0;
  size_t total = 0;
  cuda::check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  return available;
}

}  // namespace

cuda::GraphExecHandle GraphBudget::make(cudaStream_t stream, const std::function<cudaGraph_t()>& capture) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t before = free_bytes();
  if (bytes_ == 0) bytes_ = before / kShareOfFree;
  if (used_ + largest_ > bytes_ || largest_ > before) over_ = true;
  if (over_) return {};
  const cuda::GraphHandle graph(capture());
  cudaGraphExec_t made = nullptr;
  if (graph.get() == nullptr || cudaGraphInstantiateWithFlags(&made, graph.get(), 0) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    over_ = true;
    return {};
  }
  cuda::GraphExecHandle out(made);
  // What the first launch would allocate and copy.
  cuda::check(cudaGraphUpload(made, stream), "cudaGraphUpload");
  cuda::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  const size_t after = free_bytes();
  const size_t bytes = before > after ? before - after : 0;
  used_ += bytes;
  largest_ = std::max(largest_, bytes);
  return out;
}

const Graph* Graphs::find(size_t slot, const Work& work) const {
  for (auto at = graphs_.lower_bound({slot, work.length, work.samples}); at != graphs_.end(); ++at) {
    const auto& [own_slot, length, samples] = at->first;
    if (own_slot != slot || length != work.length || samples * 4 > work.samples * 5) return nullptr;
    if (at->second.exec.get() != nullptr) return &at->second;
  }
  return nullptr;
}

bool Graphs::was_tried(size_t slot, const Work& work) const {
  return graphs_.count({slot, work.length, work.samples}) != 0;
}

void Graphs::add(size_t slot, const Work& work, Graph graph) {
  if (graph.exec.get() != nullptr) ++count_;
  graphs_[{slot, work.length, work.samples}] = std::move(graph);
}

}  // namespace harness
