// What every API call has in common: the lock, the current device, injected faults, violations.
#include <execinfo.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "state.h"
#include "threads.h"

// ThreadSanitizer's own, in a binary that has it.
extern "C" {
__attribute__((weak)) void AnnotateIgnoreReadsBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreReadsEnd(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreWritesBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreWritesEnd(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreSyncBegin(const char* file, int line);
__attribute__((weak)) void AnnotateIgnoreSyncEnd(const char* file, int line);
}

namespace stand_in {

namespace {

thread_local int unseen_depth = 0;
thread_local cudaError_t last_error = cudaSuccess;

void ignore(bool begins) {
  if (AnnotateIgnoreSyncBegin == nullptr) return;
  static const bool seen = std::getenv("CUDA_STAND_IN_SEEN") != nullptr;
  if (seen) return;
  if (begins) {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
  } else {
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
}

cudaError_t error_of(const std::string& call) {
  if (call == "cudaMalloc" || call == "cudaHostAlloc" || call == "cudaHostRegister") return cudaErrorMemoryAllocation;
  if (call == "cudaGetDeviceCount") return cudaErrorNoDevice;
  if (call.rfind("cudaGraph", 0) == 0) return cudaErrorNotSupported;
  return cudaErrorLaunchFailure;
}

}  // namespace

Unseen::Unseen() {
  if (unseen_depth++ == 0) ignore(true);
}

Unseen::~Unseen() {
  if (--unseen_depth == 0) ignore(false);
}

Seen::Seen() : depth_(unseen_depth) {
  if (depth_ > 0) ignore(false);
  unseen_depth = 0;
}

Seen::~Seen() {
  unseen_depth = depth_;
  if (depth_ > 0) ignore(true);
}

void violation(const char* rule, const std::string& message) {
  const std::string text = "cuda_stand_in: [" + std::string(rule) + "] " + message + "\n";
  static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
  void* frames[32];
  ::backtrace_symbols_fd(frames, ::backtrace(frames, 32), STDERR_FILENO);
  std::abort();
}

State& state() {
  static State* const only = [] {
    auto* made = new State;
    read_environment(*made);
    return made;
  }();
  return *only;
}

Call::Call(const char* name, Needs needs) : name_(name), lock_(state().mutex) {
  State& all = state();
  if (in_callback()) {
    violation("callback", std::string(name) + " is called by a host function of a stream, which must not use CUDA");
  }
  const int chosen = chosen_device();
  if (needs == kContext) {
    if (chosen < 0) {
      violation("unchosen-device", std::string(name) +
                                       ": this thread never chose a device; CUDA would take device 0 and give it a "
                                       "context");
    }
    device_ = &all.devices[static_cast<size_t>(chosen)];
    ++device_->counts[name];
    error_ = device_->sticky;
  }
  if (error_ == cudaSuccess && fails(all, name, chosen)) error_ = error_of(name);
  if (error_ != cudaSuccess) last_error = error_;
}

cudaError_t Call::end(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

bool fails(State& state, const std::string& call, int device) {
  bool out = false;
  for (auto& fault : state.config.faults) {
    if (fault.call != call || (fault.device >= 0 && fault.device != device)) continue;
    ++fault.seen;
    out = out || fault.seen == fault.nth || (fault.lasts && fault.seen > fault.nth);
  }
  return out;
}

void refuse_in_capture(const char* call) {
  for (const Capture* capture : state().captures) {
    const bool mine = capture->thread == std::this_thread::get_id();
    const bool forbidden =
        capture->mode == cudaStreamCaptureModeGlobal || (capture->mode == cudaStreamCaptureModeThreadLocal && mine);
    if (forbidden) {
      violation("capture", std::string(call) + " is called while " + (mine ? "this thread" : "another thread") +
                               " captures " + describe(*capture->origin) + "; it would invalidate the capture");
    }
  }
}

int current_device(const char* call) {
  return Call(call).device().index;
}

bool injected(const char* call, int device) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  return fails(state(), call, device);
}

void count(int device, const char* what) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  ++state().devices[static_cast<size_t>(device)].counts[what];
}

}  // namespace stand_in

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported:
      return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    default:
      return "cudaErrorUnknown";
  }
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    default:
      return cudaGetErrorName(error);
  }
}

cudaError_t cudaGetLastError() {
  return std::exchange(stand_in::last_error, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
  return stand_in::last_error;
}
}
