// The null engine: answers at once, which measures the harness's own overhead.
#include <memory>
#include <vector>

#include "core/error.h"
#include "engines/engines.h"

namespace harness {

namespace {

class NullStream : public Stream {
 public:
  void* input(size_t /*index*/, const Shape& /*shape*/) override { return nullptr; }
  void enqueue(const Work& work) override { answered_ = work.samples; }
  void wait() override {}
  Output output(size_t /*index*/) override { return {}; }
  [[nodiscard]] size_t answered() const override { return answered_; }

 private:
  size_t answered_ = 0;
};

class NullEngine : public Engine {
 public:
  [[nodiscard]] bool computes() const override { return false; }
  [[nodiscard]] const std::vector<TensorInfo>& inputs() const override { return none_; }
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const override { return none_; }
  std::unique_ptr<Stream> stream() override { return std::make_unique<NullStream>(); }

 private:
  std::vector<TensorInfo> none_;
};

class NullLoader : public EngineLoader {
 public:
  [[nodiscard]] std::unique_ptr<Engine> load(const EngineSpec& /*spec*/, const DeviceSpec& /*device*/) const override {
    return std::make_unique<NullEngine>();
  }
};

}  // namespace

std::shared_ptr<const EngineLoader> read_null(Reader& /*options*/) {
  return std::make_shared<NullLoader>();
}

}  // namespace harness
