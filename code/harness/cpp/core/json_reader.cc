#include "core/json_reader.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/error.h"

namespace harness {

namespace {

using nlohmann::json;

constexpr const char* kAgain = "run `make run_harness` again to write a new one";

std::string item(const std::string& at, size_t index) {
  return at + "[" + std::to_string(index) + "]";
}

template <typename T>
std::string words(T value) {
  std::ostringstream out;
  out.precision(15);
  out << value;
  return out.str();
}

// Length in code points, as JSON Schema counts it.
size_t characters(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Reader::Reader(const json& object, std::string file, std::string at) : file_(std::move(file)), at_(std::move(at)) {
  if (!object.is_object()) refuse_type(at_.empty() ? "it" : at_, object, "an object");
  object_ = &object;
}

std::vector<std::string> Reader::names(const std::function<void(Reader&)>& read) {
  Reader listing;
  read(listing);
  return listing.known_;
}

std::string Reader::name(const std::string& key) const {
  return at_.empty() ? key : at_ + "." + key;
}

const json* Reader::get(const std::string& key) {
  known_.push_back(key);
  if (object_ == nullptr) return nullptr;
  const auto found = object_->find(key);
  if (found != object_->end()) return &*found;
  std::vector<std::string> there;
  for (const auto& each : object_->items()) there.push_back(each.key());
  const std::string hit = nearest(key, there);
  refuse(" has no key " + name(key),
         hit.empty() ? "every key of the schema is required" : "the nearest key present is " + name(hit));
}

const json* Reader::list(const std::string& key, const Length& length) {
  const json* value = get(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) refuse_type(name(key), *value, "a list");
  check_length(value->size(), name(key), length);
  return value;
}

std::string Reader::text(const std::string& key, size_t least) {
  const json* value = get(key);
  return value == nullptr ? "" : as_text(*value, name(key), least);
}

std::string Reader::one_of(const std::string& key, const std::vector<std::string>& known) {
  const json* value = get(key);
  if (value == nullptr) return known.front();
  std::string found = as_text(*value, name(key), 0);
  if (std::find(known.begin(), known.end(), found) != known.end()) return found;
  const std::string hit = nearest(found, known);
  refuse(": " + name(key) + " is '" + found + "'",
         hit.empty() ? "known: " + joined(known) : "did you mean '" + hit + "'?");
}

bool Reader::flag(const std::string& key) {
  const json* value = get(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse_type(name(key), *value, "true or false");
  return value->get<bool>();
}

std::optional<bool> Reader::flag_or_null(const std::string& key) {
  const json* value = get(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_boolean()) refuse_type(name(key), *value, "true, false or null");
  return value->get<bool>();
}

double Reader::number(const std::string& key, const Bounds& bounds) {
  const json* value = get(key);
  return value == nullptr ? bounds.least : as_number(*value, name(key), bounds);
}

int64_t Reader::whole(const std::string& key, int64_t least, int64_t most) {
  const json* value = get(key);
  return value == nullptr ? least : as_whole(*value, name(key), least, most);
}

std::vector<std::string> Reader::texts(const std::string& key, const Length& length) {
  std::vector<std::string> out;
  if (const json* value = list(key, length)) {
    for (size_t i = 0; i < value->size(); ++i) out.push_back(as_text((*value)[i], item(name(key), i), 1));
  }
  return out;
}

std::vector<double> Reader::numbers(const std::string& key, const Bounds& bounds, const Length& length) {
  std::vector<double> out;
  if (const json* value = list(key, length)) {
    for (size_t i = 0; i < value->size(); ++i) out.push_back(as_number((*value)[i], item(name(key), i), bounds));
  }
  return out;
}

std::vector<int64_t> Reader::wholes(const std::string& key, int64_t least, int64_t most, const Length& length) {
  std::vector<int64_t> out;
  if (const json* value = list(key, length)) {
    for (size_t i = 0; i < value->size(); ++i) out.push_back(as_whole((*value)[i], item(name(key), i), least, most));
  }
  return out;
}

std::vector<std::vector<double>> Reader::table(const std::string& key, const Bounds& bounds) {
  std::vector<std::vector<double>> out;
  const json* value = list(key, {1});
  for (size_t i = 0; value != nullptr && i < value->size(); ++i) {
    const json& row = (*value)[i];
    const std::string at = item(name(key), i);
    if (!row.is_array()) refuse_type(at, row, "a list");
    check_length(row.size(), at, {1});
    out.emplace_back();
    for (size_t j = 0; j < row.size(); ++j) out.back().push_back(as_number(row[j], item(at, j), bounds));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Reader::text_map(const std::string& key) {
  std::vector<std::pair<std::string, std::string>> out;
  const json* value = get(key);
  if (value == nullptr) return out;
  if (!value->is_object()) refuse_type(name(key), *value, "an object");
  check_length(value->size(), name(key), {1});
  for (const auto& each : value->items()) {
    out.emplace_back(each.key(), as_text(each.value(), name(key) + "." + each.key(), 1));
  }
  return out;
}

std::map<std::string, uint64_t> Reader::unsigned_map(const std::string& key, const std::vector<std::string>& known) {
  std::map<std::string, uint64_t> out;
  const json* value = get(key);
  if (value == nullptr) return out;
  Reader inner(*value, file_, name(key));
  inner.known_ = known;
  inner.finish();
  for (const auto& each : value->items()) {
    if (!each.value().is_number_unsigned()) refuse_type(inner.name(each.key()), each.value(), "a 64-bit unsigned seed");
    out[each.key()] = each.value().get<uint64_t>();
  }
  return out;
}

Reader Reader::object(const std::string& key) {
  const json* value = get(key);
  return value == nullptr ? Reader() : Reader(*value, file_, name(key));
}

std::vector<Reader> Reader::objects(const std::string& key) {
  std::vector<Reader> out;
  if (const json* value = list(key, {1})) {
    for (size_t i = 0; i < value->size(); ++i) out.emplace_back(Reader((*value)[i], file_, item(name(key), i)));
  }
  return out;
}

void Reader::ignore_object(const std::string& key) {
  static_cast<void>(object(key));
}

void Reader::require(bool holds, const std::string& key, const std::string& what, const std::string& why) const {
  if (object_ != nullptr && !holds) refuse(": " + (key.empty() ? at_ : name(key)) + " " + what, why);
}

void Reader::finish() const {
  if (object_ == nullptr) return;
  for (const auto& each : object_->items()) {
    if (std::find(known_.begin(), known_.end(), each.key()) != known_.end()) continue;
    const std::string hit = nearest(each.key(), known_);
    refuse(" has an unknown key " + name(each.key()), hit.empty()
                                                          ? "known here: " + (known_.empty() ? "none" : joined(known_))
                                                          : "the nearest known key is " + name(hit));
  }
}

double Reader::as_number(const json& value, const std::string& at, const Bounds& bounds) const {
  if (!value.is_number()) refuse_type(at, value, "a number");
  const auto found = value.get<double>();
  const bool low = bounds.open_least ? found > bounds.least : found >= bounds.least;
  const bool high = bounds.open_most ? found < bounds.most : found <= bounds.most;
  if (!std::isfinite(found) || !low || !high) {
    refuse(": " + at + " is " + value.dump(), "it must be " + std::string(bounds.open_least ? "above " : "from ") +
                                                  words(bounds.least) + (bounds.open_most ? " to below " : " to ") +
                                                  words(bounds.most));
  }
  return found;
}

int64_t Reader::as_whole(const json& value, const std::string& at, int64_t least, int64_t most) const {
  if (!value.is_number_integer()) refuse_type(at, value, "a whole number");
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
  if (huge || value.get<int64_t>() < least || value.get<int64_t>() > most) {
    refuse(": " + at + " is " + value.dump(), "it must be from " + words(least) + " to " + words(most));
  }
  return value.get<int64_t>();
}

std::string Reader::as_text(const json& value, const std::string& at, size_t least) const {
  if (!value.is_string()) refuse_type(at, value, "text");
  auto found = value.get<std::string>();
  check_length(characters(found), at, {least});
  return found;
}

void Reader::check_length(size_t found, const std::string& at, const Length& length) const {
  if (found >= length.least && found <= length.most) return;
  const bool open = length.most == std::numeric_limits<size_t>::max();
  refuse(": " + at + " has length " + words(found),
         "it must be " + words(length.least) + (open ? " or more" : " to " + words(length.most)));
}

void Reader::refuse(const std::string& what, const std::string& why) const {
  throw Error(Status::kUsage, file_ + what, why, kAgain);
}

void Reader::refuse_type(const std::string& at, const json& value, const std::string& wanted) const {
  refuse(": " + at + " is " + value.type_name(), "the schema requires " + wanted);
}

}  // namespace harness
