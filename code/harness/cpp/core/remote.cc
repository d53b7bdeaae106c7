#include "core/remote.h"

#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"

namespace harness {

namespace {

[[noreturn]] void wrong(const std::string& why) {
  throw Error(Status::kFailed, "an answer is not what was asked for", why,
              "see that every node runs the same commit: make nodes");
}

class RemoteDataset : public Dataset {
 public:
  explicit RemoteDataset(std::unique_ptr<Dataset> local) : local_(std::move(local)) {}

  [[nodiscard]] size_t count() const override { return local_->count(); }
  [[nodiscard]] const std::vector<int32_t>& lengths() const override { return local_->lengths(); }
  [[nodiscard]] size_t computed(int32_t longest) const override { return local_->computed(longest); }
  [[nodiscard]] bool proportional() const override { return local_->proportional(); }
  void load(const std::vector<size_t>& /*samples*/) override {}  // nodes have loaded all of them
  void bind(Engine& /*engine*/) override {}
  [[nodiscard]] std::string explain() const override { return local_->explain(); }

  void enqueue(const Batch& batch, Stream& stream) const override {
    void* into = stream.input(0, {{batch.size()}, 1});
    std::memcpy(into, batch.samples.data(), batch.size() * sizeof(uint32_t));
    stream.enqueue({batch.size(), static_cast<size_t>(batch.longest)});
  }

  void collect(const Batch& batch, Stream& stream, Answers& answers) const override {
    stream.wait();
    const Output answer = stream.output(0);
    read_answer(batch, static_cast<const uint8_t*>(answer.data), answer.shape.items(), answers);
  }

 private:
  std::unique_ptr<Dataset> local_;
};

}  // namespace

size_t answer_size(const mlperf::QuerySampleResponse* responses, size_t count) {
  size_t out = sizeof(AnswerHead) + padded(count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) out += padded(responses[i].size);
  return out;
}

void write_answer(uint64_t number, int64_t held_ns, const mlperf::QuerySampleResponse* responses, size_t count,
                  uint8_t* into) {
  const AnswerHead head{number, held_ns, count};
  std::memcpy(into, &head, sizeof(head));
  uint8_t* sizes = into + sizeof(head);
  uint8_t* at = sizes + padded(count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) {
    const auto size = static_cast<uint32_t>(responses[i].size);
    std::memcpy(sizes + i * sizeof(size), &size, sizeof(size));
    if (size != 0) std::memcpy(at, reinterpret_cast<const void*>(responses[i].data), size);
    at += padded(size);
  }
}

void read_answer(const Batch& batch, const uint8_t* data, size_t size, Answers& answers) {
  AnswerHead head;
  if (size < sizeof(head)) wrong("it has " + std::to_string(size) + " bytes");
  std::memcpy(&head, data, sizeof(head));
  if (head.count != batch.size()) {
    wrong("it has " + std::to_string(head.count) + " responses for " + std::to_string(batch.size()) + " samples");
  }
  size_t at = sizeof(head) + padded(batch.size() * sizeof(uint32_t));
  answers.responses.clear();
  for (size_t i = 0; i < batch.size() && at <= size; ++i) {
    uint32_t bytes = 0;
    std::memcpy(&bytes, data + sizeof(head) + i * sizeof(bytes), sizeof(bytes));
    answers.responses.emplace_back(batch.ids[i], reinterpret_cast<uintptr_t>(data + at), bytes);
    at += padded(bytes);
  }
  if (at != size) wrong("it has " + std::to_string(size) + " bytes, and its responses end at " + std::to_string(at));
}

std::unique_ptr<Dataset> remote_dataset(std::unique_ptr<Dataset> local) {
  return std::make_unique<RemoteDataset>(std::move(local));
}

}  // namespace harness
