// What an engine is. It knows tensors and nothing of samples; a data set (core/dataset.h) knows how a sample is walked
// through it, be that one call per batch, a window that slides over a volume or a loop over tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/run_spec.h"

namespace harness {

enum class DType { kInt32, kInt64, kFloat32, kFloat16, kInt8 };

size_t size_of(DType dtype);

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

// How much one call computes, for engines that only tell how long that would take.
struct Work {
  size_t samples = 0;
  size_t length = 0;  // of the longest, in the data set's own unit
};

// One lane of an engine. Not thread-safe: one thread owns it. For each call: `input` for every input, then `enqueue`;
// later `wait`, which is for the oldest call under way, then `output`. Errors are thrown as std::exception.
class Stream {
 public:
  Stream() = default;
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  Stream(Stream&&) = delete;
  Stream& operator=(Stream&&) = delete;

  // Calls that may be under way at once. 1 where `enqueue` computes; 2 where copies and computation overlap.
  [[nodiscard]] virtual size_t depth() const { return 1; }
  // Host memory for input `index` of the next call, of that shape. It belongs to the stream and lives until `enqueue`.
  virtual void* input(size_t index, const Shape& shape) = 0;
  // Whether the engine keeps that input's array (Engine::keep), so that rows of it can be named instead of copied here.
  [[nodiscard]] virtual bool has_rows(size_t /*index*/) const { return false; }
  // Input `index` of the next call is made of the first extents of these rows. Only where has_rows.
  virtual void input_rows(size_t /*index*/, const Shape& /*shape*/, const std::vector<uint32_t>& /*rows*/) {}
  // Its device's way with sliding windows; nullptr where they are cut and added up on the host.
  virtual WindowDevice* windows() { return nullptr; }
  // Starts, and on a processor finishes, the computation.
  virtual void enqueue(const Work& work) = 0;
  // Waits for the oldest call under way. Its outputs stay valid until the next `enqueue` after it that reuses its slot.
  virtual void wait() = 0;
  // Output `index` of the call that was waited for.
  virtual Output output(size_t index) = 0;
  // How many samples that call answered. Fewer than were asked for is a fault of the engine.
  [[nodiscard]] virtual size_t answered() const = 0;
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

  // Whether it computes. The null and the simulated engine do not: data sets give them no inputs and answer with zeros.
  [[nodiscard]] virtual bool computes() const { return true; }
  [[nodiscard]] virtual const std::vector<TensorInfo>& inputs() const = 0;
  [[nodiscard]] virtual const std::vector<TensorInfo>& outputs() const = 0;
  // A new lane; the lanes of an engine may run at the same time.
  virtual std::unique_ptr<Stream> stream() = 0;
  // Whether it keeps whole inputs near its computation (field start_from_device), so that `keep` is worth a call.
  [[nodiscard]] virtual bool keeps() const { return false; }
  // Offers an input's whole array, of the input's own type, before the first call; an engine that `keeps` copies it.
  virtual void keep(size_t /*input*/, const void* /*data*/, size_t /*rows*/, size_t /*row_bytes*/) {}
  // Processors that threads driving this device are best on; empty where it does not matter.
  [[nodiscard]] virtual std::vector<int> near_cores() const { return {}; }
};

// What loads an engine, with the options that were read for it.
class EngineLoader {
 public:
  EngineLoader() = default;
  virtual ~EngineLoader() = default;
  EngineLoader(const EngineLoader&) = delete;
  EngineLoader& operator=(const EngineLoader&) = delete;
  EngineLoader(EngineLoader&&) = delete;
  EngineLoader& operator=(EngineLoader&&) = delete;

  // The engine on one device, loaded by a thread that is bound to the device's cores. Throws Error: kMissing where the
  // device or a file is not there, kFailed where the runtime cannot load it.
  [[nodiscard]] virtual std::unique_ptr<Engine> load(const EngineSpec& spec, const DeviceSpec& device) const = 0;
  // What its options come to, for --explain: whole lines, or nothing.
  [[nodiscard]] virtual std::string explain() const { return ""; }
};

class Reader;  // core/json_reader.h

// The engines this binary was built with.
std::vector<std::string> engine_names();

// The same, each with the options that it reads.
std::map<std::string, std::vector<std::string>> engine_options();

// Reads the options of a backend's engine; nullptr where this binary was built without the backend. Throws Error
// (kUsage) for a backend nobody knows.
std::shared_ptr<const EngineLoader> read_engine_options(const std::string& backend, Reader& options);

// The engine on a device. Throws Error: what the loader throws, and kMissing for a backend this binary was built
// without.
std::unique_ptr<Engine> load_engine(const EngineSpec& spec, const DeviceSpec& device);

}  // namespace harness
