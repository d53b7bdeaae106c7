#include "core/sliding_window.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"

namespace harness {

WindowGrid::WindowGrid(const Extents& volume, const Extents& roi, double overlap) {
  for (size_t axis = 0; axis < 3; ++axis) {
    stride_.at(axis) = std::max<size_t>(1, static_cast<size_t>(static_cast<double>(roi.at(axis)) * (1.0 - overlap)));
    if (volume.at(axis) < roi.at(axis) || (volume.at(axis) - roi.at(axis)) % stride_.at(axis) != 0) {
      throw Error(Status::kMissing,
                  "a volume's extent of " + std::to_string(volume.at(axis)) + " is not tiled exactly by windows",
                  "windows of " + std::to_string(roi.at(axis)) + " have a stride of " +
                      std::to_string(stride_.at(axis)) + "; preprocessing pads volumes to fit",
                  "run `make preprocess_data` for this benchmark again");
    }
    steps_.at(axis) = (volume.at(axis) - roi.at(axis)) / stride_.at(axis) + 1;
  }
}

Extents WindowGrid::origin(size_t index) const {
  const size_t plane = steps_[1] * steps_[2];
  return {index / plane * stride_[0], index % plane / steps_[2] * stride_[1], index % steps_[2] * stride_[2]};
}

std::vector<float> window_weights(const Extents& roi, double sigma) {
  std::array<std::vector<double>, 3> gaussian;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double middle = (static_cast<double>(roi.at(axis)) - 1) / 2;
    const double deviation = sigma * static_cast<double>(roi.at(axis));
    for (size_t i = 0; i < roi.at(axis); ++i) {
      const double x = (static_cast<double>(i) - middle) / deviation;
      gaussian.at(axis).push_back(std::exp(-0.5 * x * x));
    }
  }
  std::vector<double> weights;
  weights.reserve(volume_of(roi));
  for (const double z : gaussian[0]) {
    for (const double y : gaussian[1]) {
      for (const double x : gaussian[2]) weights.push_back(std::cbrt(z * y * x));
    }
  }
  const double most = *std::max_element(weights.begin(), weights.end());
  std::vector<float> out(weights.size());
  std::transform(weights.begin(), weights.end(), out.begin(),
                 [most](double w) { return static_cast<float>(w / most); });
  return out;
}

void cut_window(const float* volume, const Extents& extents, const Extents& origin, const Extents& roi, float* window) {
  for (size_t z = 0; z < roi[0]; ++z) {
    for (size_t y = 0; y < roi[1]; ++y) {
      const size_t from = ((origin[0] + z) * extents[1] + origin[1] + y) * extents[2] + origin[2];
      std::memcpy(window, volume + from, roi[2] * sizeof(float));
      window += roi[2];
    }
  }
}

void WindowSum::begin(const Extents& volume, const Extents& roi, size_t classes) {
  volume_ = volume;
  roi_ = roi;
  classes_ = classes;
  first_ = 0;
  sum_.assign(classes * roi[0] * volume[1] * volume[2], 0.0F);
}

float* WindowSum::row(size_t kind, size_t plane, size_t line) {
  return sum_.data() + ((kind * roi_[0] + plane % roi_[0]) * volume_[1] + line) * volume_[2];
}

void WindowSum::add(const float* output, const std::vector<float>& weights, const Extents& origin, uint8_t* labels) {
  settle(origin[0], labels);
  const size_t width = roi_[2];
  for (size_t kind = 0; kind < classes_; ++kind) {
    const float* weight = weights.data();
    for (size_t z = 0; z < roi_[0]; ++z) {
      for (size_t y = 0; y < roi_[1]; ++y) {
        float* to = row(kind, origin[0] + z, origin[1] + y) + origin[2];
        for (size_t x = 0; x < width; ++x) to[x] += output[x] * weight[x];
        output += width;
        weight += width;
      }
    }
  }
}

void WindowSum::settle(size_t plane, uint8_t* labels) {
  const size_t width = volume_[2];
  std::vector<float> best(width);
  for (; first_ < plane; ++first_) {
    for (size_t line = 0; line < volume_[1]; ++line) {
      uint8_t* label = labels + (first_ * volume_[1] + line) * width;
      std::copy_n(row(0, first_, line), width, best.data());
      std::fill_n(label, width, uint8_t{0});
      for (size_t kind = 1; kind < classes_; ++kind) {
        const float* other = row(kind, first_, line);
        for (size_t x = 0; x < width; ++x) {
          const bool greater = other[x] > best[x];
          best[x] = greater ? other[x] : best[x];
          label[x] = greater ? static_cast<uint8_t>(kind) : label[x];
        }
      }
      for (size_t kind = 0; kind < classes_; ++kind) std::fill_n(row(kind, first_, line), width, 0.0F);
    }
  }
}

void WindowSum::finish(uint8_t* labels) {
  settle(volume_[0], labels);
}

}  // namespace harness
