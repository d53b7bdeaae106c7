// Events: recording, waiting, timing.
#include "state.h"

namespace stand_in {

Event& event_of(Call& call, cudaEvent_t handle) {
  const auto found = state().events.find(handle);
  if (found == state().events.end()) {
    violation("ownership", std::string(call.name()) + " of an event that was never created");
  }
  Event& event = *found->second;
  if (!event.alive) violation("use-after-free", std::string(call.name()) + " of an event that was destroyed");
  return event;
}

namespace {

// The event, where its device is the current one.
Event& own_event(Call& call, cudaEvent_t handle) {
  Event& event = event_of(call, handle);
  if (event.device != call.device().index) {
    violation("current-device", std::string(call.name()) + " of an event of device " + std::to_string(event.device) +
                                    " while device " + std::to_string(call.device().index) + " is current");
  }
  return event;
}

// Its mark, where the host may ask for it.
Mark& recorded(Call& call, Event& event) {
  if (event.mark == nullptr) {
    violation("order", std::string(call.name()) + " of an event that was never recorded: it would not wait");
  }
  if (event.mark->capture != nullptr) {
    violation("capture", std::string(call.name()) + " of an event that was recorded in a capture");
  }
  return *event.mark;
}

// An event recorded in a capture stands for what its stream has captured so far.
std::shared_ptr<Mark> captured_mark(Stream& stream) {
  auto mark = std::make_shared<Mark>();
  mark->stream = &stream;
  mark->capture = stream.capture;
  mark->clock = stream.capture->clocks[&stream];
  return mark;
}

void wait_in_capture(Stream& stream, const Mark& mark) {
  if (mark.capture == nullptr) {
    violation("capture",
              describe(stream) + " is captured and waits for an event that was recorded outside the capture");
  }
  if (stream.capture != nullptr && stream.capture != mark.capture) {
    violation("capture", describe(stream) + " is captured and waits for an event of another capture");
  }
  if (state().captures.count(mark.capture.get()) == 0) {
    violation("capture", describe(stream) + " waits for an event of a capture that has ended");
  }
  stream.capture = mark.capture;
  stream.capture->streams.insert(&stream);
  join(stream.capture->clocks[&stream], mark.clock);
}

}  // namespace

}  // namespace stand_in

using stand_in::Call;
using stand_in::Event;
using stand_in::Mark;
using stand_in::Stream;

extern "C" {

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  Call call("cudaEventCreate");
  if (!call.ready()) return call.error();
  if (event == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming)) {
    return call.end(cudaErrorInvalidValue);
  }
  auto made = std::make_unique<Event>();
  made->device = call.device().index;
  made->timing = (flags & cudaEventDisableTiming) == 0;
  made->sleeps = (flags & cudaEventBlockingSync) != 0;
  *event = reinterpret_cast<cudaEvent_t>(made.get());
  stand_in::state().events[*event] = std::move(made);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  Call call("cudaEventDestroy");
  if (!call.ready()) return call.error();
  Event& event = stand_in::own_event(call, handle);
  event.alive = false;
  event.mark.reset();
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t on) {
  Call call("cudaEventRecord");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, on);
  Event& event = stand_in::event_of(call, handle);
  if (event.device != stream.device) {
    stand_in::violation("ownership", "cudaEventRecord of an event of device " + std::to_string(event.device) + " on " +
                                         describe(stream));
  }
  event.mark = stream.capture != nullptr ? stand_in::captured_mark(stream) : stand_in::mark_now(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t on, cudaEvent_t handle, unsigned int /*flags*/) {
  Call call("cudaStreamWaitEvent");
  if (!call.ready()) return call.error();
  Stream& stream = stand_in::stream_of(call, on);
  const Event& event = stand_in::event_of(call, handle);
  if (event.mark == nullptr) {
    stand_in::violation("order", "cudaStreamWaitEvent of an event that was never recorded: it would not wait");
  }
  if (stream.capture != nullptr || event.mark->capture != nullptr) {
    stand_in::wait_in_capture(stream, *event.mark);
    return cudaSuccess;
  }
  stand_in::join(stream.clock, event.mark->clock);
  stand_in::Operation operation;
  operation.what = "a wait";
  operation.waits.push_back(event.mark);
  stand_in::submit(stream, std::move(operation));
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  Call call("cudaEventSynchronize");
  if (!call.ready()) return call.error();
  const std::shared_ptr<Mark> mark = [&] {
    Event& event = stand_in::own_event(call, handle);
    static_cast<void>(stand_in::recorded(call, event));
    ++call.device().counts[event.sleeps ? "waits asleep" : "waits spinning"];
    return event.mark;
  }();
  stand_in::refuse_in_capture(call.name());
  stand_in::wait_for(call, *mark);
  return call.end(call.device().sticky);
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  Call call("cudaEventQuery");
  if (!call.ready()) return call.error();
  const Mark& mark = stand_in::recorded(call, stand_in::own_event(call, handle));
  stand_in::refuse_in_capture(call.name());
  if (!mark.done) return call.end(cudaErrorNotReady);
  stand_in::learn(mark.clock);
  return call.end(call.device().sticky);
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  Call call("cudaEventElapsedTime");
  if (!call.ready()) return call.error();
  Event& first = stand_in::own_event(call, start);
  Event& last = stand_in::own_event(call, end);
  if (!first.timing || !last.timing) {
    stand_in::violation("event", "cudaEventElapsedTime of an event that was created with cudaEventDisableTiming");
  }
  const Mark& from = stand_in::recorded(call, first);
  const Mark& to = stand_in::recorded(call, last);
  if (!from.done || !to.done) return call.end(cudaErrorNotReady);
  *ms = static_cast<float>(static_cast<double>(to.time_ns - from.time_ns) / 1e6);
  return cudaSuccess;
}
}
