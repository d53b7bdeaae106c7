// Triton Inference Server inside this process, by its C API: a stream has one request in flight, whose inputs and
// outputs are the stream's own memory.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "engines/engines.h"
#include "engines/triton_server.h"

namespace harness {

namespace {

constexpr const char* kLog = "see the server's log, triton.txt";

struct Type {
  const char* name;
  int number;
  DType dtype;
};
constexpr std::array<Type, 5> kTypes = {{{"INT8", triton::kInt8, DType::kInt8},
                                         {"INT32", triton::kInt32, DType::kInt32},
                                         {"INT64", triton::kInt64, DType::kInt64},
                                         {"FP16", triton::kFp16, DType::kFloat16},
                                         {"FP32", triton::kFp32, DType::kFloat32}}};

const Type& type_of(const TritonTensor& tensor) {
  const auto* const found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& type) { return tensor.type == type.name; });
  if (found == kTypes.end()) {
    throw Error(Status::kFailed, "the server's tensor " + tensor.name + " is of type " + tensor.type,
                "the C++ harness has INT8, INT32, INT64, FP16 and FP32",
                "serve the engine over gRPC: --triton_protocol=grpc");
  }
  return *found;
}

std::vector<TensorInfo> described(const std::vector<TritonTensor>& tensors) {
  std::vector<TensorInfo> out;
  for (const auto& tensor : tensors) out.push_back({tensor.name, type_of(tensor).dtype});
  return out;
}

// Aligned to cache lines, as runtimes read it fastest.
struct alignas(64) Line {
  unsigned char bytes[64];
};

class Memory {
 public:
  void* hold(size_t bytes) {
    const size_t lines = (bytes + sizeof(Line) - 1) / sizeof(Line);
    if (lines_.size() < lines) lines_.resize(lines);
    return lines_.data();
  }

 private:
  std::vector<Line> lines_;
};

class TritonStream : public Stream {
 public:
  TritonStream(std::shared_ptr<TritonServer> server, std::string name, const TritonModel& model)
      : server_(std::move(server)),
        api_(server_->api()),
        name_(std::move(name)),
        model_(model),
        inputs_(model.inputs.size()),
        shapes_(model.inputs.size()),
        outputs_(model.outputs.size()),
        found_(model.outputs.size()) {
    api_.require(api_.ResponseAllocatorNew(&allocator_, allocate, free_nothing, nullptr), "Triton has no allocator");
    api_.require(api_.InferenceRequestNew(&request_, server_->raw(), name_.c_str(), triton::kAnyVersion),
                 "Triton takes no request for " + name_);
    api_.require(api_.InferenceRequestSetReleaseCallback(request_, released, this), "Triton takes no callback");
    api_.require(api_.InferenceRequestSetResponseCallback(request_, allocator_, this, answered_one, this),
                 "Triton takes no callback");
  }

  ~TritonStream() override {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return is_free_ && is_answered_; });
    }
    api_.drop(api_.InferenceRequestDelete(request_));
    api_.drop(api_.ResponseAllocatorDelete(allocator_));
  }
  TritonStream(const TritonStream&) = delete;
  TritonStream& operator=(const TritonStream&) = delete;
  TritonStream(TritonStream&&) = delete;
  TritonStream& operator=(TritonStream&&) = delete;

  // A test begins when the last lane has warmed up. The server counts a request before it gives it back.
  void learn(bool on) override {
    if (on) return;
    wait_until_free();
    server_->begin();
  }

  void* input(size_t index, const Shape& shape) override {
    // The server may still read the inputs of the call before: it answers first and gives them back after.
    wait_until_free();
    shapes_[index] = shape;
    return inputs_[index].hold(shape.items() * size_of(type_of(model_.inputs[index]).dtype));
  }

  void enqueue(const Work& /*work*/) override {
    const std::string doing = "Triton takes no inputs for " + name_;
    api_.require(api_.InferenceRequestRemoveAllInputs(request_), doing);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const TritonTensor& tensor = model_.inputs[i];
      const Shape& shape = shapes_[i];
      require_shape(tensor, shape);
      const std::vector<int64_t> extents(shape.extents.begin(),
                                         shape.extents.begin() + static_cast<ptrdiff_t>(shape.rank));
      const Type& type = type_of(tensor);
      const size_t bytes = shape.items() * size_of(type.dtype);
      api_.require(
          api_.InferenceRequestAddInput(request_, tensor.name.c_str(), type.number, extents.data(), shape.rank), doing);
      api_.require(api_.InferenceRequestAppendInputData(request_, tensor.name.c_str(), inputs_[i].hold(bytes), bytes,
                                                        triton::kMemoryCpu, 0),
                   doing);
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      is_free_ = false;
      is_answered_ = false;
      failure_.clear();
      for (auto& output : found_) output = {};
    }
    triton::Error* error = api_.ServerInferAsync(server_->raw(), request_, nullptr);
    if (error == nullptr) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      is_free_ = true;
      is_answered_ = true;
    }
    fail(api_.words(error));
  }

  void wait() override {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return is_answered_; });
    if (!failure_.empty()) fail(failure_);
    for (size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].shape.rank == 0) fail("its answer has no output " + model_.outputs[i].name);
    }
  }

  Output output(size_t index) override { return found_.at(index); }
  [[nodiscard]] size_t answered() const override { return found_.empty() ? 0 : found_[0].shape.extents[0]; }

 private:
  void wait_until_free() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return is_free_; });
  }

  [[noreturn]] void fail(const std::string& words) const {
    throw Error(Status::kFailed, "Triton could not compute a batch of " + name_, last_line(words), kLog);
  }

  void require_shape(const TritonTensor& tensor, const Shape& shape) const {
    bool fits = tensor.shape.size() == shape.rank;
    for (size_t i = 0; fits && i < shape.rank; ++i) {
      fits = tensor.shape[i] == -1 || tensor.shape[i] == static_cast<int64_t>(shape.extents.at(i));
    }
    if (fits) return;
    throw Error(Status::kFailed, "the model " + name_ + " takes another shape for " + tensor.name, "",
                "run the same command again, which writes the model repository");
  }

  // Where Triton is to write an output: this stream's memory, on the processor, whatever it prefers.
  static triton::Error* allocate(triton::Allocator* /*allocator*/, const char* name, size_t bytes, int /*kind*/,
                                 int64_t /*kind_id*/, void* user, void** buffer, void** buffer_user, int* actual_kind,
                                 int64_t* actual_id) {
    auto& self = *static_cast<TritonStream*>(user);
    *actual_kind = triton::kMemoryCpu;
    *actual_id = 0;
    *buffer_user = nullptr;
    const size_t index = self.output_named(name);
    if (index == self.outputs_.size()) return self.api_.ErrorNew(triton::kErrorInternal, "an unexpected output");
    try {
      *buffer = self.outputs_[index].hold(bytes);
    } catch (const std::exception& error) {
      return self.api_.ErrorNew(triton::kErrorInternal, error.what());
    }
    return nullptr;
  }

  static triton::Error* free_nothing(triton::Allocator* /*allocator*/, void* /*buffer*/, void* /*buffer_user*/,
                                     size_t /*bytes*/, int /*kind*/, int64_t /*kind_id*/) {
    return nullptr;
  }

  static void released(triton::Request* /*request*/, uint32_t /*flags*/, void* user) {
    auto& self = *static_cast<TritonStream*>(user);
    const std::lock_guard<std::mutex> lock(self.mutex_);
    self.is_free_ = true;
    self.changed_.notify_all();
  }

  static void answered_one(triton::Response* response, uint32_t flags, void* user) {
    auto& self = *static_cast<TritonStream*>(user);
    const std::lock_guard<std::mutex> lock(self.mutex_);
    if (response != nullptr) {
      const std::string words = self.taken(response);
      if (!words.empty() && self.failure_.empty()) self.failure_ = words;
      self.api_.drop(self.api_.InferenceResponseDelete(response));
    }
    if ((flags & triton::kFinal) == 0) return;
    self.is_answered_ = true;
    self.changed_.notify_all();
  }

  // Notes where the outputs of a response are; returns why there are none, or "".
  std::string taken(triton::Response* response) {
    triton::Error* error = api_.InferenceResponseError(response);
    if (error != nullptr) return api_.ErrorMessage(error);  // it belongs to the response
    uint32_t count = 0;
    std::string words = api_.words(api_.InferenceResponseOutputCount(response, &count));
    for (uint32_t i = 0; i < count && words.empty(); ++i) words = taken(response, i);
    return words;
  }

  std::string taken(triton::Response* response, uint32_t number) {
    const char* name = nullptr;
    int type = 0;
    const int64_t* shape = nullptr;
    uint64_t rank = 0;
    const void* base = nullptr;
    size_t bytes = 0;
    int kind = 0;
    int64_t kind_id = 0;
    void* user = nullptr;
    std::string words = api_.words(api_.InferenceResponseOutput(response, number, &name, &type, &shape, &rank, &base,
                                                                &bytes, &kind, &kind_id, &user));
    if (!words.empty()) return words;
    const size_t index = output_named(name);
    Output out;
    if (index == outputs_.size() || rank == 0 || rank > out.shape.extents.size()) {
      return std::string("its output ") + name + " has " + std::to_string(rank) + " dimensions";
    }
    if (kind != triton::kMemoryCpu) return std::string("its output ") + name + " is not in the processor's memory";
    out.data = base;
    out.shape.rank = rank;
    for (size_t i = 0; i < rank; ++i) out.shape.extents.at(i) = static_cast<size_t>(std::max<int64_t>(0, shape[i]));
    const Type& wanted = type_of(model_.outputs[index]);
    if (type != wanted.number || bytes != out.shape.items() * size_of(wanted.dtype)) {
      return std::string("its output ") + name + " has " + std::to_string(bytes) + " bytes, or another type";
    }
    found_[index] = out;
    return "";
  }

  [[nodiscard]] size_t output_named(const char* name) const {
    size_t index = 0;
    while (index < model_.outputs.size() && model_.outputs[index].name != name) ++index;
    return index;
  }

  std::shared_ptr<TritonServer> server_;
  const TritonApi& api_;
  std::string name_;
  const TritonModel& model_;
  triton::Allocator* allocator_ = nullptr;
  triton::Request* request_ = nullptr;
  std::vector<Memory> inputs_;
  std::vector<Shape> shapes_;
  std::vector<Memory> outputs_;
  std::vector<Output> found_;
  std::string failure_;
  bool is_free_ = true;  // the server has given the request and its inputs back
  bool is_answered_ = true;
  std::mutex mutex_;
  std::condition_variable changed_;
};

class TritonEngine : public Engine {
 public:
  TritonEngine(std::shared_ptr<TritonServer> server, std::string name)
      : server_(std::move(server)),
        name_(std::move(name)),
        model_(server_->model(name_)),
        inputs_(described(model_.inputs)),
        outputs_(described(model_.outputs)) {}

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  std::unique_ptr<Stream> stream() override { return std::make_unique<TritonStream>(server_, name_, model_); }

 private:
  std::shared_ptr<TritonServer> server_;
  std::string name_;
  TritonModel model_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
};

class TritonLoader : public EngineLoader {
 public:
  explicit TritonLoader(TritonServerOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& /*spec*/, const DeviceSpec& device) const override {
    const size_t last = options_.models.size() - 1;
    const std::string& name = options_.models[std::min(static_cast<size_t>(std::max(0, device.index)), last)];
    return std::make_unique<TritonEngine>(TritonServer::of(options_), name);
  }

 private:
  TritonServerOptions options_;
};

}  // namespace

std::shared_ptr<const EngineLoader> read_triton(Reader& options) {
  TritonServerOptions out;
  out.library = options.text("library");
  out.backends = options.text("backends");
  out.repository = options.text("repository");
  out.models = options.texts("models", {1});
  out.log = options.text("log", 0);
  out.statistics = options.text("statistics", 0);
  out.region_prefix = options.text("region_prefix");
  out.buffer_threads = static_cast<unsigned>(options.whole("buffer_threads", 0, 4096));
  return std::make_shared<TritonLoader>(std::move(out));
}

}  // namespace harness
