// Stream capture and graphs. A graph is a list of operations, executed as one on the stream that launches it.
#include <algorithm>

#include "state.h"

namespace stand_in {

namespace {

template <typename T>
T& object_of(const std::unordered_map<const void*, std::unique_ptr<T>>& all, Call& call, const void* handle,
             const char* what) {
  const auto found = all.find(handle);
  if (found == all.end()) violation("ownership", std::string(call.name()) + " of a " + what + " that was never made");
  T& object = *found->second;
  if (!object.alive) {
    violation("use-after-free", std::string(call.name()) + " of a " + what + " that was destroyed");
  }
  if (object.device != call.device().index) {
    violation("current-device", std::string(call.name()) + " of a " + what + " of device " +
                                    std::to_string(object.device) + " while device " +
                                    std::to_string(call.device().index) + " is current");
  }
  return object;
}

// Every stream that joined must have been waited for.
void check_joined(const Stream& stream, const Capture& capture) {
  const Clock& own = capture.clocks.at(&stream);
  for (const Stream* other : capture.streams) {
    const auto seq = capture.seqs.find(other);
    if (other == &stream || seq == capture.seqs.end()) continue;
    const auto waited = own.find(other->id);
    if (waited != own.end() && waited->second >= seq->second) continue;
    violation("capture",
              describe(stream) + " ends its capture before it waited for " + describe(*other) + ", which joined it");
  }
}

// Memory that a graph names must still be there.
void check_alive(const GraphExec& exec) {
  for (const Operation& operation : exec.operations) {
    for (const Touch& touch : operation.touches) {
      if (touch.memory == nullptr || touch.memory->alive) continue;
      violation("use-after-free", "cudaGraphLaunch: " + operation.what + (touch.writes ? " writes " : " reads ") +
                                      describe(*touch.memory) + ", which was freed after the capture");
    }
  }
}

cudaError_t instantiate(Call& call, cudaGraphExec_t* out, cudaGraph_t graph) {
  if (out == nullptr) return call.end(cudaErrorInvalidValue);
  *out = nullptr;
  if (graph == nullptr) return call.end(cudaErrorInvalidValue);
  const Graph& from = graph_of(call, graph);
  auto made = std::make_unique<GraphExec>();
  made->device = from.device;
  made->operations = from.operations;
  const size_t bytes = state().config.graph_bytes;
  if (bytes > 0) {
    Allocation* memory = allocate(call.device(), Memory::kDevice, bytes, "a graph");
    if (memory == nullptr) return call.end(cudaErrorMemoryAllocation);
    memory->own = true;
    made->memory = memory->base;
  }
  ++call.device().counts["graphs"];
  *out = reinterpret_cast<cudaGraphExec_t>(made.get());
  state().execs[*out] = std::move(made);
  return cudaSuccess;
}

}  // namespace

Graph& graph_of(Call& call, cudaGraph_t handle) {
  return object_of(state().graphs, call, handle, "graph");
}

GraphExec& exec_of(Call& call, cudaGraphExec_t handle) {
  return object_of(state().execs, call, handle, "graph's executable");
}

bool is_capturing(cudaStream_t handle) {
  Call call("TensorRT");
  return call.ready() && stream_of(call, handle).capture != nullptr;
}

void invalidate_capture(cudaStream_t handle) {
  Call call("TensorRT");
  const Stream& stream = stream_of(call, handle);
  if (stream.capture != nullptr) stream.capture->invalid = true;
}

}  // namespace stand_in

using stand_in::Call;
using stand_in::Capture;
using stand_in::Graph;
using stand_in::GraphExec;
using stand_in::Operation;
using stand_in::state;
using stand_in::Stream;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode mode) {
  Call call("cudaStreamBeginCapture");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, handle);
  if (stream.legacy) return call.end(cudaErrorStreamCaptureUnsupported);
  if (stream.capture != nullptr) stand_in::violation("capture", describe(stream) + " is already captured");
  stream.capture = std::make_shared<Capture>();
  stream.capture->origin = &stream;
  stream.capture->mode = mode;
  stream.capture->thread = std::this_thread::get_id();
  stream.capture->streams.insert(&stream);
  state().captures.insert(stream.capture.get());
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* pGraph) {
  Call call("cudaStreamEndCapture");
  *pGraph = nullptr;
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, handle);
  const std::shared_ptr<Capture> capture = stream.capture;
  if (capture == nullptr || capture->origin != &stream) {
    stand_in::violation("capture", "cudaStreamEndCapture of " + describe(stream) + ", which did not begin a capture");
  }
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    stand_in::violation("capture", "the capture of " + describe(stream) + " is ended by another thread");
  }
  static_cast<void>(capture->clocks[&stream]);
  stand_in::check_joined(stream, *capture);
  for (Stream* joined : capture->streams) joined->capture.reset();
  state().captures.erase(capture.get());
  if (capture->invalid) return call.end(cudaErrorStreamCaptureInvalidated);
  auto made = std::make_unique<Graph>();
  made->device = stream.device;
  made->operations = capture->operations;
  *pGraph = reinterpret_cast<cudaGraph_t>(made.get());
  state().graphs[*pGraph] = std::move(made);
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus* pCaptureStatus) {
  Call call("cudaStreamIsCapturing");
  if (!call.ready()) return call.error();
  const Stream& stream = stand_in::stream_of(call, handle);
  *pCaptureStatus = stream.capture == nullptr ? cudaStreamCaptureStatusNone
                    : stream.capture->invalid ? cudaStreamCaptureStatusInvalidated
                                              : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* numNodes) {
  Call call("cudaGraphGetNodes");
  if (!call.ready()) return call.error();
  Graph& graph = stand_in::graph_of(call, handle);
  if (nodes != nullptr) stand_in::violation("unknown", "the stand-in only counts a graph's nodes");
  *numNodes = graph.operations.size();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* pGraphExec, cudaGraph_t graph, unsigned long long /*flags*/) {
  Call call("cudaGraphInstantiate");
  return call.ready() ? stand_in::instantiate(call, pGraphExec, graph) : call.error();
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* pGraphExec, cudaGraph_t graph,
                                          unsigned long long /*flags*/) {
  Call call("cudaGraphInstantiate");
  return call.ready() ? stand_in::instantiate(call, pGraphExec, graph) : call.error();
}

cudaError_t cudaGraphUpload(cudaGraphExec_t handle, cudaStream_t on) {
  Call call("cudaGraphUpload");
  if (!call.ready()) return call.error();
  static_cast<void>(stand_in::exec_of(call, handle));
  static_cast<void>(stand_in::stream_of(call, on));
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t on) {
  Call call("cudaGraphLaunch");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, on);
  const GraphExec& exec = stand_in::exec_of(call, handle);
  if (stream.capture != nullptr)
    stand_in::violation("capture", "a graph is launched in " + describe(stream) + "'s capture");
  stand_in::check_alive(exec);
  Operation whole;
  whole.what = "a graph";
  whole.cost = stand_in::Cost::kGraph;
  std::vector<std::function<void()>> work;
  for (const Operation& operation : exec.operations) {
    whole.touches.insert(whole.touches.end(), operation.touches.begin(), operation.touches.end());
    if (operation.work) work.push_back(operation.work);
  }
  whole.work = [work = std::move(work)] {
    for (const auto& each : work) each();
  };
  stand_in::submit(stream, std::move(whole));
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  Call call("cudaGraphExecDestroy");
  if (!call.ready()) return call.error();
  GraphExec& exec = stand_in::exec_of(call, handle);
  exec.alive = false;
  exec.operations.clear();
  if (exec.memory != nullptr) stand_in::release(call.name(), *stand_in::find(exec.memory));
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  Call call("cudaGraphDestroy");
  if (!call.ready()) return call.error();
  Graph& graph = stand_in::graph_of(call, handle);
  graph.alive = false;
  graph.operations.clear();
  return cudaSuccess;
}
}
