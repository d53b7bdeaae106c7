// Memory: each allocation is mapped twice, so that the program under test cannot touch what a GPU would not let it
// touch.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "state.h"

namespace stand_in {

namespace {

constexpr size_t kPage = 4096;
constexpr int kPattern = 0xB5;  // what new memory holds: no value that a program would take for its own

size_t pages(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kPage - 1) / kPage * kPage;
}

const char* kind_of(const Allocation& memory) {
  switch (memory.kind) {
    case Memory::kDevice:
      return "device memory";
    case Memory::kPinned:
      return "page-locked memory";
    case Memory::kRegistered:
      return "registered memory";
  }
  return "";
}

bool is_known(const Access& access) {
  return access.stream->known >= access.seq;
}

void forget_known(Allocation& memory) {
  auto& all = memory.accesses;
  all.erase(std::remove_if(all.begin(), all.end(), is_known), all.end());
}

int protection(const Allocation& memory, size_t begin, size_t end) {
  int out = PROT_READ | PROT_WRITE;
  for (const Access& access : memory.accesses) {
    if (is_known(access) || access.end <= begin || access.begin >= end) continue;
    if (access.writes) return PROT_NONE;
    out = PROT_READ;
  }
  return out;
}

void set(const Allocation& memory, size_t begin, size_t end, int wanted) {
  if (::mprotect(memory.base + begin, end - begin, wanted) != 0) violation("internal", "mprotect failed");
}

}  // namespace

std::string describe(const Allocation& memory) {
  return std::string(kind_of(memory)) + " of " + std::to_string(memory.bytes) + " bytes" +
         (memory.kind == Memory::kDevice ? " on device " + std::to_string(memory.device) : "") + " (" + memory.what +
         ")";
}

Allocation* find(const void* address) {
  auto& all = state().memory;
  auto after = all.upper_bound(reinterpret_cast<uintptr_t>(address));
  if (after == all.begin()) return nullptr;
  Allocation& found = *std::prev(after)->second;
  const auto offset = static_cast<size_t>(static_cast<const char*>(address) - found.base);
  return offset < std::max(found.mapped, found.bytes) ? &found : nullptr;
}

Allocation* allocate(Device& device, Memory kind, size_t bytes, const std::string& what) {
  const size_t mapped = pages(bytes);
  if (kind == Memory::kDevice) {
    if (device.used + mapped > device.total) return nullptr;
    device.used += mapped;
    device.peak = std::max(device.peak, device.used);
  }
  const int file = ::memfd_create("cuda_stand_in", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(mapped)) != 0) violation("internal", "no memory");
  const int shown = kind == Memory::kDevice ? PROT_NONE : PROT_READ | PROT_WRITE;
  void* base = ::mmap(nullptr, mapped, shown, MAP_SHARED, file, 0);
  void* view = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (base == MAP_FAILED || view == MAP_FAILED) violation("internal", "no address space");
  std::memset(view, kPattern, mapped);
  auto made = std::make_unique<Allocation>();
  made->kind = kind;
  made->device = device.index;
  made->base = static_cast<char*>(base);
  made->view = static_cast<char*>(view);
  made->bytes = bytes;
  made->mapped = mapped;
  made->what = what;
  Allocation* out = made.get();
  state().memory[reinterpret_cast<uintptr_t>(base)] = std::move(made);
  return out;
}

void release(const char* call, Allocation& memory) {
  for (const Access& access : memory.accesses) {
    if (is_known(access)) continue;
    violation("order", std::string(call) + ": " + describe(memory) + " is freed while " + access.what + " on " +
                           describe(*access.stream) + " may still use it: synchronise first");
  }
  memory.alive = false;
  memory.accesses.clear();
  if (memory.kind == Memory::kDevice) state().devices[static_cast<size_t>(memory.device)].used -= memory.mapped;
  if (memory.kind == Memory::kRegistered) {
    // The addresses are the program's own, which may register them anew.
    auto found = state().memory.find(reinterpret_cast<uintptr_t>(memory.base));
    state().unregistered.push_back(std::move(found->second));
    state().memory.erase(found);
    return;
  }
  // The addresses stay reserved, so that a later use is recognised; the pages go.
  ::munmap(memory.view, memory.mapped);
  ::mmap(memory.base, memory.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

Touch touch_of(const char* call, int device, const void* begin, size_t bytes, bool writes) {
  Allocation* memory = find(begin);
  if (memory == nullptr) return {nullptr, 0, bytes, writes};
  if (!memory->alive) {
    violation("use-after-free",
              std::string(call) + (writes ? " writes " : " reads ") + describe(*memory) + ", which was freed");
  }
  const auto offset = static_cast<size_t>(static_cast<const char*>(begin) - memory->base);
  if (offset + bytes > memory->bytes) {
    violation("bounds", std::string(call) + (writes ? " writes " : " reads ") + std::to_string(bytes) +
                            " bytes from byte " + std::to_string(offset) + " of " + describe(*memory));
  }
  if (memory->kind == Memory::kDevice && memory->device != device) {
    violation("ownership", std::string(call) + " on device " + std::to_string(device) +
                               (writes ? " writes " : " reads ") + describe(*memory));
  }
  return {memory, offset, offset + bytes, writes};
}

void protect(Allocation& memory, size_t begin, size_t end) {
  if (memory.kind != Memory::kPinned || !memory.alive) return;
  forget_known(memory);
  begin = begin / kPage * kPage;
  end = pages(end);
  if (memory.accesses.empty()) {
    set(memory, begin, end, PROT_READ | PROT_WRITE);
    return;
  }
  // Runs of pages with the same protection.
  size_t from = begin;
  int wanted = protection(memory, from, from + kPage);
  for (size_t page = begin + kPage; page < end; page += kPage) {
    const int next = protection(memory, page, page + kPage);
    if (next == wanted) continue;
    set(memory, from, page, wanted);
    from = page;
    wanted = next;
  }
  set(memory, from, end, wanted);
}

void* own_memory(int device, size_t bytes, const char* what) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  Allocation* made = allocate(state().devices[static_cast<size_t>(device)], Memory::kDevice, bytes, what);
  if (made == nullptr) return nullptr;
  made->own = true;
  return made->base;
}

void free_own_memory(void* memory) {
  if (memory == nullptr) return;
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  release("TensorRT", *find(memory));
}

size_t bytes_from(const void* address) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  const Allocation* found = find(address);
  if (found == nullptr || found->kind != Memory::kDevice || !found->alive) return 0;
  return found->bytes - static_cast<size_t>(static_cast<const char*>(address) - found->base);
}

void* view(const void* address) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  const Allocation* found = find(address);
  if (found == nullptr) return const_cast<void*>(address);
  return found->view + (static_cast<const char*>(address) - found->base);
}

bool is_idle(const void* begin, size_t bytes) {
  const Unseen unseen;
  const std::lock_guard<std::mutex> lock(state().mutex);
  const Allocation* found = find(begin);
  if (found == nullptr) return true;
  const auto offset = static_cast<size_t>(static_cast<const char*>(begin) - found->base);
  return std::all_of(found->accesses.begin(), found->accesses.end(), [&](const Access& access) {
    return is_known(access) || access.end <= offset || access.begin >= offset + bytes;
  });
}

}  // namespace stand_in
