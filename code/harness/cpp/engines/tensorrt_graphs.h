// CUDA graphs of a lane: which shapes have one, and how many a device may hold.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/engine.h"
#include "engines/cuda.h"

namespace harness {

// What the lanes of a device share: memory for graphs, and whether its engine can be captured at all.
class GraphBudget {
 public:
  // `bytes` of device memory; 0: an eighth of what is free when the first graph is captured.
  explicit GraphBudget(size_t bytes) : bytes_(bytes) {}

  // Instantiates a graph while no other lane of the device does, if the budget allows for one more as large as the
  // largest so far. An empty handle where it does not, or where `capture` gives no graph.
  cuda::GraphExecHandle make(cudaStream_t stream, const std::function<cudaGraph_t()>& capture);
  // No graph will be made any more: the network cannot be captured, or the memory is used up.
  [[nodiscard]] bool is_over() const { return over_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::atomic<bool> over_{false};
  size_t bytes_;
  size_t used_ = 0;
  size_t largest_ = 0;
};

// A shape's graph. Shapes of the outputs are those of a whole batch.
struct Graph {
  cuda::GraphExecHandle exec;
  std::vector<Shape> outputs;
};

// A lane's graphs by slot, length and samples.
class Graphs {
 public:
  // The graph that computes `samples` of `length`: of this size or of a larger one with at most a quarter more rows,
  // whose outputs are computed and ignored. nullptr where there is none.
  [[nodiscard]] const Graph* find(size_t slot, const Work& work) const;
  // Whether a capture was tried, and failed or not.
  [[nodiscard]] bool was_tried(size_t slot, const Work& work) const;
  // Remembers a capture, also one that failed (an empty handle).
  void add(size_t slot, const Work& work, Graph graph);
  [[nodiscard]] size_t count() const { return count_; }

 private:
  std::map<std::array<size_t, 3>, Graph> graphs_;
  size_t count_ = 0;
};

}  // namespace harness
