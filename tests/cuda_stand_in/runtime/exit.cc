// What must hold when the process ends, the report, and the handler for accesses that a GPU's memory does not allow.
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "state.h"

namespace stand_in {

void born(const char* kind, const void* object, int device) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().objects[kind][object] = device;
}

void gone(const char* kind, const void* object) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().objects[kind].erase(object);
}

namespace {

struct sigaction former;

// A device's own thread may hold the mutex for a moment. The faulting thread holds it only by a fault of the stand-in,
// hence the limit.
bool lock_soon(std::mutex& mutex) {
  for (int turn = 0; turn < 2000; ++turn) {
    if (mutex.try_lock()) return true;
    ::usleep(1000);
  }
  return false;
}

// Names the access, then lets the process end as it would have.
void on_fault(int number, siginfo_t* info, void* context) {
  State& all = state();
  if (lock_soon(all.mutex)) {
    const Allocation* found = find(info->si_addr);
    if (found != nullptr) {
      const auto* machine = static_cast<const ucontext_t*>(context);
      const bool writes = (machine->uc_mcontext.gregs[REG_ERR] & 2) != 0;
      const char* verb = writes ? "writes" : "reads";
      const std::string which = describe(*found);
      if (!found->alive)
        violation("use-after-free", "the host " + std::string(verb) + " " + which + ", which was freed");
      if (found->kind == Memory::kDevice) {
        violation("host-access", "the host " + std::string(verb) + " " + which + ", which it cannot address");
      }
      const auto at = static_cast<size_t>(static_cast<const char*>(info->si_addr) - found->base);
      std::string by = "unfinished work";
      for (const Access& access : found->accesses) {
        if (at / 4096 * 4096 < access.end && access.begin < at / 4096 * 4096 + 4096) {
          by = access.what + " on " + describe(*access.stream);
        }
      }
      violation("host-access",
                "the host " + std::string(verb) + " " + which + " while " + by + " uses it: synchronise first");
    }
    all.mutex.unlock();
  }
  if ((former.sa_flags & SA_SIGINFO) != 0 && former.sa_sigaction != nullptr) {
    former.sa_sigaction(number, info, context);
    return;
  }
  ::signal(number, SIG_DFL);
}

std::string json(const std::string& text) {
  return "\"" + text + "\"";
}

void write_report(const State& all) {
  std::ofstream out(all.config.report);
  out << "[";
  for (const Device& device : all.devices) {
    out << (device.index == 0 ? "" : ",") << "\n{\"index\": " << device.index << ", \"uuid\": " << json(device.uuid)
        << ", \"context\": " << (device.chosen ? "true" : "false") << ", \"flags\": " << device.flags
        << ", \"peak_bytes\": " << device.peak << ", \"counts\": {";
    const char* comma = "";
    for (const auto& [name, count] : device.counts) {
      out << comma << json(name) << ": " << count;
      comma = ", ";
    }
    out << "}}";
  }
  out << "\n]\n";
}

std::string leaks(const State& all) {
  std::string out;
  const auto add = [&](const std::string& what, int device) {
    if (!out.empty()) out += "; ";
    out += what + " of device " + std::to_string(device);
  };
  for (const auto& [kind, objects] : all.objects) {
    for (const auto& [object, device] : objects) add("a TensorRT " + kind, device);
  }
  for (const auto& stream : all.streams) {
    if (stream->alive && !stream->legacy) add("stream " + std::to_string(stream->id), stream->device);
  }
  for (const auto& [handle, event] : all.events) {
    if (event->alive) add("an event", event->device);
  }
  for (const auto& [handle, graph] : all.graphs) {
    if (graph->alive) add("a graph", graph->device);
  }
  for (const auto& [handle, exec] : all.execs) {
    if (exec->alive) add("a graph's executable", exec->device);
  }
  for (const auto& [base, memory] : all.memory) {
    if (memory->alive && !memory->own) add(describe(*memory), memory->device);
  }
  return out;
}

__attribute__((constructor)) void start() {
  struct sigaction own{};
  own.sa_sigaction = on_fault;
  own.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigaction(SIGSEGV, &own, &former);
}

// After the program's own static objects are gone.
__attribute__((destructor)) void end() {
  const Unseen unseen;
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (!all.config.report.empty()) write_report(all);
  for (const Device& device : all.devices) {
    if (device.sticky != cudaSuccess) return;  // nothing on it can be freed any more
  }
  const std::string left = leaks(all);
  if (!left.empty()) violation("leak", "the process ends with " + left);
}

}  // namespace

}  // namespace stand_in
