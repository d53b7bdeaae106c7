// Interface of an engine. It handles tensors and is not aware of samples; a data set (core/dataset.h) decides how a
// sample passes through it: one call per batch, a sliding window over a volume, or a loop over tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/call_gate.h"
#include "core/run_spec.h"

namespace harness {

enum class DType { kInt32, kInt64, kFloat32, kFloat16, kInt8 };

size_t size_of(DType dtype);

class Traffic;       // core/traffic.h
class WindowDevice;  // core/window_device.h

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
};

// The extents of a tensor, outermost first.
struct Shape {
  std::array<size_t, 5> extents{};
  size_t rank = 0;

  [[nodiscard]] size_t items() const {
    size_t out = 1;
    for (size_t i = 0; i < rank; ++i) out *= extents.at(i);
    return out;
  }
};

// An output tensor in host memory.
struct Output {
  const void* data = nullptr;
  Shape shape;
};

// Size of one call, for engines that only simulate its duration.
struct Work {
  size_t samples = 0;
  size_t length = 0;  // of the longest, in the data set's own unit
};

// A device is gone for the rest of the run, and the run goes on without it: its batches are for other devices.
class DeviceLost : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the device is lost"; }
};

// One lane's stream of an engine. For each call: `input` for every input, then `enqueue`; later `wait` for the oldest
// call in flight, then `output`. One thread owns it; where it `splits`, one thread may submit (`input`, `enqueue`)
// while another completes (`wait`, `output`), and its gate keeps them apart. Errors are thrown as std::exception.
class Stream {
 public:
  Stream() = default;
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  Stream(Stream&&) = delete;
  Stream& operator=(Stream&&) = delete;

  // Most calls in flight: 1 where `enqueue` computes, more where copies and computation overlap.
  [[nodiscard]] virtual size_t depth() const { return 1; }
  // Whether one thread may submit calls while another completes them.
  [[nodiscard]] virtual bool splits() const { return false; }
  // Whether calls may be followed by preparation for their shape, such as the capture of a CUDA graph: on while warming
  // up, off in a test.
  virtual void learn(bool /*on*/) {}
  // What it learned, for the log; "": nothing.
  [[nodiscard]] virtual std::string learned() const { return ""; }
  // Host memory for input `index` of the next call, of that shape; owned by the stream, valid until `enqueue`.
  virtual void* input(size_t index, const Shape& shape) = 0;
  // Whether the engine holds that input's array (Engine::keep), so that `rows` can select from it without a copy.
  [[nodiscard]] virtual bool has_rows(size_t /*index*/) const { return false; }
  // Gathers input `index` of the next call from these rows, cut to the shape's extents. Only where has_rows.
  virtual void input_rows(size_t /*index*/, const Shape& /*shape*/, const std::vector<uint32_t>& /*rows*/) {}
  // Sliding windows on the device; nullptr where the host cuts and sums them.
  virtual WindowDevice* windows() { return nullptr; }
  // Starts the computation; on a processor, also finishes it.
  virtual void enqueue(const Work& work) = 0;
  // Waits for the oldest call in flight; throws DeviceLost where it will not be answered. Its outputs stay valid until
  // an `enqueue` reuses its slot.
  virtual void wait() = 0;
  // Output `index` of the call that was waited for.
  virtual Output output(size_t index) = 0;
  // Samples that call answered. Fewer than requested is an engine fault.
  [[nodiscard]] virtual size_t answered() const = 0;
  // Time on the device of the call that was waited for, ns, without waiting for earlier calls; 0: not measured.
  [[nodiscard]] virtual int64_t service_ns() const { return 0; }
  [[nodiscard]] CallGate& gate() { return gate_; }

 private:
  CallGate gate_;
};

// A loaded engine on one device.
class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  Engine(Engine&&) = delete;
  Engine& operator=(Engine&&) = delete;

  // False for the null and the simulated engine: data sets give them no inputs and answer with zeros.
  [[nodiscard]] virtual bool computes() const { return true; }
  [[nodiscard]] virtual const std::vector<TensorInfo>& inputs() const = 0;
  [[nodiscard]] virtual const std::vector<TensorInfo>& outputs() const = 0;
  // A new stream; the streams of an engine may run concurrently.
  virtual std::unique_ptr<Stream> stream() = 0;
  // What the way to the device costs; nullptr for a device of this machine.
  [[nodiscard]] virtual const Traffic* traffic() const { return nullptr; }
  // Whether it holds whole inputs in device memory (field start_from_device), so that `keep` has an effect.
  [[nodiscard]] virtual bool keeps() const { return false; }
  // Offers an input's whole array, in the input's type, before the first call; an engine that `keeps` copies it.
  virtual void keep(size_t /*input*/, const void* /*data*/, size_t /*rows*/, size_t /*row_bytes*/) {}
  // Offers host memory that calls copy from, so that it may be page-locked for as long as the engine exists.
  virtual void lock(const void* /*data*/, size_t /*bytes*/) {}
  // Processors closest to this device, for the threads that drive it; empty: no preference.
  [[nodiscard]] virtual std::vector<int> near_cores() const { return {}; }
};

// Loads engines of one backend with the options read from run.json.
class EngineLoader {
 public:
  EngineLoader() = default;
  virtual ~EngineLoader() = default;
  EngineLoader(const EngineLoader&) = delete;
  EngineLoader& operator=(const EngineLoader&) = delete;
  EngineLoader(EngineLoader&&) = delete;
  EngineLoader& operator=(EngineLoader&&) = delete;

  // The engine on one device, loaded by a thread that is bound to the device's cores. Throws Error: kMissing where the
  // device or a file does not exist, kFailed where the runtime cannot load it.
  [[nodiscard]] virtual std::unique_ptr<Engine> load(const EngineSpec& spec, const DeviceSpec& device) const = 0;
  // Effective options, for --explain: complete lines, or "".
  [[nodiscard]] virtual std::string explain() const { return ""; }
};

class Reader;  // core/json_reader.h

// The engines this binary was built with.
std::vector<std::string> engine_names();

// The same, each with the options that it reads.
std::map<std::string, std::vector<std::string>> engine_options();

// Reads a backend's engine options; nullptr where this binary was built without the backend. Throws Error (kUsage) for
// an unknown backend.
std::shared_ptr<const EngineLoader> read_engine_options(const std::string& backend, Reader& options);

// The engine on a device. Throws what the loader throws, and Error (kMissing) for a backend this binary was built
// without.
std::unique_ptr<Engine> load_engine(const EngineSpec& spec, const DeviceSpec& device);

}  // namespace harness
