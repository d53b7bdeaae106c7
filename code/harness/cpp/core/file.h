// Files that are there whole or not at all.
#pragma once

#include <string>

namespace harness {

// Writes `content` beside `path` and renames it. Throws Error (kFailed) where it cannot be.
void write_whole(const std::string& path, const std::string& content);

}  // namespace harness
