// Streams: a thread each, which executes operations in order and waits for events.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>

#include "state.h"
#include "threads.h"

namespace stand_in {

namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The configured cost, more by up to the configured share.
void spend(Cost cost, std::minstd_rand& random) {
  const Config& config = state().config;  // constant by now
  const auto found = config.delay_ns.find(cost);
  if (found == config.delay_ns.end()) return;
  const double more = config.jitter * static_cast<double>(random() % 1000) / 1000;
  std::this_thread::sleep_for(
      std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(found->second) * (1 + more))));
}

// Whether the next operation is one that a fault makes fail: from then on, the device answers every call with an error.
bool breaks(Device& device, const Operation& operation) {
  if (operation.cost == Cost::kNothing || !fails(state(), "work", device.index)) return false;
  device.sticky = cudaErrorIllegalAddress;
  return true;
}

void execute(Stream& stream) {
  const Unseen unseen;
  std::minstd_rand random(stream.id + 1);
  State& all = state();
  std::unique_lock<std::mutex> lock(all.mutex);
  Device& device = all.devices[static_cast<size_t>(stream.device)];
  while (true) {
    stream.wake.wait(lock, [&] { return !stream.queue.empty() || stream.quits; });
    if (stream.queue.empty()) return;
    Operation& operation = stream.queue.front();
    for (const auto& mark : operation.waits) mark->wake.wait(lock, [&] { return mark->done; });
    if (device.sticky == cudaSuccess && !breaks(device, operation)) {
      lock.unlock();
      spend(operation.cost, random);
      if (operation.work) operation.work();
      lock.lock();
    }
    stream.done = operation.seq;
    if (operation.mark != nullptr) {
      operation.mark->time_ns = now_ns();
      operation.mark->done = true;
      operation.mark->wake.notify_all();
    }
    const Operation over = std::move(operation);  // destroyed after it left the queue
    stream.queue.pop_front();
    stream.idle.notify_all();
  }
}

// The legacy stream and blocking ones wait for each other.
void add_implicit_order(Stream& stream, Operation& operation) {
  if (!stream.legacy && !stream.blocking) return;
  for (const auto& other : state().streams) {
    const bool ordered =
        other->device == stream.device && other.get() != &stream && (stream.legacy ? other->blocking : other->legacy);
    if (!ordered || other->seq == 0) continue;
    join(stream.clock, other->clock);
    operation.waits.push_back(mark_now(*other));
  }
}

void record(Stream& stream, Operation operation) {
  Capture& capture = *stream.capture;
  if (!operation.waits.empty()) violation("internal", "a captured operation waits for one outside");
  const uint64_t seq = ++capture.seqs[&stream];
  Clock& clock = capture.clocks[&stream];
  clock[stream.id] = seq;
  check_order(stream, clock, seq, operation);
  capture.operations.push_back(std::move(operation));
}

void enqueue(Stream& stream, Operation operation) {
  operation.seq = ++stream.seq;
  stream.queue.push_back(std::move(operation));
  stream.wake.notify_one();
}

}  // namespace

std::string describe(const Stream& stream) {
  return (stream.legacy ? "the legacy stream" : "stream " + std::to_string(stream.id)) + " of device " +
         std::to_string(stream.device);
}

Stream& make_stream(Device& device, bool blocking, bool legacy) {
  auto& all = state().streams;
  all.push_back(std::make_unique<Stream>());
  Stream& stream = *all.back();
  stream.id = static_cast<uint32_t>(all.size() - 1);
  stream.device = device.index;
  stream.blocking = blocking;
  stream.legacy = legacy;
  stream.thread = std::thread([&stream] { execute(stream); });
  return stream;
}

Stream& stream_of(Call& call, cudaStream_t handle) {
  if (handle == cudaStreamPerThread) violation("unknown", "the stand-in has no per-thread default streams");
  if (handle == nullptr || handle == cudaStreamLegacy) return *call.device().legacy;
  auto* stream = reinterpret_cast<Stream*>(handle);
  const auto& all = state().streams;
  if (std::none_of(all.begin(), all.end(), [&](const auto& each) { return each.get() == stream; })) {
    violation("ownership", std::string(call.name()) + " of a stream that was never created");
  }
  if (!stream->alive) {
    violation("use-after-free", std::string(call.name()) + " of " + describe(*stream) + ", which was destroyed");
  }
  if (stream->device != call.device().index) {
    violation("current-device", std::string(call.name()) + " of " + describe(*stream) + " while device " +
                                    std::to_string(call.device().index) + " is current");
  }
  return *stream;
}

void submit(Stream& stream, Operation operation) {
  if (stream.capture != nullptr) {
    record(stream, std::move(operation));
    return;
  }
  add_implicit_order(stream, operation);
  stream.clock[stream.id] = stream.seq + 1;
  check_order(stream, stream.clock, stream.seq + 1, operation);
  enqueue(stream, std::move(operation));
}

std::shared_ptr<Mark> mark_now(Stream& stream) {
  auto mark = std::make_shared<Mark>();
  mark->stream = &stream;
  mark->seq = stream.seq + 1;
  stream.clock[stream.id] = mark->seq;
  mark->clock = stream.clock;
  Operation operation;
  operation.what = "an event";
  operation.mark = mark;
  enqueue(stream, std::move(operation));
  return mark;
}

void wait_for(Call& call, Mark& mark) {
  mark.wake.wait(call.lock(), [&] { return mark.done; });
  learn(mark.clock);
}

void wait_for(Call& call, Stream& stream) {
  const uint64_t seq = stream.seq;
  const Clock clock = stream.clock;
  stream.idle.wait(call.lock(), [&] { return stream.done >= seq; });
  learn(clock);
}

cudaError_t launch(cudaStream_t handle, const std::string& what, Cost cost, const std::vector<Use>& uses,
                   std::function<void()> work) {
  Call call(what.c_str());
  if (!call.ready()) return call.error();
  Stream& stream = stream_of(call, handle);
  Operation operation;
  operation.what = what;
  operation.cost = cost;
  for (const Use& use : uses) {
    const Touch touch = touch_of(what.c_str(), stream.device, use.begin, use.bytes, use.writes);
    if (touch.memory == nullptr) {
      violation("ownership", what + (use.writes ? " writes" : " reads") +
                                 " host memory that is not page-locked; a GPU cannot see it");
    }
    operation.touches.push_back(touch);
  }
  operation.work = std::move(work);
  submit(stream, std::move(operation));
  return cudaSuccess;
}

int device_of(cudaStream_t handle, const char* name) {
  Call call(name);
  return stream_of(call, handle).device;
}

}  // namespace stand_in

using stand_in::Call;
using stand_in::Operation;
using stand_in::Stream;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* pStream, unsigned int flags) {
  Call call("cudaStreamCreate");
  if (!call.ready()) return call.error();
  if (pStream == nullptr || flags > cudaStreamNonBlocking) return call.end(cudaErrorInvalidValue);
  Stream& made = stand_in::make_stream(call.device(), flags != cudaStreamNonBlocking, false);
  *pStream = reinterpret_cast<cudaStream_t>(&made);
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* pStream) {
  return cudaStreamCreateWithFlags(pStream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* pStream, unsigned int flags, int /*priority*/) {
  return cudaStreamCreateWithFlags(pStream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  Call call("cudaStreamDestroy");
  if (!call.ready()) return call.error();
  if (handle == nullptr) return call.end(cudaErrorInvalidResourceHandle);
  Stream& stream = stand_in::stream_of(call, handle);
  if (stream.capture != nullptr) {
    stand_in::violation("capture", describe(stream) + " is destroyed while it is captured");
  }
  stream.alive = false;
  stream.quits = true;
  stream.wake.notify_one();
  std::thread thread = std::move(stream.thread);
  call.lock().unlock();
  thread.join();
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  Call call("cudaStreamSynchronize");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, handle);
  stand_in::refuse_in_capture(call.name());
  stand_in::wait_for(call, stream);
  return call.end(call.device().sticky);
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  Call call("cudaStreamQuery");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, handle);
  stand_in::refuse_in_capture(call.name());
  if (stream.done < stream.seq) return call.end(cudaErrorNotReady);
  stand_in::learn(stream.clock);
  return call.end(call.device().sticky);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t fn, void* userData) {
  // What the caller wrote before is there for `fn`; ThreadSanitizer may know that.
  const auto launched = std::make_shared<std::atomic<bool>>(false);
  launched->store(true, std::memory_order_release);
  Call call("cudaLaunchHostFunc");
  if (!call.ready()) return call.error();
  Operation operation;
  operation.what = "a host function";
  operation.work = [fn, userData, launched] {
    stand_in::set_in_callback(true);
    {
      const stand_in::Seen seen;
      static_cast<void>(launched->load(std::memory_order_acquire));
      fn(userData);
    }
    stand_in::set_in_callback(false);
  };
  stand_in::submit(stand_in::stream_of(call, handle), std::move(operation));
  return cudaSuccess;
}
}
