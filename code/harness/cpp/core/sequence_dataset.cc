#include "core/sequence_dataset.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/synthetic_dataset.h"

namespace harness {

namespace {

constexpr const char* kAgain = "run `make preprocess_data` for this benchmark again";

std::vector<int32_t> read_lengths(const std::string& path) {
  const NpyArray array(path);
  if (array.shape().size() != 1 || (array.dtype() != "<i4" && array.dtype() != "<i8")) {
    throw Error(Status::kMissing, path + " does not contain lengths", "lengths are int32 or int64 [N]", kAgain);
  }
  std::vector<int32_t> out(array.rows());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = array.item_size() == 4 ? *array.row<int32_t>(i) : static_cast<int32_t>(*array.row<int64_t>(i));
  }
  return out;
}

size_t port_of(const std::vector<TensorInfo>& ports, const std::string& name, const std::string& kind) {
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
    names.push_back(ports[i].name);
  }
  throw Error(
      Status::kFailed, "the engine has no " + kind + " '" + name + "'", "it has " + joined(names),
      "rebuild it: make generate_engines RUN_ARGS='… --force_build', or select another model with --model_path");
}

}  // namespace

SequenceSpec read_sequence_spec(size_t count, Reader& in) {
  SequenceSpec out;
  out.count = count;
  out.folder = in.text("folder");
  out.arrays = in.text_map("arrays");
  out.lengths = in.text("lengths");
  out.outputs = in.texts("outputs", {1});
  static_cast<void>(in.one_of("input_dtype", {"int32", "int64"}));  // the engine reports its own input types
  out.pad_to_multiple_of = static_cast<size_t>(in.whole("pad_to_multiple_of", 1, 65536));
  return out;
}

OpenDataset read_sequences(size_t count, Reader& in) {
  return [spec = read_sequence_spec(count, in)] { return std::make_unique<SequenceDataset>(spec); };
}

SequenceDataset::SequenceDataset(const SequenceSpec& spec)
    : folder_(spec.folder),
      lengths_(read_lengths(spec.folder + "/" + spec.lengths)),
      multiple_(spec.pad_to_multiple_of),
      output_names_(spec.outputs) {
  const auto check = [&](const std::string& name, size_t rows) {
    if (rows == spec.count) return;
    throw Error(Status::kMissing,
                folder_ + ": " + name + " has " + std::to_string(rows) + " samples, not " + std::to_string(spec.count),
                "the preprocessed arrays do not match", kAgain);
  };
  check("lengths", lengths_.size());
  for (const auto& [name, file] : spec.arrays) {
    Input input{name, NpyArray(folder_ + "/" + file)};
    if (input.array.shape().size() != 2 || input.array.dtype() != "<i4") {
      throw Error(Status::kMissing, input.array.path() + " does not contain token sequences",
                  "sequences are int32 [N, S]", kAgain);
    }
    check(name, input.array.rows());
    width_ = width_ == 0 ? input.array.row_items() : std::min(width_, input.array.row_items());
    inputs_.push_back(std::move(input));
  }
  const auto [least, most] = std::minmax_element(lengths_.begin(), lengths_.end());
  if (*least < 1 || (!inputs_.empty() && static_cast<size_t>(*most) > width_)) {
    throw Error(Status::kMissing, folder_ + "/" + spec.lengths + " does not match the sequences",
                "lengths range from " + std::to_string(*least) + " to " + std::to_string(*most) + ", but rows have " +
                    std::to_string(width_) + " tokens",
                kAgain);
  }
}

size_t SequenceDataset::computed(int32_t longest) const {
  const auto length = static_cast<size_t>(longest);
  const size_t rounded = (length + multiple_ - 1) / multiple_ * multiple_;
  return std::max(length, std::min(rounded, width_));
}

void SequenceDataset::load(const std::vector<size_t>& samples) {
  for (const auto& input : inputs_) {
    for (const size_t sample : samples) input.array.touch(sample);
  }
}

void SequenceDataset::bind(Engine& engine) {
  computes_ = engine.computes();
  if (!computes_) return;
  for (auto& input : inputs_) {
    input.port = port_of(engine.inputs(), input.name, "input");
    const DType dtype = engine.inputs()[input.port].dtype;
    if (dtype != DType::kInt64 && dtype != DType::kInt32) {
      throw Error(Status::kFailed, "the engine's input '" + input.name + "' is neither int32 nor int64", "",
                  "rebuild it: make generate_engines RUN_ARGS='… --force_build'");
    }
    input.wide = dtype == DType::kInt64;
    offer(input, engine);
  }
  if (engine.inputs().size() != inputs_.size()) {
    std::vector<std::string> names;
    for (const auto& info : engine.inputs()) names.push_back(info.name);
    throw Error(Status::kFailed, "the data set does not provide all inputs of the engine", "it has " + joined(names),
                "select another model with --model_path");
  }
  output_ports_.clear();
  for (const auto& name : output_names_) {
    output_ports_.push_back(port_of(engine.outputs(), name, "output"));
    if (engine.outputs()[output_ports_.back()].dtype != DType::kFloat32) {
      throw Error(Status::kFailed, "the engine's output '" + name + "' is not float32", "",
                  "rebuild it: make generate_engines RUN_ARGS='… --force_build'");
    }
  }
}

// Offers the engine the whole array, converted to the engine's input type.
void SequenceDataset::offer(const Input& input, Engine& engine) {
  const size_t rows = input.array.rows();
  const size_t items = input.array.row_items();
  if (rows == 0 || !engine.keeps()) return;
  if (!input.wide) {
    engine.keep(input.port, input.array.row<int32_t>(0), rows, items * sizeof(int32_t));
    return;
  }
  const auto* from = input.array.row<int32_t>(0);
  const std::vector<int64_t> wide(from, from + rows * items);
  engine.keep(input.port, wide.data(), rows, items * sizeof(int64_t));
}

void SequenceDataset::enqueue(const Batch& batch, Stream& stream) const {
  const size_t longest = computed(batch.longest);
  stream.gate().enter();
  if (computes_) {
    const Shape shape{{batch.size(), longest}, 2};
    for (const auto& input : inputs_) {
      if (stream.has_rows(input.port)) {
        stream.input_rows(input.port, shape, batch.samples);
      } else {
        fill(input, batch, stream.input(input.port, shape));
      }
    }
  }
  stream.enqueue({batch.size(), longest});
  stream.gate().submitted();
}

void SequenceDataset::fill(const Input& input, const Batch& batch, void* into) const {
  const size_t longest = computed(batch.longest);
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto* row = input.array.row<int32_t>(batch.samples[i]);
    if (input.wide) {
      std::copy_n(row, longest, static_cast<int64_t*>(into) + i * longest);
    } else {
      std::memcpy(static_cast<int32_t*>(into) + i * longest, row, longest * sizeof(int32_t));
    }
  }
}

void SequenceDataset::collect(const Batch& batch, Stream& stream, Answers& answers) const {
  stream.gate().await();
  stream.wait();
  if (computes_) {
    interleave(batch, stream, answers);
  } else {
    answer_zeros(batch, lengths_, output_names_.size(), stream.answered(), answers);
  }
  stream.gate().leave();
}

void SequenceDataset::interleave(const Batch& batch, Stream& stream, Answers& answers) const {
  const size_t outputs = output_ports_.size();
  const size_t longest = computed(batch.longest);
  const size_t rows = std::min(stream.answered(), batch.size());
  answers.memory.resize(std::max(answers.memory.size(), batch.size() * longest * outputs));
  for (size_t k = 0; k < outputs; ++k) {
    const Output output = stream.output(output_ports_[k]);
    if (output.shape.items() != stream.answered() * longest) {
      throw Error(Status::kFailed,
                  "the engine's output '" + output_names_[k] + "' does not have shape [samples, length]", "",
                  "rebuild it: make generate_engines RUN_ARGS='… --force_build'");
    }
    const auto* from = static_cast<const float*>(output.data);
    for (size_t i = 0; i < rows; ++i) {
      float* to = answers.memory.data() + i * longest * outputs + k;
      const auto length = static_cast<size_t>(lengths_[batch.samples[i]]);
      for (size_t t = 0; t < length; ++t) to[t * outputs] = from[i * longest + t];
    }
  }
  answers.responses.clear();
  for (size_t i = 0; i < rows; ++i) {
    const size_t bytes = static_cast<size_t>(lengths_[batch.samples[i]]) * outputs * sizeof(float);
    answers.responses.emplace_back(batch.ids[i],
                                   reinterpret_cast<uintptr_t>(answers.memory.data() + i * longest * outputs), bytes);
  }
}

}  // namespace harness
