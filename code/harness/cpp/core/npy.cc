#include "core/npy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/file.h"

namespace harness {

namespace {

constexpr size_t kLargestItem = 16;  // bytes; NumPy's complex128

[[noreturn]] void broken(const std::string& path, const std::string& why) {
  throw Error(Status::kMissing, path + " cannot be read as an array", why,
              "run `make preprocess_data` for this benchmark again; it replaces corrupt arrays");
}

// a * b; throws where that exceeds a size_t, which no array in memory does.
size_t product(size_t a, size_t b, const std::string& path) {
  size_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) broken(path, "its header implies more bytes than there are addresses");
  return out;
}

// The text after "'key':" in the header's dict.
std::string after_key(const std::string& header, const std::string& key, const std::string& path) {
  const auto at = header.find("'" + key + "'");
  const auto colon = at == std::string::npos ? at : header.find(':', at);
  if (colon == std::string::npos) broken(path, "its header has no '" + key + "'");
  const auto start = header.find_first_not_of(' ', colon + 1);
  return start == std::string::npos ? "" : header.substr(start);
}

}  // namespace

NpyArray::NpyArray(const std::string& path) : path_(path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) broken(path, std::strerror(errno));
  struct stat status{};
  if (::fstat(file, &status) != 0 || status.st_size < 12) {
    ::close(file);
    broken(path, "it has no header");
  }
  mapped_ = static_cast<size_t>(status.st_size);
  void* mapping = ::mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE, file, 0);
  const int why = errno;
  ::close(file);
  if (mapping == MAP_FAILED) broken(path, std::strerror(why));
  mapping_ = mapping;
  try {
    parse(mapped_);
  } catch (...) {
    ::munmap(mapping_, mapped_);
    throw;
  }
}

NpyArray::~NpyArray() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

NpyArray::NpyArray(NpyArray&& other) noexcept
    : path_(std::move(other.path_)),
      dtype_(std::move(other.dtype_)),
      shape_(std::move(other.shape_)),
      item_size_(other.item_size_),
      row_items_(other.row_items_),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(other.mapped_),
      data_(other.data_) {}

void NpyArray::parse(size_t file_size) {
  const auto* bytes = static_cast<const unsigned char*>(mapping_);
  if (std::memcmp(bytes, "\x93NUMPY", 6) != 0) broken(path_, "it does not start with the .npy magic number");
  const bool wide = bytes[6] >= 2;
  const size_t start = wide ? 12 : 10;
  size_t size = bytes[8] | static_cast<size_t>(bytes[9]) << 8;
  if (wide) size |= static_cast<size_t>(bytes[10]) << 16 | static_cast<size_t>(bytes[11]) << 24;
  if (start + size > file_size) broken(path_, "its header is truncated");
  const std::string header(reinterpret_cast<const char*>(bytes) + start, size);
  const std::string descr = after_key(header, "descr", path_);
  if (descr.size() < 5 || descr[0] != '\'') broken(path_, "its elements are not plain numbers");
  dtype_ = descr.substr(1, descr.find('\'', 1) - 1);
  if (dtype_.size() < 3 || dtype_[0] == '>') broken(path_, "its elements are " + dtype_ + ", which is not supported");
  item_size_ = std::strtoul(dtype_.c_str() + 2, nullptr, 10);
  if (after_key(header, "fortran_order", path_).rfind("False", 0) != 0) broken(path_, "it is in Fortran order");
  const std::string shape = after_key(header, "shape", path_);
  if (shape.empty() || shape[0] != '(') broken(path_, "its shape is not a tuple");
  const char* at = shape.c_str() + 1;
  size_t items = 1;
  row_items_ = 1;
  while (*at != ')' && *at != '\0') {
    if (*at < '0' || *at > '9') broken(path_, "its shape has an entry that is not a number: " + shape);
    char* end = nullptr;
    errno = 0;
    const size_t extent = std::strtoul(at, &end, 10);
    if (errno != 0) broken(path_, "its shape has an entry that is too large: " + shape);
    if (!shape_.empty()) row_items_ = product(row_items_, extent, path_);
    items = product(items, extent, path_);
    shape_.push_back(extent);
    at = end;
    while (*at == ',' || *at == ' ') ++at;
  }
  if (item_size_ == 0 || item_size_ > kLargestItem || shape_.empty() || *at != ')') {
    broken(path_, "its header cannot be parsed: " + header);
  }
  if ((start + size) % item_size_ != 0) {  // NumPy pads headers to 16 or 64 bytes; the mapping begins at a page
    broken(path_,
           "its elements begin at byte " + std::to_string(start + size) + ", which is not a multiple of their size");
  }
  static_cast<void>(product(row_items_, item_size_, path_));
  const size_t wanted = product(items, item_size_, path_);
  const size_t there = file_size - start - size;
  if (there < wanted) {
    broken(path_,
           "it has " + std::to_string(there) + " bytes of elements, but its header implies " + std::to_string(wanted));
  }
  data_ = bytes + start + size;
}

void NpyArray::touch(size_t index) const {
  constexpr size_t kPage = 4096;
  const size_t row_bytes = row_items_ * item_size_;
  const volatile unsigned char* first = data_ + index * row_bytes;
  for (size_t at = 0; at < row_bytes; at += kPage) static_cast<void>(first[at]);
  if (row_bytes != 0) static_cast<void>(first[row_bytes - 1]);
}

void write_npy(const std::string& path, const std::vector<double>& numbers, size_t columns) {
  // NumPy's format 1.0: magic, header length, a dict padded so that the data begins at a multiple of 64.
  std::string dict = "{'descr': '<f8', 'fortran_order': False, 'shape': (" + std::to_string(numbers.size() / columns) +
                     ", " + std::to_string(columns) + "), }";
  const size_t fixed = 10;
  dict.append(64 - (fixed + dict.size() + 1) % 64, ' ');
  dict += '\n';
  std::string content = "\x93NUMPY";
  content += '\x01';
  content += '\x00';
  content += static_cast<char>(dict.size() & 0xFF);
  content += static_cast<char>(dict.size() >> 8);
  content += dict;
  content.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double));
  write_whole(path, content);
}

}  // namespace harness
