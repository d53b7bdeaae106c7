// Which kinds of data set there are: each is an entry here, and its keys are read in core/run_spec.cc.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/error.h"
#include "core/sequence_dataset.h"
#include "core/volume_dataset.h"

namespace harness {

namespace {

template <typename T>
std::unique_ptr<Dataset> make(const DatasetSpec& spec) {
  return std::make_unique<T>(spec);
}

struct Kind {
  const char* name;
  std::unique_ptr<Dataset> (*open)(const DatasetSpec&);
};

constexpr std::array<Kind, 3> kKinds = {{
    {"sequence", make<SequenceDataset>},
    {"synthetic", make<SyntheticDataset>},
    {"volume", make<VolumeDataset>},
}};

}  // namespace

std::vector<std::string> dataset_kinds() {
  std::vector<std::string> out;
  out.reserve(kKinds.size());
  for (const auto& kind : kKinds) out.emplace_back(kind.name);
  return out;
}

std::unique_ptr<Dataset> open_dataset(const DatasetSpec& spec) {
  for (const auto& kind : kKinds) {
    if (spec.kind == kind.name) return kind.open(spec);
  }
  throw Error(Status::kUsage, "the C++ harness has no kind of data set '" + spec.kind + "'",
              "it has " + joined(dataset_kinds()), "run with --harness_lang=python");
}

}  // namespace harness
