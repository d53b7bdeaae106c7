#include "core/volume_dataset.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/json_reader.h"

namespace harness {

namespace {

constexpr size_t kClasses = 3;                      // background, kidney, tumour
constexpr size_t kLargestWindow = size_t{1} << 28;  // voxels; a gigabyte in float32
constexpr const char* kAgain = "run `make preprocess_data` for this benchmark again";
constexpr const char* kOtherEngine =
    "rebuild it: make generate_engines RUN_ARGS='… --force_build', or select another model with --model_path";

size_t port_of(const std::vector<TensorInfo>& ports, const std::string& name, const std::string& kind) {
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    names.push_back(ports[i].name);
    if (ports[i].name != name) continue;
    if (ports[i].dtype == DType::kFloat32) return i;
    throw Error(Status::kFailed, "the engine's " + kind + " '" + name + "' is not float32",
                "volumes are float32, and so are the scores of their voxels", kOtherEngine);
  }
  throw Error(Status::kFailed, "the engine has no " + kind + " '" + name + "'", "it has " + joined(names),
              kOtherEngine);
}

}  // namespace

VolumeDataset::Volume VolumeDataset::open(const std::string& path, const Extents& roi, double overlap) {
  NpyArray array(path);
  const auto& shape = array.shape();
  if (shape.size() != 3 || array.dtype() != "<f4") {
    throw Error(Status::kMissing, path + " does not contain a volume", "volumes are float32 [depth, height, width]",
                kAgain);
  }
  const Extents extents{shape[0], shape[1], shape[2]};
  try {
    return {std::move(array), extents, WindowGrid(extents, roi, overlap)};
  } catch (const Error& error) {
    throw Error(error.status(), path + ": " + error.what(), error.why(), error.next_step());
  }
}

OpenDataset read_volumes(size_t count, Reader& in) {
  VolumeSpec spec;
  spec.folder = in.text("folder");
  spec.cases = in.texts("cases", {1});
  in.require(spec.cases.size() == count, "cases", "has " + std::to_string(spec.cases.size()) + " names",
             "count is " + std::to_string(count));
  const std::vector<int64_t> roi = in.wholes("roi", 1, 65536, {3, 3});
  std::copy(roi.begin(), roi.end(), spec.roi.begin());
  in.require(volume_of(spec.roi) <= kLargestWindow, "roi", "has more voxels than a window may have",
             "at most " + std::to_string(kLargestWindow));
  spec.overlap = in.number("overlap", {0, 1, false, true});
  spec.sigma = in.number("sigma", {0, 1e6, true});
  spec.windows_per_batch = static_cast<size_t>(in.whole("windows_per_batch", 1, 65536));
  spec.input = in.text("input");
  spec.output = in.text("output");
  return [spec] { return std::make_unique<VolumeDataset>(spec); };
}

VolumeDataset::VolumeDataset(const VolumeSpec& spec)
    : roi_(spec.roi),
      windows_per_batch_(spec.windows_per_batch),
      input_(spec.input),
      output_(spec.output),
      form_{roi_, kClasses, window_weights(roi_, spec.sigma), 0} {
  for (const auto& name : spec.cases) {
    volumes_.push_back(open(spec.folder + "/" + name + ".npy", roi_, spec.overlap));
    lengths_.push_back(static_cast<int32_t>(volumes_.back().grid.count()));
    form_.largest = std::max(form_.largest, volume_of(volumes_.back().extents));
  }
}

void VolumeDataset::load(const std::vector<size_t>& samples) {
  for (const size_t sample : samples) {
    const NpyArray& array = volumes_[sample].array;
    for (size_t plane = 0; plane < array.rows(); ++plane) array.touch(plane);
  }
}

void VolumeDataset::bind(Engine& engine) {
  computes_ = engine.computes();
  if (!computes_) return;
  input_port_ = port_of(engine.inputs(), input_, "input");
  output_port_ = port_of(engine.outputs(), output_, "output");
  for (const auto& volume : volumes_)
    engine.lock(volume.array.row<float>(0), volume_of(volume.extents) * sizeof(float));
}

std::string VolumeDataset::explain() const {
  return "windows:   at most " + std::to_string(windows_per_batch_) + " per engine call\n";
}

size_t VolumeDataset::feed(Walk& walk, Stream& stream) const {
  std::vector<CaseWindow> windows;
  while (windows.size() < windows_per_batch_ && walk.sample < walk.batch.size()) {
    const Volume& volume = volumes_[walk.batch.samples[walk.sample]];
    windows.push_back({volume.array.row<float>(0), volume.extents, volume.grid.origin(walk.window), walk.window == 0,
                       walk.window + 1 == volume.grid.count(), walk.labels[walk.sample]});
    if (++walk.window == volume.grid.count()) {
      ++walk.sample;
      walk.window = 0;
    }
  }
  if (windows.empty()) return 0;
  if (walk.device != nullptr) {
    walk.device->input_windows(input_port_, output_port_, windows);
  } else if (computes_) {
    auto* to = static_cast<float*>(stream.input(input_port_, {{windows.size(), 1, roi_[0], roi_[1], roi_[2]}, 5}));
    for (const auto& window : windows) {
      cut_window(window.volume, window.extents, window.origin, roi_, to);
      to += volume_of(roi_);
    }
  }
  stream.enqueue({windows.size(), volume_of(roi_)});
  return windows.size();
}

void VolumeDataset::sum(Walk& walk, size_t windows, Stream& stream, WindowSum& sums, Answers& answers) const {
  const float* output = nullptr;
  const bool adds = computes_ && walk.device == nullptr;
  if (adds) {
    const Output found = stream.output(output_port_);
    if (found.shape.items() != stream.answered() * kClasses * volume_of(roi_)) {
      throw Error(Status::kFailed,
                  "the engine's output '" + output_ + "' does not have shape [windows, 3, depth, height, width]", "",
                  kOtherEngine);
    }
    output = static_cast<const float*>(found.data);
  }
  for (size_t i = 0; i < windows; ++i) {
    const Volume& volume = volumes_[walk.batch.samples[walk.sample]];
    uint8_t* labels = walk.labels[walk.sample];
    if (adds) {
      if (walk.window == 0) sums.begin(volume.extents, roi_, kClasses);
      sums.add(output + i * kClasses * volume_of(roi_), form_.weights, volume.grid.origin(walk.window), labels);
    }
    if (++walk.window < volume.grid.count()) continue;
    if (adds) sums.finish(labels);
    answers.responses.emplace_back(walk.batch.ids[walk.sample], reinterpret_cast<uintptr_t>(labels),
                                   volume_of(volume.extents));
    ++walk.sample;
    walk.window = 0;
  }
}

// Batches in flight have destinations of their own.
std::vector<uint8_t*> VolumeDataset::labels_on(WindowDevice& device, const Batch& batch, size_t depth) const {
  std::vector<uint8_t*> labels;
  for (size_t i = 0; i < batch.size(); ++i) {
    labels.push_back(device.labels(i * depth + batch.turn, volume_of(volumes_[batch.samples[i]].extents)));
  }
  return labels;
}

std::vector<uint8_t*> VolumeDataset::labels_in(Answers& answers, const Batch& batch) const {
  std::vector<uint8_t*> labels;
  answers.bytes.resize(std::max(answers.bytes.size(), batch.size()));
  for (size_t i = 0; i < batch.size(); ++i) {
    answers.bytes[i].resize(volume_of(volumes_[batch.samples[i]].extents));
    labels.push_back(answers.bytes[i].data());
  }
  return labels;
}

size_t VolumeDataset::windows_of(const Batch& batch) const {
  size_t out = 0;
  for (const uint32_t sample : batch.samples) out += volumes_[sample].grid.count();
  return out;
}

void VolumeDataset::enqueue(const Batch& batch, Stream& stream) const {
  if (!stream.gate().is_open()) return;
  WindowDevice* device = computes_ ? stream.windows() : nullptr;
  if (device != nullptr) device->prepare(form_);
  // Without a device the destinations are the completing thread's own.
  const std::vector<uint8_t*> labels =
      device == nullptr ? std::vector<uint8_t*>(batch.size()) : labels_on(*device, batch, stream.depth());
  Walk fed{batch, labels, device};
  for (size_t left = windows_of(batch); left > 0;) {
    stream.gate().enter();
    left -= feed(fed, stream);
    stream.gate().submitted();
  }
}

void VolumeDataset::collect_fed(const Batch& batch, Stream& stream, Answers& answers) const {
  WindowDevice* device = computes_ ? stream.windows() : nullptr;
  std::vector<uint8_t*> labels;
  Walk summed{batch, labels, device};
  for (size_t left = windows_of(batch); left > 0;) {
    const size_t windows = std::min(left, windows_per_batch_);
    stream.gate().await();
    if (labels.empty()) {  // the device is prepared by now
      labels = device == nullptr ? labels_in(answers, batch) : labels_on(*device, batch, stream.depth());
    }
    stream.wait();
    if (stream.answered() < windows) return;  // the lane reports the missing answers
    sum(summed, windows, stream, answers.sums, answers);
    stream.gate().leave();
    left -= windows;
    if (answers.alive) answers.alive();
  }
}

void VolumeDataset::collect(const Batch& batch, Stream& stream, Answers& answers) const {
  answers.responses.clear();
  if (stream.gate().is_open()) {
    collect_fed(batch, stream, answers);
    return;
  }
  WindowDevice* device = computes_ ? stream.windows() : nullptr;
  if (device != nullptr) device->prepare(form_);
  const std::vector<uint8_t*> labels =
      device == nullptr ? labels_in(answers, batch) : labels_on(*device, batch, stream.depth());
  Walk fed{batch, labels, device};
  Walk summed{batch, labels, device};
  std::deque<size_t> under_way;
  while (true) {
    while (under_way.size() < stream.depth()) {
      const size_t windows = feed(fed, stream);
      if (windows == 0) break;
      under_way.push_back(windows);
    }
    if (under_way.empty()) return;
    stream.wait();
    if (stream.answered() < under_way.front()) return;  // the lane reports the missing answers
    sum(summed, under_way.front(), stream, answers.sums, answers);
    under_way.pop_front();
    if (answers.alive) answers.alive();
  }
}

}  // namespace harness
