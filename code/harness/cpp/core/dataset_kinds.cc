// Registry of data set kinds. To add one: a file that reads its keys, and an entry here.
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/json_reader.h"
#include "core/sequence_dataset.h"
#include "core/synthetic_dataset.h"
#include "core/volume_dataset.h"

namespace harness {

namespace {

struct Kind {
  const char* name;
  OpenDataset (*read)(size_t count, Reader& in);
};

constexpr std::array<Kind, 3> kKinds = {{
    {"sequence", read_sequences},
    {"synthetic", read_synthetic},
    {"volume", read_volumes},
}};

size_t read_count(Reader& in) {
  return static_cast<size_t>(in.whole("count", 1, std::numeric_limits<int32_t>::max()));
}

}  // namespace

std::map<std::string, std::vector<std::string>> dataset_keys() {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& kind : kKinds) {
    out[kind.name] = Reader::names([&](Reader& in) {
      static_cast<void>(in.one_of("kind", {kind.name}));
      kind.read(read_count(in), in);
    });
  }
  return out;
}

DatasetSpec read_dataset(Reader in) {
  std::vector<std::string> names;
  names.reserve(kKinds.size());
  for (const auto& kind : kKinds) names.emplace_back(kind.name);
  DatasetSpec out;
  out.kind = in.one_of("kind", names);
  out.count = read_count(in);
  for (const auto& kind : kKinds) {
    if (out.kind == kind.name) out.open = kind.read(out.count, in);
  }
  in.finish();
  return out;
}

}  // namespace harness
