// Arrays in NumPy's .npy format, mapped into memory read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

// One mapped array. Source of the format: NumPy's numpy/lib/format.py (versions 1.0 to 3.0), C order, little endian.
class NpyArray {
 public:
  // Throws Error (kMissing) when the file is absent, truncated or not such an array.
  explicit NpyArray(const std::string& path);
  ~NpyArray();
  NpyArray(NpyArray&& other) noexcept;
  NpyArray(const NpyArray&) = delete;
  NpyArray& operator=(const NpyArray&) = delete;
  NpyArray& operator=(NpyArray&&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& dtype() const { return dtype_; }  // NumPy's, such as "<i4"
  [[nodiscard]] const std::vector<size_t>& shape() const { return shape_; }
  [[nodiscard]] size_t item_size() const { return item_size_; }
  [[nodiscard]] size_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  [[nodiscard]] size_t row_items() const { return row_items_; }

  // Row `index` (along the first axis). T must have the array's item size.
  template <typename T>
  [[nodiscard]] const T* row(size_t index) const {
    return reinterpret_cast<const T*>(data_) + index * row_items_;
  }

  // Touches each page of a row, so that it is in memory when the run needs it.
  void touch(size_t index) const;

 private:
  void parse(size_t file_size);

  std::string path_;
  std::string dtype_;
  std::vector<size_t> shape_;
  size_t item_size_ = 0;
  size_t row_items_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  const unsigned char* data_ = nullptr;
};

// Writes numbers as a float64 array [rows, columns], to a temporary file that is renamed. Throws Error (kFailed).
void write_npy(const std::string& path, const std::vector<double>& numbers, size_t columns);

}  // namespace harness
