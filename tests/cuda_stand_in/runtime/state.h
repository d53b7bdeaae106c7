// The state of the stand-in's runtime: devices, streams, events, memory and graphs. One lock guards all of it.
#pragma once

#include <cuda_runtime_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../stand_in.h"

namespace stand_in {

struct Stream;
struct Capture;

// Of each stream, by its id, the last operation that is ordered before something.
using Clock = std::map<uint32_t, uint64_t>;

// Keeps the later of both operations of each stream.
void join(Clock& clock, const Clock& other);

// A point in a stream that others wait for.
struct Mark {
  Stream* stream = nullptr;
  uint64_t seq = 0;
  Clock clock;  // what is complete once this is
  bool done = false;
  int64_t time_ns = 0;
  std::condition_variable wake;
  // Of an event that was recorded in a capture: its graph, and the number of operations before it.
  std::shared_ptr<Capture> capture;
};

// An access that the host has not yet synchronised with.
struct Access {
  Stream* stream = nullptr;
  uint64_t seq = 0;
  size_t begin = 0;
  size_t end = 0;
  bool writes = false;
  std::string what;
};

enum class Memory { kDevice, kPinned, kRegistered };

// One allocation. Programs see `base`; the stand-in's threads use `view`, a second mapping of the same pages. The host
// cannot access device memory, nor page-locked memory in use, because their pages at `base` are protected.
struct Allocation {
  Memory kind = Memory::kDevice;
  int device = 0;
  char* base = nullptr;
  char* view = nullptr;
  size_t bytes = 0;
  size_t mapped = 0;
  bool alive = true;
  bool own = false;  // of the stand-in itself, such as weights
  std::string what;
  std::vector<Access> accesses;
};

// A range of an allocation that an operation uses; `memory` is nullptr for pageable host memory.
struct Touch {
  Allocation* memory = nullptr;
  size_t begin = 0;
  size_t end = 0;
  bool writes = false;
};

struct Operation {
  std::string what;
  Cost cost = Cost::kNothing;
  std::vector<Touch> touches;
  std::function<void()> work;
  std::vector<std::shared_ptr<Mark>> waits;
  std::shared_ptr<Mark> mark;
  uint64_t seq = 0;
};

// A stream being captured, with the streams that joined it.
struct Capture {
  Stream* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool invalid = false;
  std::vector<Operation> operations;
  std::set<Stream*> streams;
  // Streams are ordered within a graph by clocks of its own, which start anew.
  std::map<const Stream*, Clock> clocks;
  std::map<const Stream*, uint64_t> seqs;
  std::map<const Allocation*, std::vector<Access>> accesses;
};

struct Stream {
  uint32_t id = 0;
  int device = 0;
  bool blocking = false;  // synchronises with the legacy stream
  bool legacy = false;
  bool alive = true;
  uint64_t seq = 0;    // last operation submitted
  uint64_t done = 0;   // last operation executed
  uint64_t known = 0;  // last operation that the host knows to be complete
  Clock clock;
  std::shared_ptr<Capture> capture;
  std::deque<Operation> queue;
  std::condition_variable wake;
  std::condition_variable idle;
  bool quits = false;
  std::thread thread;
  // Page-locked ranges whose protection ends when the host knows their operation to be complete.
  struct Held {
    uint64_t seq = 0;
    Allocation* memory = nullptr;
    size_t begin = 0;
    size_t end = 0;
  };
  std::deque<Held> held;
};

struct Event {
  int device = 0;
  bool timing = true;
  bool sleeps = false;  // made with cudaEventBlockingSync
  bool alive = true;
  std::shared_ptr<Mark> mark;  // nullptr: never recorded
};

struct Graph {
  int device = 0;
  bool alive = true;
  std::vector<Operation> operations;
};

struct GraphExec {
  int device = 0;
  bool alive = true;
  std::vector<Operation> operations;
  void* memory = nullptr;
};

struct Device {
  int index = 0;
  std::string uuid;  // "GPU-…"
  std::string pci;   // "0000:17:00.0"
  size_t total = 0;
  size_t used = 0;
  size_t peak = 0;
  unsigned flags = 0;
  bool chosen = false;  // has a context
  cudaError_t sticky = cudaSuccess;
  Stream* legacy = nullptr;
  std::map<std::string, uint64_t> counts;
};

// A fault to inject: the `nth` call of this name, from 1; every later one too if it lasts. `device` -1: of any.
struct Fault {
  std::string call;
  int device = -1;
  uint64_t nth = 1;
  bool lasts = false;
  uint64_t seen = 0;
};

struct Config {
  std::map<Cost, int64_t> delay_ns;
  double jitter = 0;
  size_t graph_bytes = 0;
  int major = 9;
  int minor = 0;
  std::string name;
  std::set<int> allowed;  // devices that may get a context; empty: all that are visible
  std::string report;
  std::vector<Fault> faults;
};

struct State {
  std::mutex mutex;
  Config config;
  std::vector<Device> devices;
  std::vector<std::unique_ptr<Stream>> streams;             // by id
  std::map<uintptr_t, std::unique_ptr<Allocation>> memory;  // by address, freed allocations too
  std::vector<std::unique_ptr<Allocation>> unregistered;
  // Handles ever made. Objects are kept once dead, so that their use is recognised.
  std::unordered_map<const void*, std::unique_ptr<Event>> events;
  std::unordered_map<const void*, std::unique_ptr<Graph>> graphs;
  std::unordered_map<const void*, std::unique_ptr<GraphExec>> execs;
  std::set<const Capture*> captures;
  std::map<std::string, std::map<const void*, int>> objects;
  uint64_t executed = 0;
};

// Read from the environment on first use, and never destroyed.
State& state();
void read_environment(State& state);

// The scope of one API call: the lock, and the errors that any call may return.
class Call {
 public:
  enum Needs { kNothing, kContext };

  // kContext: the calling thread's device must have been chosen; its context is made.
  explicit Call(const char* name, Needs needs = kContext);
  // False where the call must return `error` at once: an injected fault, or a device that has failed.
  [[nodiscard]] bool ready() const { return error_ == cudaSuccess; }
  [[nodiscard]] cudaError_t error() const { return error_; }
  [[nodiscard]] const char* name() const { return name_; }
  [[nodiscard]] Device& device() const { return *device_; }
  std::unique_lock<std::mutex>& lock() { return lock_; }
  // Records an error for cudaGetLastError and returns it.
  cudaError_t end(cudaError_t error);

 private:
  Unseen unseen_;
  const char* name_;
  std::unique_lock<std::mutex> lock_;
  Device* device_ = nullptr;
  cudaError_t error_ = cudaSuccess;
};

// The functions below need the lock.

bool fails(State& state, const std::string& call, int device);
// Aborts where the calling thread, or any for a global capture, must not make this call during a capture.
void refuse_in_capture(const char* call);

// Handles; each aborts where it is none, is dead, or belongs to another device than the current one.
Stream& stream_of(Call& call, cudaStream_t handle);
Event& event_of(Call& call, cudaEvent_t handle);
Graph& graph_of(Call& call, cudaGraph_t handle);
GraphExec& exec_of(Call& call, cudaGraphExec_t handle);

// Memory.
Allocation* find(const void* address);
// nullptr: out of device memory.
Allocation* allocate(Device& device, Memory kind, size_t bytes, const std::string& what);
// Aborts where work may still use it.
void release(const char* call, Allocation& memory);
// The range as part of an allocation; aborts where it was freed, ends early, or is on another device.
Touch touch_of(const char* call, int device, const void* begin, size_t bytes, bool writes);
// Sets the pages of a page-locked range to what unfinished work allows.
void protect(Allocation& memory, size_t begin, size_t end);

// Streams.
Stream& make_stream(Device& device, bool blocking, bool legacy);
// Checks an operation's order and queues it, or records it.
void submit(Stream& stream, Operation operation);
std::shared_ptr<Mark> mark_now(Stream& stream);
// Checks a use against unfinished ones of other streams, and records it.
void check_order(Stream& stream, const Clock& clock, uint64_t seq, const Operation& operation);
void wait_for(Call& call, Mark& mark);
void wait_for(Call& call, Stream& stream);
// The host now knows these operations to be complete.
void learn(const Clock& clock);

std::string describe(const Allocation& memory);
std::string describe(const Stream& stream);

}  // namespace stand_in
