// Atomic file writes.
#pragma once

#include <string>

namespace harness {

// Writes `content` to a temporary file in the same directory and renames it. Throws Error (kFailed).
void write_whole(const std::string& path, const std::string& content);

}  // namespace harness
