#include "engines/tensorrt_plan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/sha256.h"

namespace harness {

namespace {

constexpr const char* kAgain = "rebuild it: make generate_engines RUN_ARGS='… --force_build'";
constexpr const char* kBuild = "run `make generate_engines` with the same RUN_ARGS";
constexpr int kAmpere = 8;

std::string text_or_none(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? "" : found->get<std::string>();
}

TrtDetails read_details(const std::string& folder) {
  std::ifstream in(folder + "/engine.json");
  if (!in) throw Error(Status::kMissing, "no engine in " + folder, "", kBuild);
  try {
    const nlohmann::json details = nlohmann::json::parse(in).at("details");
    TrtDetails out;
    out.plan = folder + "/" + details.at("engine").get<std::string>();
    out.sha256 = details.at("sha256").get<std::string>();
    out.capability = details.at("compute_capability").get<std::string>();
    out.gpu = text_or_none(details, "gpu");
    out.compatibility = text_or_none(details, "hardware_compatibility");
    return out;
  } catch (const nlohmann::json::exception& error) {
    throw Error(Status::kFailed, "cannot read engine.json in " + folder, error.what(), kAgain);
  }
}

class File {
 public:
  explicit File(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&&) = delete;
  File& operator=(File&&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

bool TrtDetails::runs_on(int major, int minor) const {
  if (std::to_string(major) + "." + std::to_string(minor) == capability) return true;
  return compatibility == "ampere_plus" && major >= kAmpere;
}

TrtPlan::TrtPlan(const std::string& folder) : details_(read_details(folder)) {
  const File file(details_.plan);
  struct stat status{};
  if (file.descriptor() < 0 || ::fstat(file.descriptor(), &status) != 0) {
    throw Error(Status::kMissing, "no engine at " + details_.plan, std::strerror(errno), kBuild);
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) {
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (data_ == MAP_FAILED) {
      data_ = nullptr;
      throw Error(Status::kFailed, "cannot read the engine " + details_.plan, std::strerror(errno), kAgain);
    }
    static_cast<void>(::madvise(data_, size_, MADV_SEQUENTIAL));
  }
  if (sha256(data_, size_) == details_.sha256) return;
  if (data_ != nullptr) ::munmap(data_, size_);
  throw Error(Status::kFailed, "the engine " + details_.plan + " is damaged",
              "it differs from the file that was built: engine.json holds another digest", kAgain);
}

TrtPlan::~TrtPlan() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace harness
