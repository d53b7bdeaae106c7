#include "core/file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "core/error.h"

namespace harness {

void write_whole(const std::string& path, const std::string& content) {
  const std::string beside = path + ".part";
  std::ofstream out(beside, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out && std::rename(beside.c_str(), path.c_str()) == 0) return;
  const std::string why = std::strerror(errno);
  static_cast<void>(std::remove(beside.c_str()));
  throw Error(Status::kFailed, "cannot write " + path, why,
              "free disk space or make the folder writable, then run again");
}

}  // namespace harness
