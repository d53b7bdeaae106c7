// Strict reading of one JSON object: a missing, unknown, mistyped or out-of-range key is an error that names its path.
// The C++ counterpart of code/harness/schema/reader.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace harness {

// Bounds of a number; an `open` end is exclusive.
struct Bounds {
  double least = 0;
  double most = std::numeric_limits<double>::max();
  bool open_least = false;
  bool open_most = false;
};

// Bounds of a list's length.
struct Length {
  size_t least = 0;
  size_t most = std::numeric_limits<size_t>::max();
};

// Keys are read one by one, each once; `finish` rejects keys that were not read. The JSON must outlive the reader.
class Reader {
 public:
  // `file` and `at`, the object's path in it, appear in messages. Throws Error (kUsage) when `object` is not an object.
  Reader(const nlohmann::json& object, std::string file, std::string at);

  // The keys that `read` reads. `read` runs on a reader without an object, which returns a value of the requested type
  // and rejects nothing, so the names come from the code that reads them.
  static std::vector<std::string> names(const std::function<void(Reader&)>& read);

  std::string text(const std::string& key, size_t least = 1);
  std::string one_of(const std::string& key, const std::vector<std::string>& known);
  bool flag(const std::string& key);
  std::optional<bool> flag_or_null(const std::string& key);
  double number(const std::string& key, const Bounds& bounds);
  int64_t whole(const std::string& key, int64_t least, int64_t most);
  std::vector<std::string> texts(const std::string& key, const Length& length);
  std::vector<double> numbers(const std::string& key, const Bounds& bounds, const Length& length);
  std::vector<int64_t> wholes(const std::string& key, int64_t least, int64_t most, const Length& length);
  std::vector<std::vector<double>> table(const std::string& key, const Bounds& bounds);
  // An object with at least one key, any names, string values.
  std::vector<std::pair<std::string, std::string>> text_map(const std::string& key);
  // An object with any of the keys in `known`; values are unsigned 64-bit integers.
  std::map<std::string, uint64_t> unsigned_map(const std::string& key, const std::vector<std::string>& known);
  Reader object(const std::string& key);
  // A non-empty list of objects.
  std::vector<Reader> objects(const std::string& key);
  // An object whose content is not checked.
  void ignore_object(const std::string& key);

  // Throws Error (kUsage) unless `holds`: "<file>: <path of key> <what>", and why.
  void require(bool holds, const std::string& key, const std::string& what, const std::string& why) const;
  void finish() const;
  [[nodiscard]] const std::string& file() const { return file_; }
  // Path of a key: "devices[0].cores".
  [[nodiscard]] std::string name(const std::string& key) const;

 private:
  Reader() = default;

  // The value of a key, which is recorded as known; nullptr for a reader without an object.
  const nlohmann::json* get(const std::string& key);
  const nlohmann::json* list(const std::string& key, const Length& length);
  [[nodiscard]] double as_number(const nlohmann::json& value, const std::string& at, const Bounds& bounds) const;
  [[nodiscard]] int64_t as_whole(const nlohmann::json& value, const std::string& at, int64_t least, int64_t most) const;
  [[nodiscard]] std::string as_text(const nlohmann::json& value, const std::string& at, size_t least) const;
  void check_length(size_t found, const std::string& at, const Length& length) const;
  [[noreturn]] void refuse(const std::string& what, const std::string& why) const;
  [[noreturn]] void refuse_type(const std::string& at, const nlohmann::json& value, const std::string& wanted) const;

  const nlohmann::json* object_ = nullptr;
  std::string file_;
  std::string at_;
  std::vector<std::string> known_;
};

}  // namespace harness
