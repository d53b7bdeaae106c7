// The stand-in's CUDA runtime: what a correct program gets, and that each rule aborts a program that breaks it.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "gpu.h"

namespace {

constexpr size_t kBytes = 10000;

TEST(Runtime, CopiesThroughTheDevice) {
  gpu::use(1);
  const cudaStream_t stream = gpu::stream();
  char* from = gpu::pinned(kBytes);
  char* to = gpu::pinned(kBytes);
  char* on_device = gpu::memory(kBytes);
  for (int turn = 0; turn < 3; ++turn) {
    std::memset(from, turn + 1, kBytes);
    gpu::in(on_device, from, kBytes, stream);
    gpu::out(to, on_device, kBytes, stream);
    gpu::sync(stream);
    EXPECT_EQ(std::vector<char>(to, to + kBytes), std::vector<char>(kBytes, static_cast<char>(turn + 1)));
  }
  gpu::ok(cudaFreeHost(from));
  gpu::ok(cudaFreeHost(to));
  gpu::ok(cudaFree(on_device));
  gpu::ok(cudaStreamDestroy(stream));
}

TEST(Runtime, EventsOrderStreams) {
  gpu::use(0);
  const cudaStream_t first = gpu::stream();
  const cudaStream_t second = gpu::stream();
  const cudaEvent_t done = gpu::event(cudaEventDefault);
  const cudaEvent_t end = gpu::event(cudaEventDefault);
  char* host = gpu::pinned(kBytes);
  char* device = gpu::memory(kBytes);
  std::memset(host, 7, kBytes);
  gpu::in(device, host, kBytes, first);
  gpu::record(done, first);
  gpu::wait(second, done);
  gpu::ok(cudaMemsetAsync(device, 8, kBytes / 2, second));
  gpu::record(end, second);
  gpu::ok(cudaEventSynchronize(end));
  float ms = -1;
  gpu::ok(cudaEventElapsedTime(&ms, done, end));
  EXPECT_GE(ms, 0);
  gpu::out(host, device, kBytes, first);  // the host knows all of it to be complete
  gpu::sync(first);
  EXPECT_EQ(host[0], 8);
  EXPECT_EQ(host[kBytes - 1], 7);
  gpu::ok(cudaFreeHost(host));
  gpu::ok(cudaFree(device));
  gpu::ok(cudaEventDestroy(done));
  gpu::ok(cudaEventDestroy(end));
  gpu::ok(cudaStreamDestroy(first));
  gpu::ok(cudaStreamDestroy(second));
}

TEST(Runtime, PageableMemoryIsStaged) {
  gpu::use(0);
  const cudaStream_t stream = gpu::stream();
  char* device = gpu::memory(kBytes);
  std::vector<char> host(kBytes, 5);
  gpu::in(device, host.data(), kBytes, stream);
  std::fill(host.begin(), host.end(), 0);  // the call has taken what it needs
  gpu::out(host.data(), device, kBytes, stream);
  EXPECT_EQ(host, std::vector<char>(kBytes, 5));  // and this one has waited
  gpu::ok(cudaFree(device));
  gpu::ok(cudaStreamDestroy(stream));
}

TEST(Runtime, MemoryIsLimitedAndCounted) {
  gpu::use(0);
  size_t before = 0;
  size_t total = 0;
  gpu::ok(cudaMemGetInfo(&before, &total));
  char* some = gpu::memory(1 << 20);
  size_t after = 0;
  gpu::ok(cudaMemGetInfo(&after, &total));
  EXPECT_EQ(before - after, size_t{1} << 20);
  void* more = nullptr;
  EXPECT_EQ(cudaMalloc(&more, total), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  gpu::ok(cudaFree(some));
}

TEST(Runtime, DevicesHaveAddressesOfTheirOwn) {
  int count = 0;
  gpu::ok(cudaGetDeviceCount(&count));
  ASSERT_GE(count, 2);
  char pci[32];
  gpu::ok(cudaDeviceGetPCIBusId(pci, sizeof pci, 1));
  int device = -1;
  gpu::ok(cudaDeviceGetByPCIBusId(&device, pci));
  EXPECT_EQ(device, 1);
  EXPECT_EQ(cudaSetDevice(count), cudaErrorInvalidDevice);
}

TEST(Runtime, VisibleDevicesAreChosenByUuid) {
  EXPECT_CLEAN({
    ::setenv("CUDA_VISIBLE_DEVICES", "GPU-57a4d140-0000-0000-0000-000000000003,1", 1);
    int count = 0;
    gpu::ok(cudaGetDeviceCount(&count));
    EXPECT_EQ(count, 2);
    char pci[32];
    gpu::ok(cudaDeviceGetPCIBusId(pci, sizeof pci, 0));
    EXPECT_STREQ(pci, "0000:13:00.0");
    cudaDeviceProp properties{};
    gpu::ok(cudaGetDeviceProperties(&properties, 0));
    EXPECT_EQ(properties.uuid.bytes[15], 3);
  });
}

TEST(Runtime, FaultsAreInjected) {
  EXPECT_CLEAN({
    ::setenv("CUDA_STAND_IN_FAULT", "cudaMalloc@1:2,cudaEventCreate:1+", 1);
    void* memory = nullptr;
    gpu::use(1);
    EXPECT_EQ(cudaMalloc(&memory, 1), cudaSuccess);
    gpu::ok(cudaFree(memory));
    EXPECT_EQ(cudaMalloc(&memory, 1), cudaErrorMemoryAllocation);
    cudaEvent_t event = nullptr;
    EXPECT_NE(cudaEventCreate(&event), cudaSuccess);
    EXPECT_NE(cudaEventCreate(&event), cudaSuccess);
  });
}

TEST(Runtime, ABrokenDeviceAnswersEveryCallWithItsError) {
  EXPECT_CLEAN({
    ::setenv("CUDA_STAND_IN_FAULT", "work@1:2", 1);
    gpu::use(1);
    char* device = gpu::memory(kBytes);
    const cudaStream_t stream = gpu::stream();
    gpu::ok(cudaMemsetAsync(device, 0, kBytes, stream));
    gpu::sync(stream);
    gpu::ok(cudaMemsetAsync(device, 0, kBytes, stream));
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
    EXPECT_EQ(cudaFree(device), cudaErrorIllegalAddress);
    gpu::use(0);
    gpu::ok(cudaDeviceSynchronize());
  });
}

TEST(CurrentDevice, MustBeChosenByEachThread) {
  EXPECT_VIOLATION(gpu::memory(1), "unchosen-device", "never chose a device");
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        std::thread([] { gpu::stream(); }).join();
      },
      "unchosen-device", "cudaStreamCreate");
}

TEST(CurrentDevice, MustBeOneThatTheRunMayUse) {
  EXPECT_VIOLATION(
      {
        ::setenv("CUDA_STAND_IN_ALLOWED", "1,2", 1);
        gpu::use(1);
        gpu::use(0);
      },
      "unchosen-device", "device 0, which is not one of");
}

TEST(CurrentDevice, MustBeTheStreams) {
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        const cudaStream_t stream = gpu::stream();
        gpu::use(0);
        gpu::ok(cudaStreamDestroy(stream));
      },
      "current-device", "cudaStreamDestroy of stream .* of device 1 while device 0 is current");
}

TEST(CurrentDevice, MustBeTheEvents) {
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        const cudaEvent_t event = gpu::event();
        gpu::use(0);
        gpu::ok(cudaEventDestroy(event));
      },
      "current-device", "cudaEventDestroy of an event of device 1");
}

TEST(CurrentDevice, MustBeTheMemorys) {
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        char* memory = gpu::memory(8);
        gpu::use(0);
        gpu::ok(cudaFree(memory));
      },
      "current-device", "cudaFree of device memory of 8 bytes on device 1");
}

TEST(Ownership, MemoryOfAnotherDevice) {
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        char* memory = gpu::memory(8);
        gpu::use(0);
        gpu::ok(cudaMemsetAsync(memory, 0, 8, gpu::stream()));
      },
      "ownership", "on device 0 writes device memory of 8 bytes on device 1");
}

TEST(Ownership, EventOfAnotherDevice) {
  EXPECT_VIOLATION(
      {
        gpu::use(1);
        const cudaEvent_t event = gpu::event();
        gpu::use(0);
        gpu::record(event, gpu::stream());
      },
      "ownership", "an event of device 1");
}

TEST(Ownership, AddressesThatWereNeverGivenOut) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaFree(gpu::memory(64) + 8));
      },
      "ownership", "cudaFree of an address that it did not give out");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaFree(gpu::pinned(64)));
      },
      "ownership", "page-locked memory");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(0x1230)));
      },
      "ownership", "a stream that was never created");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaEventSynchronize(reinterpret_cast<cudaEvent_t>(0x1230)));
      },
      "ownership", "an event that was never created");
}

TEST(UseAfterFree, Memory) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(8);
        gpu::ok(cudaFree(memory));
        gpu::ok(cudaMemsetAsync(memory, 0, 8, gpu::stream()));
      },
      "use-after-free", "which was freed");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::memory(8);
        gpu::ok(cudaFree(memory));
        gpu::ok(cudaFree(memory));
      },
      "use-after-free", "freed twice");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        char* memory = gpu::pinned(8);
        gpu::ok(cudaFreeHost(memory));
        *memory = 1;
      },
      "use-after-free", "the host writes page-locked memory");
}

TEST(UseAfterFree, StreamsAndEvents) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        gpu::ok(cudaStreamDestroy(stream));
        gpu::sync(stream);
      },
      "use-after-free", "stream .* which was destroyed");
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaEvent_t event = gpu::event();
        gpu::ok(cudaEventDestroy(event));
        gpu::record(event, gpu::stream());
      },
      "use-after-free", "an event that was destroyed");
}

TEST(Bounds, OfAnAllocation) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::ok(cudaMemsetAsync(gpu::memory(100) + 8, 0, 93, gpu::stream()));
      },
      "bounds", "93 bytes from byte 8 of device memory of 100 bytes");
}

TEST(Direction, MustBeWhatTheMemoryIs) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        gpu::out(gpu::memory(8), gpu::pinned(8), 8, gpu::stream());
      },
      "direction", "from host to device memory, which is not the direction that it names");
}

TEST(Registered, ReadOnlyMemoryNeedsItsFlag) {
  gpu::use(0);
  void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(cudaHostRegister(page, 4096, cudaHostRegisterDefault), cudaErrorInvalidValue);
  gpu::ok(cudaHostRegister(page, 4096, cudaHostRegisterReadOnly));
  EXPECT_EQ(cudaHostRegister(page, 4096, cudaHostRegisterReadOnly), cudaErrorHostMemoryAlreadyRegistered);
  gpu::ok(cudaHostUnregister(page));
  EXPECT_EQ(cudaHostUnregister(page), cudaErrorHostMemoryNotRegistered);
  ::munmap(page, 4096);
}

TEST(Events, TimingMustBeAskedFor) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaEvent_t event = gpu::event(cudaEventDisableTiming);
        const cudaStream_t stream = gpu::stream();
        gpu::record(event, stream);
        gpu::sync(stream);
        float ms = 0;
        gpu::ok(cudaEventElapsedTime(&ms, event, event));
      },
      "event", "cudaEventDisableTiming");
}

TEST(Callback, MustNotUseCuda) {
  EXPECT_VIOLATION(
      {
        gpu::use(0);
        const cudaStream_t stream = gpu::stream();
        gpu::ok(cudaLaunchHostFunc(stream, [](void*) { gpu::use(0); }, nullptr));
        gpu::sync(stream);
      },
      "callback", "cudaSetDevice is called by a host function");
}

TEST(Leak, IsFoundAtTheEnd) {
  const auto ends_with = [](void (*make)()) {
    gpu::use(0);
    make();
    std::exit(0);
  };
  EXPECT_VIOLATION(ends_with([] { gpu::stream(); }), "leak", "stream .* of device 0");
  EXPECT_VIOLATION(ends_with([] { gpu::event(); }), "leak", "an event");
  EXPECT_VIOLATION(ends_with([] { gpu::memory(12); }), "leak", "device memory of 12 bytes");
  EXPECT_VIOLATION(ends_with([] { gpu::pinned(13); }), "leak", "page-locked memory of 13 bytes");
  EXPECT_CLEAN(gpu::use(0));
}

}  // namespace
